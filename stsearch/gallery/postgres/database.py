"""A connection to PostgreSQL: made again when it is lost, its errors named, no password in any of them."""

from __future__ import annotations

import logging
import re
import shlex
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from pgvector.psycopg import register_vector
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict

from stsearch.errors import (
    GalleryLockedError,
    GalleryNotFoundError,
    GalleryUnreadableError,
    StsearchError,
    UsageError,
    WriteError,
)
from stsearch.gallery.address import DatabaseUrl
from stsearch.gallery.postgres.schema import EXTENSIONS, SCHEMA
from stsearch.gallery.protocol import Notify

Row = tuple[Any, ...]  # Any: what a statement returns
Session = psycopg.Connection[Row]
Result = TypeVar("Result")

READING_PATIENCE_S, WRITING_PATIENCE_S = 3.0, 60.0
"""How long a lost connection is tried again: somebody waits for an answer, a server restarts."""

logging.getLogger("psycopg").addHandler(logging.NullHandler())  # what fails after an error is no news

_CONNECT_TIMEOUT_S = 10
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 5.0
_NO_DATABASE = re.compile(r'database "(.*)" does not exist')

_REPEATABLE = (errors.DeadlockDetected, errors.SerializationFailure, errors.ForeignKeyViolation)
"""Two transactions were in each other's way; the one that is told so is repeated, and then sees the other."""

_ATTEMPTS = 5


