"""catalog.sqlite3, the truth of a gallery: every SQL statement of the project, and nothing else.

A rollback journal, not WAL: photographs lie on network shares and read-only disks, where WAL does not work.
A batch is one transaction. Ids are never used twice: a stale vector store may name an instance that is gone,
but never another one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stsearch.charset import normalize
from stsearch.errors import GalleryDamagedError, GalleryLockedError, StsearchError, WriteError
from stsearch.types import Polygon, TextInstance

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
)
"""One script a format; a catalog of format n has run the first n of them."""

_CHUNK = 500  # values in one IN (...); SQLite allows at least 999


@dataclass(frozen=True, slots=True)
class PhotoFile:
    """A file as the file system shows it.

    Attributes:
        path: relative to the folder of photographs; undecodable bytes as surrogates (``os.fsdecode``).
        size: in bytes.
        mtime_ns: when it was last changed.
    """

    path: str
    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True, eq=False)
class Spotted:
    """A photograph that was read: its content is new to the gallery."""

    file: PhotoFile
    sha256: str
    height: int  # as displayed
    width: int
    instances: Sequence[TextInstance]


@dataclass(frozen=True, slots=True)
class Linked:
    """A file whose content the gallery already holds under another name: moved, copied or merely touched."""

    file: PhotoFile
    sha256: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A file that could not be read."""

    file: PhotoFile
    reason: str


Record = Spotted | Linked | Failed


@dataclass(frozen=True, slots=True, eq=False)
class InstanceTable:
    """Text instances as columns, which is how they are scored.

    Attributes:
        ids: (N,) int64, ascending.
        contents: (N,) int64; instances of one photograph share it.
        transcripts: N strings, as read.
        confidences: (N,) float32 in [0, 1].
        embeddings: (N, D) float32, unit rows.
    """

    ids: NDArray[np.int64]
    contents: NDArray[np.int64]
    transcripts: tuple[str, ...]
    confidences: NDArray[np.float32]
    embeddings: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Detail:
    """What a hit shows of an instance and no score needs."""

    polygon: Polygon  # (P, 2) float32
    characters: tuple[float, ...]  # confidence of each character of the transcript; empty: not known


@dataclass(frozen=True, slots=True)
class Counts:
    """How much a catalog holds: photographs that were read, files that could not be, and words."""

    photos: int
    failed: int
    words: int


