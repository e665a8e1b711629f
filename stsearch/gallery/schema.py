"""The tables of catalog.sqlite3, format by format."""

from __future__ import annotations

_TALLY = """
    INSERT INTO totals SELECT '{0}', count(*), coalesce(sum(checksum), 0) FROM {0};
    CREATE TRIGGER {0}_added AFTER INSERT ON {0} BEGIN
        UPDATE totals SET rows = rows + 1, checksums = checksums + NEW.checksum WHERE name = '{0}';
    END;
    CREATE TRIGGER {0}_changed AFTER UPDATE OF checksum ON {0} BEGIN
        UPDATE totals SET checksums = checksums - OLD.checksum + NEW.checksum WHERE name = '{0}';
    END;
    CREATE TRIGGER {0}_removed AFTER DELETE ON {0} BEGIN
        UPDATE totals SET rows = rows - 1, checksums = checksums - OLD.checksum WHERE name = '{0}';
    END;"""

MIGRATIONS = (
    """
    CREATE TABLE contents (            -- the bytes of a photograph, under however many names
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        sha256 TEXT NOT NULL UNIQUE,
        height INTEGER NOT NULL,       -- pixels, as displayed
        width INTEGER NOT NULL
    );
    CREATE TABLE images (              -- a file
        path BLOB PRIMARY KEY,         -- relative to the folder of photographs, as the file system spells it
        size INTEGER NOT NULL,         -- bytes
        mtime_ns INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('ok', 'failed')),
        content_id INTEGER REFERENCES contents (id),
        reason TEXT,                   -- why it failed
        CHECK ((status = 'ok') = (content_id IS NOT NULL) AND (status = 'failed') = (reason IS NOT NULL))
    );
    CREATE INDEX images_content ON images (content_id);
    CREATE TABLE instances (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        content_id INTEGER NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
        polygon BLOB NOT NULL,         -- (P, 2) float32, pixels as displayed
        score REAL NOT NULL,
        transcript TEXT NOT NULL,
        folded TEXT NOT NULL,          -- the transcript as queries are folded
        confidence REAL NOT NULL,
        vector BLOB NOT NULL           -- (D,) float16, unit length
    );
    CREATE INDEX instances_content ON instances (content_id);
    CREATE INDEX instances_folded ON instances (folded);
    """,
    # A byte for each character of the transcript, its confidence times 255; empty when it is not known
    "ALTER TABLE instances ADD COLUMN characters BLOB NOT NULL DEFAULT x''",
    """
    CREATE TABLE head (                -- what the manifest says, to remake it from; one row
        body TEXT NOT NULL,
        checksum INTEGER NOT NULL
    );
    CREATE TABLE totals (              -- what a whole table must come to
        name TEXT PRIMARY KEY,
        rows INTEGER NOT NULL,
        checksums INTEGER NOT NULL     -- their sum
    );
    ALTER TABLE contents ADD COLUMN files INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE contents ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0; -- of the row, without files
    ALTER TABLE images ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE instances ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
    UPDATE contents SET files = (SELECT count(*) FROM images WHERE content_id = contents.id),
        checksum = row_checksum(id, sha256, height, width);
    UPDATE images SET checksum = row_checksum(path, size, mtime_ns, status, content_id, reason);
    UPDATE instances SET checksum = row_checksum(
        id, content_id, polygon, score, transcript, folded, confidence, vector, characters);
    CREATE TRIGGER file_added AFTER INSERT ON images BEGIN
        UPDATE contents SET files = files + 1 WHERE id = NEW.content_id;
    END;
    CREATE TRIGGER file_changed AFTER UPDATE OF content_id ON images BEGIN
        UPDATE contents SET files = files - 1 WHERE id = OLD.content_id;
        UPDATE contents SET files = files + 1 WHERE id = NEW.content_id;
    END;
    CREATE TRIGGER file_removed AFTER DELETE ON images BEGIN
        UPDATE contents SET files = files - 1 WHERE id = OLD.content_id;
    END;
    """
    + "".join(_TALLY.format(table) for table in ("contents", "images", "instances")),
    # When a photograph was taken, in ISO 8601; NULL: not known. A wrong checksum stays as wrong as it was.
    """
    ALTER TABLE contents ADD COLUMN taken TEXT;
    UPDATE contents SET checksum = checksum
        - row_checksum(id, sha256, height, width) + row_checksum(id, sha256, height, width, taken);
    """,
    # What was seen of a word, column by column, as likelihood.py packs it, compressed; empty: not known
    """
    ALTER TABLE instances ADD COLUMN columns BLOB NOT NULL DEFAULT x'';
    UPDATE instances SET checksum = checksum
        - row_checksum(id, content_id, polygon, score, transcript, folded, confidence, vector, characters)
        + row_checksum(
            id, content_id, polygon, score, transcript, folded, confidence, vector, characters, columns);
    """,
)
"""One script a format; a catalog of format n has run the first n of them."""

COLUMNS = {
    "contents": "id, sha256, height, width, taken, checksum",
    "images": "path, size, mtime_ns, status, content_id, reason, checksum",
    "instances": (
        "id, content_id, polygon, score, transcript, folded, confidence, vector, characters, columns,"
        " checksum"
    ),
}
"""Every column that counts, the checksum last."""