class Database:
    """A connection to the database at ``url``, for one or several threads.

    Args:
        url: of the database.
        writes: whether it will be written to; else the server is asked to refuse that.
        notify: takes a sentence when the connection is lost.

    Raises:
        UsageError: the URL cannot be understood.
        GalleryUnreadableError: the server cannot be reached, or does not let this user in (also from every
            method).
        GalleryNotFoundError: there is no such database, or no gallery in it (also from every method).
        WriteError: it cannot be written to (from every method of one that writes).
    """

    def __init__(self, url: DatabaseUrl, writes: bool, notify: Notify = lambda _: None) -> None:
        self.url = url
        self._writes = writes
        self._notify = notify
        self._lock = threading.RLock()
        self._is_closed = False
        self._knows_types = False
        self._parameters = _parse(url)
        self._session = self._connect()

    def close(self) -> None:
        """Close the connection; it is not made again."""
        self._is_closed = True
        self._session.close()

    def rows(self, statement: str, *values: object) -> list[Row]:
        """Return the rows of a statement that changes nothing."""
        return self.run(lambda session: session.execute(statement.encode(), values, binary=True).fetchall())

    def value(self, statement: str, *values: object) -> Any:  # Any: see Row
        """Return the only value of the only row of a statement that changes nothing."""
        [(value,)] = self.rows(statement, *values)
        return value

    def run(self, work: Callable[[Session], Result]) -> Result:
        """Return the result of ``work`` in a transaction; work is done again where that was cut off.

        So it must be of such a kind that a transaction which was committed though nobody heard of it does no
        harm when it is repeated.
        """
        attempts, lost_at = 0, None
        with self._lock:
            if self._session.closed and not self._is_closed:
                self._session = self._connect()
            while True:
                try:
                    with self._named_errors(), self._session.transaction():
                        return work(self._session)
                except _REPEATABLE:
                    attempts += 1
                    if attempts == _ATTEMPTS:
                        raise
                except psycopg.OperationalError as error:
                    if self._is_closed or not self._session.closed:
                        raise
                    lost_at = lost_at or time.monotonic()
                    self._reconnect(error, lost_at)
                except (KeyboardInterrupt, SystemExit):
                    self._session.close()  # it may have come between any two steps of the library
                    raise

    def run_alone(self, statement: str) -> None:
        """Run a statement that PostgreSQL does not allow in a transaction, such as VACUUM."""
        with self._lock, self._named_errors():
            self._session.autocommit = True
            try:
                self._session.execute(statement.encode())
            finally:
                self._session.autocommit = False

    def _connect(self) -> Session:
        parameters = {
            "connect_timeout": _CONNECT_TIMEOUT_S,
            "application_name": "stsearch",
            **self._parameters,
        }
        try:
            session = psycopg.connect("", **parameters)
        except psycopg.OperationalError as error:
            raise self._unreachable(error) from None  # its context may hold what must not be seen
        try:
            with self._named_errors():
                self._prepare(session)
        except BaseException:
            session.close()
            raise
        return session

    def learn_types(self) -> None:
        """Let the connection know the types of the extensions, if they were made since it was opened."""
        if not self._knows_types:
            with self._lock, self._named_errors():
                self._prepare(self._session)

    def _prepare(self, session: Session) -> None:
        """Let names of types and tables be found wherever the extensions were put."""
        found = session.execute(
            "SELECT e.extname, quote_ident(n.nspname) FROM pg_extension e"
            " JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = ANY(%s)",
            [list(EXTENSIONS)],
        ).fetchall()
        places = ", ".join(dict.fromkeys([SCHEMA, *(place for _, place in found), "public"]))
        session.execute(f"SET search_path = {places}".encode())
        self._knows_types = "vector" in {name for name, _ in found}
        if self._knows_types:
            register_vector(session)
        session.commit()
        session.read_only = None if self._writes else True

    def _reconnect(self, error: psycopg.OperationalError, lost_at: float) -> None:
        """Connect again, as long as patience lasts.

        Raises:
            WriteError, GalleryUnreadableError: the connection stays lost.
        """
        patience_s = WRITING_PATIENCE_S if self._writes else READING_PATIENCE_S
        pause_s = _FIRST_PAUSE_S
        self._session.close()
        if self._writes:
            self._notify(f"the connection to {self.url} was lost; trying again for {patience_s:.0f} s …")
        while time.monotonic() - lost_at < patience_s:
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
            try:
                self._session = self._connect()
                return
            except GalleryUnreadableError:
                continue
        what = f"the connection to {self.url} was lost ({self._said(error)}); what was finished is safe"
        raise (WriteError if self._writes else GalleryUnreadableError)(
            f"{what}: run the same command again when the server is there"
        ) from None

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Turn errors of the server into errors with a remedy; those that ``run`` answers stay."""
        try:
            yield
        except psycopg.Error as error:
            if (named := self._named(error)) is not None:
                raise named from error
            raise

    def _named(self, error: psycopg.Error) -> StsearchError | None:
        said = self._said(error)
        match error:
            case errors.InsufficientPrivilege() | errors.ReadOnlySqlTransaction():
                kind = WriteError if self._writes else GalleryUnreadableError
                return kind(f"{self.url}: the user of the database may not do that ({said})")
            case errors.UndefinedTable() | errors.InvalidSchemaName():
                return GalleryNotFoundError(no_gallery(self.url))
            case errors.DiskFull() | errors.OutOfMemory() | errors.ConfigurationLimitExceeded():
                return WriteError(f"{self.url} takes no more: {said}")
            case errors.LockNotAvailable():
                return GalleryLockedError(f"another process holds {self.url}: try again when it is done")
            case errors.QueryCanceled():
                return GalleryUnreadableError(f"{self.url} did not answer in time: {said}")
        return None

    def _unreachable(self, error: psycopg.OperationalError) -> StsearchError:
        said = self._said(error)
        if missing := _NO_DATABASE.search(said):
            command = shlex.join(["createdb", *self._server_options(), missing[1]])
            return GalleryNotFoundError(f"{self.url}: there is no such database; make it with: {command}")
        reason = f"{self.url} cannot be reached: {said}"
        if "password" in said:
            reason += "; a password may stand in the variable PGPASSWORD or in ~/.pgpass"
        return GalleryUnreadableError(reason)

    def _server_options(self) -> list[str]:
        """Return the options by which PostgreSQL's own programs find the server of the URL."""
        names = {"host": "-h", "port": "-p", "user": "-U"}
        return [
            part
            for name, option in names.items()
            if name in self._parameters
            for part in (option, str(self._parameters[name]))
        ]

    def _said(self, error: psycopg.Error) -> str:
        """Return what the server or the library said, in one line and without the password."""
        said = " ".join(str(error.diag.message_primary or error).split())
        secret = str(self._parameters.get("password") or "")
        return said.replace(secret, "…") if secret else said


def no_gallery(url: DatabaseUrl) -> str:
    """Return the message that there is no gallery in a database."""
    return f"no gallery in {url}; make one with: stsearch index FOLDER --index {shlex.quote(str(url))}"


def _parse(url: DatabaseUrl) -> dict[str, Any]:  # Any: names and values as psycopg takes them
    try:
        return conninfo_to_dict(url.secret)
    except psycopg.ProgrammingError:  # its message may hold a part of the password
        raise UsageError(
            f"the URL {url} cannot be understood: write postgresql://USER@HOST:PORT/DATABASE, with % and two"
            " digits for signs such as / : @ in a name or password"
        ) from None
