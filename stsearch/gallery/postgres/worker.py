"""One process among those that index into a gallery: its lease, and the files it claims.

A process that lives renews its lease from a thread. Once a lease has run out, or its process has ended, the
files that it claimed are free again.
"""

from __future__ import annotations

import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial

from stsearch.batching import batched
from stsearch.errors import StsearchError
from stsearch.gallery.postgres.database import Database, Session
from stsearch.gallery.postgres.roots import Root
from stsearch.gallery.protocol import Notify
from stsearch.gallery.records import PhotoFile
from stsearch.text.counted import counted

LEASE_S = 60.0
"""After so long without a sign of life the files of a process are given to others."""

_RENEWALS = 4  # of a lease before it ends: a few may be lost with a connection

CLAIM = 16
"""Files that are claimed at a time; those of a process that is killed are read again."""

_LOOKED_AT = 512  # files whose tasks are looked up together
_PAUSE_S = 1.0  # between two looks at what others are at
_REGISTERED = 5000  # files of a statement


class Worker:
    """This process, for as long as it indexes one folder.

    Args:
        database: of the gallery, open for writing.
        root: the folder.
        notify: takes a sentence while others are waited for.
    """

    def __init__(self, database: Database, root: Root, notify: Notify) -> None:
        self._database = database
        self._root = root
        self._notify = notify
        self._id = uuid.uuid4()
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def close(self) -> None:
        """Give up what is claimed and not done; others may have it at once."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._is_over.set()
        thread.join(_PAUSE_S)
        with suppress(StsearchError):  # else the lease runs out
            self._execute("DELETE FROM workers WHERE id = %s", self._id)

    def share(
        self, files: Sequence[PhotoFile], finished: Callable[[int], None]
    ) -> Iterator[Iterator[PhotoFile]]:
        """Yield, in rounds, those of ``files`` that fall to this process, until all are in the gallery.

        A round ends when others have claimed whatever is left; the next begins when they have left some. Each
        must be brought into the gallery before the next is asked for.
        """
        if not files:
            return
        self._register(files)
        self._begin()
        waiting = {os.fsencode(file.path): file for file in files}
        while waiting:
            yield self._claim_all(waiting, finished)
            self._give_up()
            self._wait_for_free(waiting, finished)

    def _claim_all(
        self, waiting: dict[bytes, PhotoFile], finished: Callable[[int], None]
    ) -> Iterator[PhotoFile]:
        """Yield the files that can be claimed, some at a time, from a place that others do not begin at."""
        chunks = list(batched(sorted(waiting), _LOOKED_AT))
        start = self._id.int % len(chunks)
        for paths in [*chunks[start:], *chunks[:start]]:
            self._strike_off(paths, waiting, finished)
            while claimed := self._database.run(partial(self._claim, paths=paths)):
                yield from [waiting.pop(path) for path in claimed]

    def _claim(self, session: Session, paths: Sequence[bytes]) -> list[bytes]:
        rows = session.execute(
            "UPDATE tasks SET worker = %s WHERE (root, path) IN (SELECT root, path FROM tasks"
            " WHERE root = %s AND path = ANY(%s) AND worker IS NULL ORDER BY path LIMIT %s"
            " FOR UPDATE SKIP LOCKED) RETURNING path",
            [self._id, self._root.number, list(paths), CLAIM],
        )
        return sorted(path for (path,) in rows)

    def _give_up(self) -> None:
        """Strike off what this process claimed and did not bring in: read again, it failed again."""
        self._execute("DELETE FROM tasks WHERE worker = %s", self._id)

    def _wait_for_free(self, waiting: dict[bytes, PhotoFile], finished: Callable[[int], None]) -> None:
        """Wait until some of ``waiting`` are free again, or all are in the gallery."""
        has_told = False
        while waiting:
            self._free_expired()
            are_free = [
                self._strike_off(paths, waiting, finished)
                for paths in list(batched(sorted(waiting), _LOOKED_AT))
            ]
            if any(are_free):
                return
            if waiting and not has_told:
                files = counted(len(waiting), "file")
                self._notify(f"waiting for {files} that other processes are reading …")
                has_told = True
            time.sleep(_PAUSE_S if waiting else 0)

    def _strike_off(
        self, paths: Sequence[bytes], waiting: dict[bytes, PhotoFile], finished: Callable[[int], None]
    ) -> bool:
        """Strike those of ``paths`` off that are in the gallery by now; return whether another is free."""
        rows = self._database.rows(
            "SELECT path, worker IS NULL FROM tasks WHERE root = %s AND path = ANY(%s)",
            self._root.number,
            list(paths),
        )
        left: dict[bytes, bool] = dict(rows)
        done = [path for path in paths if path not in left and path in waiting]
        for path in done:
            del waiting[path]
        if done:
            finished(len(done))
        return any(left.values())

    def _register(self, files: Sequence[PhotoFile]) -> None:
        """Enter ``files`` as tasks, but those that another process has brought in meanwhile."""
        for some in batched(files, _REGISTERED):
            self._database.run(partial(self._register_some, files=some))

    def _register_some(self, session: Session, files: Sequence[PhotoFile]) -> None:
        ordered = sorted(
            (os.fsencode(file.path), file.size, file.mtime_ns, file.stamp or "") for file in files
        )
        found = zip(*ordered, strict=True)
        session.execute(
            "INSERT INTO tasks (root, path) SELECT %s, path"
            " FROM unnest(%s::bytea[], %s::bigint[], %s::bigint[], %s::text[])"
            " AS found (path, size, mtime_ns, stamp)"
            " WHERE NOT EXISTS (SELECT FROM files LEFT JOIN contents ON contents.id = files.content"
            " WHERE files.root = %s AND files.path = found.path AND files.size = found.size"
            " AND (files.mtime_ns, coalesce(files.stamp, '')) = (found.mtime_ns, found.stamp)"
            " AND contents.reread IS NULL)"
            " ORDER BY path ON CONFLICT DO NOTHING",
            [self._root.number, *map(list, found), self._root.number],
        )

    def _begin(self) -> None:
        """Take the lease, and renew it until the end."""
        self._database.run(self._renew)
        self._free_expired()
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep_alive, daemon=True)
            self._thread.start()

    def _keep_alive(self) -> None:
        """Renew the lease over a connection of its own: the other one may be at work for long."""
        database: Database | None = None
        while not self._is_over.wait(LEASE_S / _RENEWALS):
            try:
                database = database or Database(self._database.url, writes=True)
                database.run(self._renew)
            except StsearchError:  # the run itself will notice, or have its connection again
                database = None
        if database:
            database.close()

    def _renew(self, session: Session) -> None:
        session.execute(
            "INSERT INTO workers (id, host, lease_until) VALUES (%s, %s, now() + make_interval(secs => %s))"
            " ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until",
            [self._id, platform.node(), LEASE_S],
        )

    def _free_expired(self) -> None:
        """Free the files of the processes whose lease has run out."""
        self._execute(
            "DELETE FROM workers WHERE id IN"
            " (SELECT id FROM workers WHERE lease_until < now() FOR UPDATE SKIP LOCKED)"
        )

    def _execute(self, statement: str, *values: object) -> None:
        self._database.run(lambda session: session.execute(statement.encode(), values))
