"""A gallery in PostgreSQL, open for indexing one folder, or for taking photographs out."""

from __future__ import annotations

import os
import platform
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from psycopg.types.json import Jsonb

from stsearch.batching import batched
from stsearch.gallery.folder_state import FolderState
from stsearch.gallery.paths import name_in
from stsearch.gallery.postgres.adding import add_batch, remove_files
from stsearch.gallery.postgres.database import Database, Session
from stsearch.gallery.postgres.reading import PostgresGallery
from stsearch.gallery.postgres.roots import Root, read_roots
from stsearch.gallery.postgres.tables import stored_model
from stsearch.gallery.postgres.worker import Worker
from stsearch.gallery.protocol import Notify
from stsearch.gallery.records import Failed, Linked, PhotoFile, Record
from stsearch.objects.url import Location
from stsearch.types import ModelInfo

_PATHS = 2000  # whose records are asked for together
_REMOVED = 1000  # files of a transaction
_TABLES = "contents, files, words, word_details, tasks"


class EditablePostgresGallery(PostgresGallery):
    """A gallery that photographs can be taken out of; a ``protocol.EditableGallery``."""

    def __init__(self, database: Database, root: Root | None, notify: Notify) -> None:
        super().__init__(database, root)
        self._notify = notify

    def forget(self, paths: Iterable[Location]) -> int:
        """Remove files and folders, and return how many files.

        No query finds them any more. Their bytes leave the files of the server when ``finish`` makes the
        tables anew, its log as it is recycled, and backups not at all.

        Raises:
            UsageError: one of ``paths`` is not in the gallery; then nothing is forgotten.
        """
        roots = read_roots(self._database)
        left = {str(file): file for path in paths for file in self.paths_below(path)}
        of_root: dict[int, list[str]] = {}
        for number, root in roots.items():
            names = {at: name_in(file, root) for at, file in left.items()}
            of_root[number] = sorted(filter(None, names.values()))
            left = {at: file for at, file in left.items() if not names[at]}
        self._database.run(partial(_remove, of_root=of_root))
        self._notify(
            "no search finds them any more; their bytes leave the files of the server with: stsearch rebuild"
            f" --index {shlex.quote(self.name)}"
        )
        return sum(map(len, of_root.values()))

    def finish(self, anew: bool = False) -> None:
        """Make the tables and their indexes anew, if that is wanted; else they are complete as they are."""
        if anew:
            self._database.run_alone(f"VACUUM (FULL, ANALYZE) {_TABLES}")


