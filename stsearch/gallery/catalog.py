"""catalog.sqlite3, which holds everything a gallery knows: adding, removing and looking up records.

A rollback journal, not WAL: photographs lie on network shares and read-only disks, where WAL does not work.
A batch is one transaction. Ids are never used twice: a stale vector store may name an instance that is gone,
but never another one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stsearch.errors import GalleryDamagedError
from stsearch.gallery.adding import add_record
from stsearch.gallery.database import Database, Row
from stsearch.gallery.manifest import Manifest
from stsearch.gallery.packing import unpack_characters, unpack_posteriors
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
    is_inside,
    read_confidences,
    read_moment,
    read_outline,
    read_outlines,
    read_vectors,
    row_checksum,
    row_faults,
)
from stsearch.gallery.rereads import Reason, Rereads
from stsearch.gallery.schema import COLUMNS, MIGRATIONS
from stsearch.gallery.state import GalleryState
from stsearch.types import TextInstance

__all__ = ["Catalog", "Failed", "Linked", "PhotoFile", "Record", "Spotted"]


class Catalog:
    """Opens, and creates or migrates, the catalog at ``path``.

    Attributes:
        format: the number of migrations it has run.
        rereads: the contents that are to be read again.
        state: what is true of the whole gallery.

    Raises:
        GalleryDamagedError: it is no catalog, is damaged, or is of a newer format (also from every method).
        GalleryLockedError: another process held it for too long (also from every method).
        WriteError: the disk is full or the file may not be written to (also from every method).
    """

    def __init__(self, path: Path, create: bool = False, reads_only: bool = False) -> None:
        self._database = Database(path, MIGRATIONS, COLUMNS, create, reads_only)
        self.format = len(MIGRATIONS)
        self.rereads = Rereads(self._database)
        self.state = GalleryState(self._database)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def add(self, records: Iterable[Record]) -> None:
        """Add one batch in one transaction; a record replaces the previous one of its path."""
        with self._database.transaction():
            for record in records:
                add_record(self._database, self.rereads, record)

    def record_at(self, path: str) -> Linked | Failed | None:
        """Return the record of the file at ``path``, None when it was never indexed."""
        for _, size, mtime_ns, _, content, reason, stamp in self._database.among(
            "images", "path", [os.fsencode(path)]
        ):
            file = PhotoFile(path, size, mtime_ns, stamp)
            if content is None:
                return Failed(file, reason)
            for _, sha256, *_ in self._database.among("contents", "id", [content]):
                return Linked(file, sha256)
            raise self._database.damaged(f"the content of {path!r} is missing")
        return None

    def paths(self) -> list[str]:
        """Return the path of every file, readable or not."""
        return [self._path(path) for path, *_ in sorted(self._database.all("images"))]

    def contents_with(self, sha256: str) -> list[tuple[int, int, int]]:
        """Return id, height and width of the content with this checksum: of one, or of none."""
        return [(row[0], row[2], row[3]) for row in self._database.among("contents", "sha256", [sha256])]

    def checksums_of(self, paths: Iterable[str]) -> dict[str, str]:
        """Return the checksum of the content of each of the files at ``paths`` that was read."""

        def read() -> tuple[list[Row], list[Row]]:
            files = self._database.among("images", "path", map(os.fsencode, paths))
            return files, self._database.among("contents", "id", {row[4] for row in files} - {None})

        files, contents = self._database.consistently(read)
        checksums = {row[0]: row[1] for row in contents}
        return {self._path(row[0]): checksums[row[4]] for row in files if row[4] in checksums}

    def holds(self, sha256: str) -> bool:
        """Return whether a content with this checksum has been read."""
        return any(self._database.rows("SELECT 1 FROM contents WHERE sha256 = ?", (sha256,)))

    def photos(self) -> list[tuple[str, int]]:
        """Return the path and the content of every photograph that was read."""
        return [(photo.file.path, photo.content) for photo in self.dated_photos()]

    def dated_photos(self) -> list[DatedPhoto]:
        """Return every photograph that was read, by path."""
        contents, images = self._database.consistently(
            lambda: (self._database.all("contents"), self._database.all("images"))
        )
        taken = {row[0]: row[4] and self._database.checked(read_moment, row[4]) for row in contents}
        return [
            DatedPhoto(PhotoFile(self._path(path), size, mtime_ns, stamp), content, taken.get(content))
            for path, size, mtime_ns, _, content, _, stamp in sorted(images)
            if content is not None
        ]

    def remove(self, paths: Iterable[str], forget: bool = False) -> None:
        """Remove the files at ``paths``, and every content that no file has any more with its instances.

        Args:
            paths: as ``paths`` returned them.
            forget: remember that no byte of them may stay, until ``state.end_forgetting``.
        """
        with self._database.transaction():
            encoded = ((os.fsencode(path),) for path in paths)
            self._database.execute_all("DELETE FROM images WHERE path = ?", encoded)
            self._database.execute(
                "DELETE FROM contents WHERE NOT EXISTS (SELECT 1 FROM images WHERE content_id = contents.id)"
            )
            if forget:
                self.state.begin_forgetting()

    def failures(self) -> list[Failed]:
        """Return the files that could not be read, by path."""
        rows = sorted(row for row in self._database.all("images") if row[3] == "failed")
        return [
            Failed(PhotoFile(self._path(path), size, mtime_ns, stamp), reason)
            for path, size, mtime_ns, _, _, reason, stamp in rows
        ]

    def incomplete(self) -> list[Incomplete]:
        """Return the photographs of which only a part could be read, by path."""

        def read() -> tuple[list[Row], list[Row]]:
            noted = [row[0] for row in self._database.rows("SELECT id FROM contents WHERE note NOT NULL")]
            among = self._database.among
            return among("contents", "id", noted), among("images", "content_id", noted)

        contents, images = self._database.consistently(read)
        notes = {row[0]: row[5] for row in contents}
        return [
            Incomplete(PhotoFile(self._path(path), size, mtime_ns, stamp), notes[content])
            for path, size, mtime_ns, _, content, _, stamp in sorted(images)
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

    def version(self) -> object:
        """Return what changes when another process has written to the catalog."""
        return self._database.version()

    def paths_of(self, contents: Iterable[int]) -> dict[int, list[str]]:
        """Return the paths of each of ``contents``; a content that is gone has no entry."""
        wanted = list(contents)

        def read() -> dict[int, list[str]]:
            files: dict[int, int] = dict(
                self._database.rows_among("SELECT id, files FROM contents WHERE id IN ({})", wanted)
            )
            paths: dict[int, list[str]] = {content: [] for content in files}
            for path, *_, content, _, _ in sorted(self._database.among("images", "content_id", wanted)):
                paths.setdefault(content, []).append(self._path(path))
            for content, names in paths.items():
                if len(names) != files.get(content):
                    raise self.damaged(f"content {content} has {len(names)} files, not {files.get(content)}")
            return paths

        return self._database.consistently(read)

    def details_of(self, ids: Iterable[int]) -> dict[int, Detail]:
        """Return the details of each of the instances ``ids``; a removed one has no entry."""
        rows = self._database.among("instances", "id", ids)
        outlines = self._database.checked(read_outlines, [row[2] for row in rows])
        return {
            row[0]: Detail(
                outline,
                row[3],
                unpack_characters(row[8]),
                self._database.checked(unpack_posteriors, row[9]),
                row[10],
            )
            for row, outline in zip(rows, outlines, strict=True)
        }

    def readings_of(self, contents: Iterable[int]) -> dict[int, list[Reading]]:
        """Return the readings of all instances of each of ``contents``, most confident first."""
        found: dict[int, list[Reading]] = {}
        for row in sorted(self._database.among("instances", "content_id", contents)):  # as they were added
            outline = self._database.checked(read_outline, row[2])
            found.setdefault(row[1], []).append(Reading(outline, row[4], row[10]))
        return found

    def text_instances_of(self, contents: Iterable[int]) -> dict[int, list[TextInstance]]:
        """Return all instances of each of ``contents`` without their CTC posteriors, as they were added.

        A content without instances has no entry.
        """
        found: dict[int, list[TextInstance]] = {}
        for row in sorted(self._database.among("instances", "content_id", contents)):
            _, content, polygon, score, transcript, _, confidence, vector, characters, _, page = row
            [embedding] = self._database.checked(partial(read_vectors, dim=len(vector) // 2), [vector])
            found.setdefault(content, []).append(
                TextInstance(
                    self._database.checked(read_outline, polygon),
                    score,
                    transcript,
                    confidence,
                    embedding,
                    unpack_characters(characters),
                    page=page,
                )
            )
        return found

    def instance_ids(self, after: int = 0) -> NDArray[np.int64]:
        """Return the ids of all instances above ``after``, ascending."""

        def read() -> NDArray[np.int64]:
            ids = self._ids("SELECT id FROM instances WHERE id > {} ORDER BY id", [after])
            if after == 0 and len(ids) != self.words():
                raise self.damaged(f"it has {len(ids)} instances, not {self.words()}")
            return ids

        return self._database.consistently(read)

    def ids_reading(self, words: Iterable[str]) -> NDArray[np.int64]:
        """Return the ids of the instances whose folded transcript is one of ``words``."""
        return self._ids("SELECT id FROM instances WHERE folded IN ({})", words)

    def contents_reading(self, words: Iterable[str]) -> dict[str, list[int]]:
        """Return, for each of ``words`` that is a folded transcript, the contents with such an instance."""
        found: dict[str, list[int]] = {}
        statement = "SELECT DISTINCT folded, content_id FROM instances WHERE folded IN ({})"
        for folded, content in self._database.rows_among(statement, words):
            found.setdefault(folded, []).append(content)
        return found

    def ids_in(self, contents: Iterable[int]) -> NDArray[np.int64]:
        """Return the ids of the instances of ``contents``."""
        return self._ids("SELECT id FROM instances WHERE content_id IN ({})", contents)

    def transcripts_with(self, word: str) -> dict[int, str]:
        """Return the transcripts that hold ``word``, folded, and more, by the ids of their instances."""
        statement = "SELECT id, transcript FROM instances WHERE instr(folded, ?) AND folded != ?"
        return dict(self._database.rows(statement, (word, word)))

    def instances(self, dim: int, ids: Iterable[int] | None = None) -> InstanceTable:
        """Return the instances ``ids``, or all; ids that are gone are left out.

        Embeddings of other weights, whose photographs wait for being read again, are zeros.

        Args:
            dim: length of an embedding.
            ids: which instances.
        """

        def read() -> tuple[list[Row], set[int]]:
            database = self._database
            rows = database.all("instances") if ids is None else database.among("instances", "id", ids)
            return rows, self.rereads.contents("weights")

        rows, foreign = self._database.consistently(read)
        rows = sorted((row[0], row[1], row[4], row[6], row[7], row[10] or 0) for row in rows)
        instances, contents, transcripts, confidences, vectors, pages = (
            zip(*rows, strict=True) if rows else ((),) * 6
        )
        comparable = None
        if foreign:
            comparable = np.array([content not in foreign for content in contents], bool)
            ours = zip(vectors, comparable, strict=True)
            vectors = tuple(vector if is_ours else bytes(2 * dim) for vector, is_ours in ours)
        return InstanceTable(
            np.asarray(instances, np.int64),
            np.asarray(contents, np.int64),
            tuple(transcripts),
            self._database.checked(partial(read_confidences, transcripts=transcripts), confidences),
            self._database.checked(partial(read_vectors, dim=dim), vectors),
            np.asarray(pages, np.int64),
            comparable,
        )

    def manifest_copy(self) -> Manifest | None:
        """Return the part of the manifest that was stored last, None when there is none."""
        for body, checksum in self._database.rows("SELECT body, checksum FROM manifest_copy"):
            if row_checksum(body) != checksum:
                raise self._database.damaged("its copy of the manifest does not match its checksum")
            return self._database.checked(Manifest.from_copy, str(body))
        return None

    def set_manifest_copy(self, manifest: Manifest) -> None:
        """Store the part of ``manifest`` that it can be remade from, and remember what it replaces."""
        with self._database.transaction():
            self._replace_manifest_copy(manifest)

    def begin_reread(self, manifest: Manifest, reason: Reason) -> None:
        """Let every content wait for being read again, by the weights of ``manifest``."""
        with self._database.transaction():
            self.rereads.add_all(reason)
            self._replace_manifest_copy(manifest)

    def _replace_manifest_copy(self, manifest: Manifest) -> None:
        before, body = self.manifest_copy(), manifest.copy_for_catalog()
        if before is not None and not before.is_of(manifest):
            self.state.set_former_manifest(before)
        self._database.execute("DELETE FROM manifest_copy")
        self._database.execute("INSERT INTO manifest_copy VALUES (?, ?)", (body, row_checksum(body)))

    def wipe(self) -> None:
        """Rewrite the file, so that no byte of a removed record is left in it."""
        self._database.execute("VACUUM")

    def reindex(self) -> None:
        """Remake everything that is looked up by from the tables themselves."""
        self._database.execute("REINDEX")

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
                yield from self._database.faults()
                for table in COLUMNS:
                    foreign = self.rereads.contents("weights") if table == "instances" else set()
                    for row in self._database.examined(table):
                        if isinstance(row, str):
                            yield row
                        else:
                            is_foreign = table == "instances" and row[1] in foreign
                            yield from row_faults(table, row, None if is_foreign else dim)
                for (content,) in self._database.rows(
                    "SELECT id FROM contents WHERE files !="
                    " (SELECT count(*) FROM images WHERE content_id = contents.id)"
                ):
                    yield f"content {content} has a wrong number of files"
                self.manifest_copy()
                self.state.folder()
                self.state.former_manifest()
        except GalleryDamagedError as error:
            yield str(error)

    def _ids(self, statement: str, values: Iterable[object]) -> NDArray[np.int64]:
        ids = [number for (number,) in self._database.rows_among(statement, values)]
        if not all(isinstance(number, int) for number in ids):
            raise self._database.damaged("an id is not a number")
        return np.asarray(ids, np.int64)

    def _path(self, stored: bytes) -> str:
        """Return the path of a file, which lies in the folder of photographs and nowhere else."""
        path = os.fsdecode(stored)
        if not is_inside(path):
            raise self.damaged(f"the path {path!r} leads out of the folder of photographs")
        return path