class Catalog:
    """Opens, and creates or migrates, the catalog at ``path``.

    Raises:
        GalleryDamagedError: it is no catalog, is damaged, or is of a newer format (also from every method).
        GalleryLockedError: another process held it for too long (also from every method).
        WriteError: the disk is full or the file may not be written to (also from every method).
    """

    def __init__(self, path: Path, create: bool = False) -> None:
        self._path = path
        with self._named_errors():
            if create:
                path.touch(mode=0o600)
            place = f"{path.absolute().as_uri()}?mode=rw"
            self._database = sqlite3.connect(place, uri=True, timeout=10, isolation_level=None)
            self._database.execute("PRAGMA foreign_keys = ON")
            self._migrate(create)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(self, records: Iterable[Record]) -> None:
        """Add one batch in one transaction; a record replaces what was known of its path."""
        with self._transaction():
            for record in records:
                self._add_one(record)

    def record_at(self, path: str) -> Linked | Failed | None:
        """Return what is known of the file at ``path``, None when it was never indexed."""
        rows = self._rows(
            "SELECT size, mtime_ns, sha256, reason FROM images LEFT JOIN contents ON contents.id = content_id"
            " WHERE path = ?",
            (os.fsencode(path),),
        )
        for size, mtime_ns, sha256, reason in rows:
            file = PhotoFile(path, size, mtime_ns)
            return Linked(file, sha256) if reason is None else Failed(file, reason)
        return None

    def paths(self) -> list[str]:
        """Return the path of every file, readable or not."""
        return [os.fsdecode(path) for (path,) in self._rows("SELECT path FROM images ORDER BY path")]

    def holds(self, sha256: str) -> bool:
        """Return whether a content with this checksum has been read."""
        return any(self._rows("SELECT 1 FROM contents WHERE sha256 = ?", (sha256,)))

    def photos(self) -> list[tuple[str, int]]:
        """Return the path and the content of every photograph that was read."""
        rows = self._rows("SELECT path, content_id FROM images WHERE status = 'ok' ORDER BY path")
        return [(os.fsdecode(path), content) for path, content in rows]

    def remove(self, paths: Iterable[str]) -> None:
        """Forget the files at ``paths``, and every content that no file has any more with its instances."""
        with self._transaction():
            encoded = ((os.fsencode(path),) for path in paths)
            self._database.executemany("DELETE FROM images WHERE path = ?", encoded)
            self._database.execute(
                "DELETE FROM contents WHERE NOT EXISTS (SELECT 1 FROM images WHERE content_id = contents.id)"
            )

    def failures(self) -> list[Failed]:
        """Return the files that could not be read, by path."""
        rows = self._rows(
            "SELECT path, size, mtime_ns, reason FROM images WHERE status = 'failed' ORDER BY path"
        )
        return [Failed(PhotoFile(os.fsdecode(path), *stat), reason) for path, *stat, reason in rows]

    def counts(self) -> Counts:
        """Return how much the catalog holds."""
        (row,) = self._rows(
            "SELECT (SELECT count(*) FROM images WHERE status = 'ok'),"
            " (SELECT count(*) FROM images WHERE status = 'failed'), (SELECT count(*) FROM instances)"
        )
        return Counts(*row)

    def paths_of(self, contents: Iterable[int]) -> dict[int, list[str]]:
        """Return the paths of each of ``contents``; a content that is gone has no entry."""
        paths: dict[int, list[str]] = {}
        for path, content in self._rows_among(
            "SELECT path, content_id FROM images WHERE content_id IN ({}) ORDER BY path", contents
        ):
            paths.setdefault(content, []).append(os.fsdecode(path))
        return paths

    def details_of(self, ids: Iterable[int]) -> dict[int, Detail]:
        """Return the outline and spelling of each of the instances ``ids``; one that is gone has no entry."""
        rows = self._rows_among("SELECT id, polygon, characters FROM instances WHERE id IN ({})", ids)
        return {
            instance: Detail(
                self._array(polygon, np.float32, (-1, 2)).astype(np.float32),
                tuple(byte / 255 for byte in characters),
            )
            for instance, polygon, characters in rows
        }

    def instance_ids(self, after: int = 0) -> NDArray[np.int64]:
        """Return the ids of all instances above ``after``, ascending."""
        rows = self._rows("SELECT id FROM instances WHERE id > ? ORDER BY id", (after,))
        return np.fromiter((row[0] for row in rows), np.int64)

    def ids_reading(self, words: Iterable[str]) -> NDArray[np.int64]:
        """Return the ids of the instances whose folded transcript is one of ``words``."""
        rows = self._rows_among("SELECT id FROM instances WHERE folded IN ({})", words)
        return np.fromiter((row[0] for row in rows), np.int64)

    def instances(self, dim: int, ids: Iterable[int] | None = None) -> InstanceTable:
        """Return the instances ``ids``, or all; ids that are gone are left out.

        Args:
            dim: length of an embedding.
            ids: which instances.
        """
        columns = "SELECT id, content_id, transcript, confidence, vector FROM instances"
        if ids is None:
            rows = list(self._rows(f"{columns} ORDER BY id"))
        else:
            rows = sorted(self._rows_among(f"{columns} WHERE id IN ({{}})", ids))
        instances, contents, transcripts, confidences, vectors = (
            zip(*rows, strict=True) if rows else ((),) * 5
        )
        stored = self._array(b"".join(vectors), np.float16, (len(rows), dim)).astype(np.float32)
        lengths = np.linalg.norm(stored, axis=1, keepdims=True)  # rounding to float16 changed them a little
        return InstanceTable(
            np.asarray(instances, np.int64),
            np.asarray(contents, np.int64),
            tuple(transcripts),
            np.asarray(confidences, np.float32),
            stored / np.maximum(lengths, 1e-6),
        )

    def _migrate(self, create: bool) -> None:
        ((format_number,),) = self._database.execute("PRAGMA user_version")
        if format_number == 0 and not create:
            raise sqlite3.DatabaseError("it is empty")
        if format_number > len(MIGRATIONS):
            raise GalleryDamagedError(
                f"{self._path} has format {format_number}, this version reads up to {len(MIGRATIONS)}:"
                " upgrade stsearch"
            )
        for number, script in enumerate(MIGRATIONS[format_number:], start=format_number + 1):
            try:
                self._database.executescript(
                    f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT"
                )
            except sqlite3.Error:
                self._database.rollback()
                raise

    def _add_one(self, record: Record) -> None:
        content = reason = None
        match record:
            case Failed():
                reason = record.reason
            case Linked():
                content = self._content_id(record.sha256)
            case Spotted():  # a copy of it may have come first
                content = self._content_id(record.sha256) or self._add_content(record)
        file = record.file
        self._database.execute(
            "INSERT OR REPLACE INTO images (path, size, mtime_ns, status, content_id, reason)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (os.fsencode(file.path), file.size, file.mtime_ns, "failed" if reason else "ok", content, reason),
        )

    def _content_id(self, sha256: str) -> int | None:
        row: tuple[int] | None = self._database.execute(
            "SELECT id FROM contents WHERE sha256 = ?", (sha256,)
        ).fetchone()
        return row[0] if row else None

    def _add_content(self, photo: Spotted) -> int | None:
        content = self._database.execute(
            "INSERT INTO contents (sha256, height, width) VALUES (?, ?, ?)",
            (photo.sha256, photo.height, photo.width),
        ).lastrowid
        self._database.executemany(
            "INSERT INTO instances"
            " (content_id, polygon, score, transcript, folded, confidence, vector, characters)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    content,
                    instance.polygon.astype(np.float32).tobytes(),
                    float(instance.score),
                    instance.transcript,
                    normalize(instance.transcript),
                    float(instance.confidence),
                    instance.embedding.astype(np.float16).tobytes(),
                    bytes(round(255 * confidence) for confidence in instance.characters),
                )
                for instance in photo.instances
            ],
        )
        return content

    def _array(
        self, blob: bytes, kind: type[np.floating[Any]], shape: tuple[int, int]
    ) -> NDArray[np.floating[Any]]:
        try:
            return np.frombuffer(blob, kind).reshape(shape)
        except ValueError as error:
            raise GalleryDamagedError(
                f"{self._path} is damaged: a stored array has another length"
            ) from error

    def _rows(self, statement: str, values: Sequence[object] = ()) -> Iterator[tuple[Any, ...]]:
        with self._named_errors():
            yield from self._database.execute(statement, values)

    def _rows_among(self, statement: str, values: Iterable[object]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of ``statement``, whose ``{}`` stands for a list of any length."""
        wanted = [value.item() if isinstance(value, np.generic) else value for value in values]
        for start in range(0, len(wanted), _CHUNK):
            part = wanted[start : start + _CHUNK]
            yield from self._rows(statement.format(",".join("?" * len(part))), part)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._named_errors():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._database.execute("COMMIT")
            except BaseException:  # Ctrl-C too leaves no half a batch
                self._database.rollback()
                raise

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Turn what SQLite raises into the error a user can act on."""
        try:
            yield
        except sqlite3.Error as error:
            raise _translate(error, self._path) from error
        except OSError as error:
            raise WriteError(f"cannot write {self._path}: {error.strerror or error}") from error


def _translate(error: sqlite3.Error, path: Path) -> StsearchError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return GalleryLockedError(f"{path} is being written to by another process; try again when it is done")
    if code in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PERM,
    ):
        return WriteError(f"cannot write {path}: {error}")
    return GalleryDamagedError(f"{path} is damaged ({error}); delete {path.parent} and index again")