class WritablePostgresGallery(EditablePostgresGallery):
    """A gallery that this process, among others, brings up to date; a ``protocol.WritableGallery``."""

    def __init__(self, database: Database, root: Root, model: ModelInfo, notify: Notify) -> None:
        super().__init__(database, root, notify)
        self._folder = root
        self._weights = model
        self._worker = Worker(database, root, notify)
        self._opened: datetime = database.value("SELECT clock_timestamp()")

    def close(self) -> None:
        """Give up what is claimed, and close the connection."""
        try:
            self._worker.close()
        finally:
            super().close()

    @property
    def photos(self) -> Location:
        """The folder that is indexed."""
        return self._folder.path

    def note_engine(self, engine: str) -> None:
        """Keep what finds the words that are added."""
        self._write("UPDATE gallery SET engine = %s WHERE engine != %s", engine, engine)

    def note_run(self) -> None:
        """Note that a run has just brought the folder up to date, whether or not it had to."""
        self._write("UPDATE roots SET last_run = clock_timestamp() WHERE id = %s", self._folder.number)

    def paths(self) -> list[str]:
        """Return the path of every file that was known, or waited to be read, before this run began.

        One that another process has brought in since is not missing: it came after the walk of this one.
        """
        rows = self._database.rows(
            "SELECT path FROM files WHERE root = %s AND stored_at < %s"
            " UNION SELECT path FROM tasks WHERE root = %s AND registered_at < %s AND worker IS NULL"
            " ORDER BY path",
            *(self._folder.number, self._opened, self._folder.number, self._opened),
        )
        return [os.fsdecode(path) for (path,) in rows]

    def records(self, paths: Sequence[str]) -> Iterator[Linked | Failed | None]:
        """Yield the record of the file at each of ``paths``, None for one that was never indexed."""
        for some in batched(paths, _PATHS):
            rows = self._database.rows(
                "SELECT path, size, mtime_ns, stamp, sha256, reason FROM files"
                " LEFT JOIN contents ON id = content WHERE root = %s AND path = ANY(%s)",
                self._folder.number,
                [os.fsencode(path) for path in some],
            )
            found = {os.fsdecode(path): (*stat, sha256, reason) for path, *stat, sha256, reason in rows}
            for path in some:
                yield _record(path, *found[path]) if path in found else None

    def holds(self, sha256: str) -> bool:
        """Return whether a content with this checksum has been read."""
        return bool(self._database.value("SELECT EXISTS (SELECT FROM contents WHERE sha256 = %s)", sha256))

    def awaiting_reread(self, recognize: bool) -> set[str]:
        """Return the SHA-256 of the contents to be read again; without ``recognize`` not of those for it."""
        reasons = ["weights", "request", *(["recognizer"] if recognize else [])]
        rows = self._database.rows("SELECT sha256 FROM contents WHERE reread = ANY(%s)", reasons)
        return {sha256 for (sha256,) in rows}

    def share(
        self, files: Sequence[PhotoFile], finished: Callable[[int], None]
    ) -> Iterator[Iterator[PhotoFile]]:
        """Yield, in rounds, those of ``files`` that fall to this process."""
        return self._worker.share(files, finished)

    def add(self, batch: Iterable[Record]) -> None:
        """Add records of files, in one transaction; a record replaces the previous one of its path."""
        records = list(batch)
        self._database.run(
            lambda session: add_batch(session, self._folder.number, self._weights.sha256, records)
        )

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files by their relative paths, and all contents without a file."""
        for some in batched(paths, _REMOVED):
            self._database.run(partial(remove_files, root=self._folder.number, paths=some))

    def set_folder_state(self, state: FolderState) -> None:
        """Store what the run saw of the folder; how much is left to do the tasks say."""
        self._write(
            "UPDATE roots SET passed_over = %s WHERE id = %s", Jsonb(state.passed_over), self._folder.number
        )
        self._write(
            "INSERT INTO devices (root, host, numbers) VALUES (%s, %s, %s)"
            " ON CONFLICT (root, host) DO UPDATE SET numbers = excluded.numbers",
            *(self._folder.number, platform.node(), Jsonb(state.devices)),
        )

    def _write(self, statement: str, *values: object) -> None:
        self._database.run(lambda session: session.execute(statement.encode(), values))


def begin_reread(session: Session, model: ModelInfo) -> None:
    """Let every photograph wait for being read by ``model``, if other weights read it or none does yet.

    Embeddings of other weights are removed: they do not compare, and may have another length.
    """
    [(sha256,)] = session.execute("SELECT model_sha256 FROM gallery FOR UPDATE").fetchall()
    if sha256 == model.sha256:
        waiting = "SELECT EXISTS (SELECT FROM contents WHERE reread IN ('weights', 'request'))"
        if session.execute(waiting).fetchone() == (False,):
            session.execute("UPDATE contents SET reread = 'request'")
        return
    session.execute("DROP INDEX IF EXISTS words_vector")
    session.execute(f"ALTER TABLE words ALTER COLUMN vector TYPE halfvec({model.dim}) USING NULL")
    session.execute("CREATE INDEX words_vector ON words USING hnsw (vector halfvec_ip_ops)")
    session.execute("UPDATE contents SET reread = 'weights'")
    session.execute("UPDATE gallery SET model = %s, model_sha256 = %s", [stored_model(model), model.sha256])


def _remove(session: Session, of_root: Mapping[int, Sequence[str]]) -> None:
    for root, paths in of_root.items():
        remove_files(session, root, paths)


def _record(
    path: str, size: int, mtime_ns: int, stamp: str | None, sha256: str | None, reason: str | None
) -> Linked | Failed:
    file = PhotoFile(path, size, mtime_ns, stamp)
    return Failed(file, reason or "") if sha256 is None else Linked(file, sha256)
