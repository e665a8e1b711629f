"""catalog.sqlite3, which holds everything a gallery knows: adding, removing and looking up records.

A rollback journal, not WAL: photographs lie on network shares and read-only disks, where WAL does not work.
A batch is one transaction. Ids are never used twice: a stale vector store may name an instance that is gone,
but never another one.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stsearch.errors import GalleryDamagedError
from stsearch.gallery.database import Database, Row
from stsearch.gallery.records import (
    Counts,
    DatedPhoto,
    Detail,
    Failed,
    Incomplete,
    InstanceTable,
    Linked,
    PhotoFile,
    Reading,
    Record,
    Spotted,
    array_faults,
    row_checksum,
)
from stsearch.gallery.schema import COLUMNS, MIGRATIONS
from stsearch.text.charset import normalize
from stsearch.types import Polygon

__all__ = ["Catalog", "Failed", "Linked", "PhotoFile", "Record", "Spotted"]


class Catalog:
    """Opens, and creates or migrates, the catalog at ``path``.

    Attributes:
        format: the number of migrations it has run.

    Raises:
        GalleryDamagedError: it is no catalog, is damaged, or is of a newer format (also from every method).
        GalleryLockedError: another process held it for too long (also from every method).
        WriteError: the disk is full or the file may not be written to (also from every method).
    """

    def __init__(self, path: Path, create: bool = False) -> None:
        self._database = Database(path, MIGRATIONS, COLUMNS, create)
        self.format = len(MIGRATIONS)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(self, records: Iterable[Record]) -> None:
        """Add one batch in one transaction; a record replaces the previous one of its path."""
        with self._database.transaction():
            for record in records:
                self._add_one(record)

    def record_at(self, path: str) -> Linked | Failed | None:
        """Return the record of the file at ``path``, None when it was never indexed."""
        for _, size, mtime_ns, _, content, reason in self._database.among(
            "images", "path", [os.fsencode(path)]
        ):
            file = PhotoFile(path, size, mtime_ns)
            if content is None:
                return Failed(file, reason)
            for _, sha256, *_ in self._database.among("contents", "id", [content]):
                return Linked(file, sha256)
            raise self._database.damaged(f"the content of {path!r} is missing")
        return None

    def paths(self) -> list[str]:
        """Return the path of every file, readable or not."""
        return [os.fsdecode(path) for path, *_ in sorted(self._database.all("images"))]

    def holds(self, sha256: str) -> bool:
        """Return whether a content with this checksum has been read."""
        return any(self._database.rows("SELECT 1 FROM contents WHERE sha256 = ?", (sha256,)))

    def photos(self) -> list[tuple[str, int]]:
        """Return the path and the content of every photograph that was read."""
        return [(photo.file.path, photo.content) for photo in self.dated_photos()]

    def dated_photos(self) -> list[DatedPhoto]:
        """Return every photograph that was read, by path."""
        with self._database.snapshot():
            taken = {row[0]: row[4] for row in self._database.all("contents")}
            rows = sorted(row for row in self._database.all("images") if row[4] is not None)
        return [
            DatedPhoto(PhotoFile(os.fsdecode(path), *stat), content, taken.get(content))
            for path, *stat, _, content, _ in rows
        ]

    def remove(self, paths: Iterable[str]) -> None:
        """Forget the files at ``paths``, and every content that no file has any more with its instances."""
        with self._database.transaction():
            encoded = ((os.fsencode(path),) for path in paths)
            self._database.execute_all("DELETE FROM images WHERE path = ?", encoded)
            self._database.execute(
                "DELETE FROM contents WHERE NOT EXISTS (SELECT 1 FROM images WHERE content_id = contents.id)"
            )

    def failures(self) -> list[Failed]:
        """Return the files that could not be read, by path."""
        rows = sorted(row for row in self._database.all("images") if row[3] == "failed")
        return [Failed(PhotoFile(os.fsdecode(path), *stat), reason) for path, *stat, _, _, reason in rows]

    def incomplete(self) -> list[Incomplete]:
        """Return the photographs of which only a part could be read, by path."""
        with self._database.snapshot():
            noted = [
                number for (number,) in self._database.rows("SELECT id FROM contents WHERE note NOT NULL")
            ]
            notes = {row[0]: row[5] for row in self._database.among("contents", "id", noted)}
            rows = sorted(self._database.among("images", "content_id", noted))
        return [
            Incomplete(PhotoFile(os.fsdecode(path), size, mtime_ns), notes[content])
            for path, size, mtime_ns, _, content, _ in rows
        ]

    def counts(self) -> Counts:
        """Return the numbers of photographs, failed files and instances."""
        [[photos, failed]] = self._database.rows(
            "SELECT count(*) FILTER (WHERE status = 'ok'), count(*) FILTER (WHERE status = 'failed')"
            " FROM images NOT INDEXED"
        )
        return Counts(photos, failed, self.words(), len(self.incomplete()))

    def words(self) -> int:
        """Return the number of instances, without reading them."""
        return self._database.total("instances")[0]

    def version(self) -> int:
        """Return a number that changes when another process has written to the catalog."""
        [[number]] = self._database.rows("PRAGMA data_version")
        return int(number)

    def paths_of(self, contents: Iterable[int]) -> dict[int, list[str]]:
        """Return the paths of each of ``contents``; a content that is gone has no entry."""
        wanted = list(contents)
        with self._database.snapshot():
            files: dict[int, int] = dict(
                self._database.rows_among("SELECT id, files FROM contents WHERE id IN ({})", wanted)
            )
            rows = sorted(self._database.among("images", "content_id", wanted))
        paths: dict[int, list[str]] = {content: [] for content in files}
        for path, *_, content, _ in rows:
            paths.setdefault(content, []).append(os.fsdecode(path))
        for content, names in paths.items():
            if len(names) != files.get(content):
                raise self._database.damaged(
                    f"content {content} has {len(names)} files, not {files.get(content)}"
                )
        return paths

    def details_of(self, ids: Iterable[int]) -> dict[int, Detail]:
        """Return the details of each of the instances ``ids``; a removed one has no entry."""
        return {
            row[0]: Detail(
                self._polygon(row[2]),
                row[3],
                tuple(byte / 255 for byte in row[8]),
                self._unpack(row[9]),
                row[10],
            )
            for row in self._database.among("instances", "id", ids)
        }

    def readings_of(self, contents: Iterable[int]) -> dict[int, list[Reading]]:
        """Return the readings of all instances of each of ``contents``, most confident first."""
        found: dict[int, list[Reading]] = {}
        for row in sorted(self._database.among("instances", "content_id", contents)):  # as they were added
            found.setdefault(row[1], []).append(Reading(self._polygon(row[2]), row[4], row[10]))
        return found

    def instance_ids(self, after: int = 0) -> NDArray[np.int64]:
        """Return the ids of all instances above ``after``, ascending."""
        with self._database.snapshot():
            ids = self._ids("SELECT id FROM instances WHERE id > {} ORDER BY id", [after])
            if after == 0 and len(ids) != self.words():
                raise self._database.damaged(f"it has {len(ids)} instances, not {self.words()}")
        return ids

    def ids_reading(self, words: Iterable[str]) -> NDArray[np.int64]:
        """Return the ids of the instances whose folded transcript is one of ``words``."""
        return self._ids("SELECT id FROM instances WHERE folded IN ({})", words)

    def instances(self, dim: int, ids: Iterable[int] | None = None) -> InstanceTable:
        """Return the instances ``ids``, or all; ids that are gone are left out.

        Args:
            dim: length of an embedding.
            ids: which instances.
        """
        rows = (
            self._database.all("instances") if ids is None else self._database.among("instances", "id", ids)
        )
        rows = sorted((row[0], row[1], row[4], row[6], row[7], row[10] or 0) for row in rows)
        instances, contents, transcripts, confidences, vectors, pages = (
            zip(*rows, strict=True) if rows else ((),) * 6
        )
        stored = self._array(b"".join(vectors), np.float16, (len(rows), dim)).astype(np.float32)
        lengths = np.linalg.norm(stored, axis=1, keepdims=True)  # rounding to float16 changed them a little
        return InstanceTable(
            np.asarray(instances, np.int64),
            np.asarray(contents, np.int64),
            tuple(transcripts),
            np.asarray(confidences, np.float32),
            stored / np.maximum(lengths, 1e-6),
            np.asarray(pages, np.int64),
        )

    def manifest_copy(self) -> str | None:
        """Return the text that ``set_manifest_copy`` stored last, None when there is none."""
        for body, checksum in self._database.rows("SELECT body, checksum FROM manifest_copy"):
            if row_checksum(body) != checksum:
                raise self._database.damaged("its copy of the manifest does not match its checksum")
            return str(body)
        return None

    def set_manifest_copy(self, body: str) -> None:
        """Store the part of the manifest that it can be remade from."""
        if body != self.manifest_copy():
            with self._database.transaction():
                self._database.execute("DELETE FROM manifest_copy")
                self._database.execute("INSERT INTO manifest_copy VALUES (?, ?)", (body, row_checksum(body)))

    def wipe(self) -> None:
        """Rewrite the file, so that no byte of a removed record is left in it."""
        self._database.execute("VACUUM")

    def damaged(self, what: str) -> GalleryDamagedError:
        """Return the error that names the file, the damage, and the remedy."""
        return self._database.damaged(what)

    def faults(self, dim: int | None) -> Iterator[str]:
        """Read the whole catalog, and yield a sentence for every damage.

        Args:
            dim: length of an embedding, None when it is not known.
        """
        try:
            with self._database.snapshot():
                yield from self._database.file_faults()
                for table in COLUMNS:
                    for row in self._database.examined(table):
                        yield from [row] if isinstance(row, str) else self._array_faults(table, row, dim)
                for (content,) in self._database.rows(
                    "SELECT id FROM contents WHERE files !="
                    " (SELECT count(*) FROM images WHERE content_id = contents.id)"
                ):
                    yield f"content {content} has a wrong number of files"
                self.manifest_copy()
        except GalleryDamagedError as error:
            yield str(error)

    def _array_faults(self, table: str, row: Row, dim: int | None) -> Iterator[str]:
        if table == "instances":
            number, _, polygon, _, transcript, _, _, vector, characters, posteriors, _ = row
            for fault in array_faults(polygon, transcript, vector, characters, posteriors, dim):
                yield f"instance {number}: {fault}"

    def _add_one(self, record: Record) -> None:
        content = reason = None
        match record:
            case Failed():
                reason = record.reason
            case Linked():
                content = self._content_id(record.sha256)
            case Spotted():  # a copy of it may have come first
                content = self._content_id(record.sha256) or self._add_content(record)
        file, status = record.file, "ok" if reason is None else "failed"
        row = (os.fsencode(file.path), file.size, file.mtime_ns, status, content, reason)
        self._database.execute(
            f"INSERT INTO images ({COLUMNS['images']}) VALUES (?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (path) DO UPDATE SET"
            " size = excluded.size, mtime_ns = excluded.mtime_ns, status = excluded.status,"
            " content_id = excluded.content_id, reason = excluded.reason, checksum = excluded.checksum",
            (*row, row_checksum(*row)),
        )

    def _content_id(self, sha256: str) -> int | None:
        ids = self._ids("SELECT id FROM contents WHERE sha256 IN ({})", [sha256])
        return int(ids[0]) if len(ids) else None

    def _ids(self, statement: str, values: Iterable[object]) -> NDArray[np.int64]:
        ids = [number for (number,) in self._database.rows_among(statement, values)]
        if not all(isinstance(number, int) for number in ids):
            raise self._database.damaged("an id is not a number")
        return np.asarray(ids, np.int64)

    def _add_content(self, photo: Spotted) -> int:
        content, first = self._database.next_id("contents"), self._database.next_id("instances")
        row = (content, photo.sha256, photo.height, photo.width, photo.taken, photo.note)
        self._database.insert("contents", [row])
        self._database.insert(
            "instances",
            [
                (
                    number,
                    content,
                    instance.polygon.astype(np.float32).tobytes(),
                    float(instance.score) + 0.0,  # SQLite keeps no sign of zero
                    instance.transcript,
                    normalize(instance.transcript),
                    float(instance.confidence) + 0.0,
                    instance.embedding.astype(np.float16).tobytes(),
                    bytes(round(255 * confidence) for confidence in instance.characters),
                    zlib.compress(instance.ctc_posteriors) if instance.ctc_posteriors else b"",
                    instance.page,
                )
                for number, instance in enumerate(photo.instances, start=first)
            ],
        )
        return content

    def _unpack(self, posteriors: bytes) -> bytes:
        try:
            return zlib.decompress(posteriors) if posteriors else b""
        except zlib.error as error:
            raise self._database.damaged("stored CTC posteriors cannot be unpacked") from error

    def _polygon(self, blob: bytes) -> Polygon:
        return self._array(blob, np.float32, (-1, 2)).astype(np.float32)

    def _array(
        self, blob: bytes, kind: type[np.floating[Any]], shape: tuple[int, int]
    ) -> NDArray[np.floating[Any]]:
        try:
            return np.frombuffer(blob, kind).reshape(shape)
        except ValueError as error:
            raise self._database.damaged("a stored array has another length") from error
