"""The tables of catalog.sqlite3, format by format."""

from __future__ import annotations

_TOTALS = """
    INSERT INTO totals VALUES ('{0}', 0, 0);
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
        width INTEGER NOT NULL,
        taken TEXT,                    -- by the clock of the camera, in ISO 8601; NULL: not known
        files INTEGER NOT NULL DEFAULT 0, -- rows of images with this content; not in the checksum
        checksum INTEGER NOT NULL
    );
    CREATE TABLE images (              -- a file
        path BLOB PRIMARY KEY,         -- relative to the folder of photographs, as the file system spells it
        size INTEGER NOT NULL,         -- bytes
        mtime_ns INTEGER NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('ok', 'failed')),
        content_id INTEGER REFERENCES contents (id),
        reason TEXT,                   -- why it failed
        checksum INTEGER NOT NULL,
        CHECK ((status = 'ok') = (content_id IS NOT NULL) AND (status = 'failed') = (reason IS NOT NULL))
    );
    CREATE INDEX images_content ON images (content_id);
    CREATE TABLE instances (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        content_id INTEGER NOT NULL REFERENCES contents (id) ON DELETE CASCADE,
        polygon BLOB NOT NULL,         -- (P, 2) float32, pixels as displayed
        score REAL NOT NULL,           -- of detection
        transcript TEXT NOT NULL,
        folded TEXT NOT NULL,          -- the transcript as queries are folded
        confidence REAL NOT NULL,
        vector BLOB NOT NULL,          -- the embedding, (D,) float16, unit length
        characters BLOB NOT NULL,      -- a byte each: 255 times its confidence; empty: not known
        ctc_posteriors BLOB NOT NULL,  -- as text/ctc.py packs them, compressed; empty: not known
        checksum INTEGER NOT NULL
    );
    CREATE INDEX instances_content ON instances (content_id);
    CREATE INDEX instances_folded ON instances (folded);
    CREATE TABLE manifest_copy (       -- the part of the manifest that it can be remade from; one row
        body TEXT NOT NULL,
        checksum INTEGER NOT NULL
    );
    CREATE TABLE totals (              -- of a whole table, so that a lost row is noticed
        name TEXT PRIMARY KEY,
        rows INTEGER NOT NULL,
        checksums INTEGER NOT NULL     -- their sum
    );
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
    + "".join(_TOTALS.format(table) for table in ("contents", "images", "instances")),
    """
    PRAGMA application_id = 0x73747372; -- "stsr"
    CREATE TABLE state (               -- what is true of the whole gallery, by name (state.py)
        name TEXT PRIMARY KEY NOT NULL,
        value TEXT NOT NULL,
        checksum INTEGER NOT NULL
    );
    CREATE TABLE rereads (             -- contents to be read again though their bytes did not change
        content_id INTEGER PRIMARY KEY REFERENCES contents (id) ON DELETE CASCADE,
        reason TEXT NOT NULL CHECK (reason IN ('weights', 'recognizer', 'request')),
        checksum INTEGER NOT NULL
    );
    ALTER TABLE contents ADD COLUMN note TEXT;     -- what of it could not be read; NULL: nothing is missing
    UPDATE contents SET checksum = checksum - row_checksum(id, sha256, height, width, taken)
        + row_checksum(id, sha256, height, width, taken, note);
    ALTER TABLE instances ADD COLUMN page INTEGER; -- from 1, that the polygon lies in; NULL: there is one
    UPDATE instances SET checksum = checksum
        - row_checksum(id, content_id, polygon, score, transcript, folded, confidence, vector, characters,
            ctc_posteriors)
        + row_checksum(id, content_id, polygon, score, transcript, folded, confidence, vector, characters,
            ctc_posteriors, page);
    """
    + "".join(_TOTALS.format(table) for table in ("state", "rereads")),
    """
    ALTER TABLE images ADD COLUMN stamp TEXT;      -- ETag of an object; NULL: it is a file
    UPDATE images SET checksum = checksum - row_checksum(path, size, mtime_ns, status, content_id, reason)
        + row_checksum(path, size, mtime_ns, status, content_id, reason, stamp);
    """,
)
"""One script a format; a catalog of format n has run the first n of them."""

COLUMNS = {
    "contents": "id, sha256, height, width, taken, note, checksum",
    "images": "path, size, mtime_ns, status, content_id, reason, stamp, checksum",
    "instances": (
        "id, content_id, polygon, score, transcript, folded, confidence, vector, characters, ctc_posteriors,"
        " page, checksum"
    ),
    "state": "name, value, checksum",
    "rereads": "content_id, reason, checksum",
}
"""The columns of each table that its checksums cover, in their order, and the checksum last."""
