"""A connection to a SQLite file that may be damaged, made by somebody else, or in use: limits and errors.

Opened through no link. No row, no value and no statement may take more than the size of the file explains, so
that a crafted file costs no more than a damaged one; signals are handled while a statement runs.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from stsearch.errors import (
    DeviceError,
    GalleryDamagedError,
    GalleryLockedError,
    GalleryUnreadableError,
    WriteError,
)
from stsearch.gallery.file_systems import fault_of_locks
from stsearch.gallery.records import row_checksum

Row = tuple[Any, ...]  # Any: what SQLite holds

BUSY_S = 10
"""Seconds to wait for the locks of other processes."""

_JOURNAL = bytes.fromhex("d9d505f920a163d7")  # which journals begin with, and end with where they name a file
_MAX_VALUE = 1 << 20  # bytes of a value or a row; the largest that is written is a vector of 4 KB
_MIN_SIZE = 1 << 16  # bytes; what was added in an open transaction is not all in the file
_ROW = 24  # bytes that a row takes besides its texts and arrays, at least
_STEPS = 100_000  # of SQLite's virtual machine between two looks at the budget: about a millisecond
_MIN_STEPS = 2_000_000
_STEPS_PER_BYTE = 25  # integrity_check takes most: some hundred a row, which has 40 bytes or more
_PRAGMAS = ("foreign_keys = ON", "trusted_schema = OFF", "cell_size_check = ON", "secure_delete = ON")

_DAMAGE = (
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_FORMAT,
    sqlite3.SQLITE_TOOBIG,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
)
_MAY_BE_LOCKS = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM)
"""Also where locks do not work: SQLite takes the EACCES of a file system for the lock of another process."""

_NO_ACCESS = (
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PERM,
)


Schema = tuple[list[Row], list[Row]]


def schema_after(scripts: tuple[str, ...]) -> Schema:
    """Return the ``Connection.schema`` of a file in which ``scripts`` were run, and nothing else."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as memory:
        memory.create_function("row_checksum", -1, row_checksum, deterministic=True)
        for script in scripts:
            memory.executescript(script)
        return _schema(memory)


def _schema(database: sqlite3.Connection) -> Schema:
    made = database.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall()
    return sorted(made, key=repr), database.execute("PRAGMA application_id").fetchall()


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for part in script.split(";"):
        statement += f"{part};"
        if sqlite3.complete_statement(statement):  # not within a trigger or a comment
            yield statement
            statement = ""


def _names_a_file(journal: Path) -> bool:
    """Return whether a journal ends as those of a transaction over several files do; a catalog has none.

    Such an end names a further journal, and that file is deleted after a rollback, whatever it is.
    """
    with journal.open("rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - len(_JOURNAL)))
        return file.read() == _JOURNAL


class Connection:
    """Opens the SQLite file at ``path``.

    Args:
        path: of the file.
        locks: False: only read, without SQLite's locks. What is read while another process writes may then be
            half old, half new; the caller finds out.
        named: errors name this file instead: the one it is a copy of.

    Raises:
        GalleryDamagedError: it is none, or is damaged (also from every method).
        GalleryLockedError: another process held it for too long (also from every method).
        GalleryUnreadableError: it cannot be read (also from every method).
        WriteError: the disk is full or the file may not be written to (also from every method).
    """

    def __init__(self, path: Path, locks: bool = True, named: Path | None = None) -> None:
        self._path = path
        self._named = named or path
        self._steps_left = 0
        self._stopped_by: BaseException | None = None
        with self.named_errors(opening=True):
            self._refuse_links()
            place = f"{path.absolute().as_uri()}?mode={'rw' if locks else 'ro&nolock=1'}"
            self._sqlite = sqlite3.connect(place, uri=True, timeout=BUSY_S, isolation_level=None)
            try:
                self._sqlite.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE)
                watch = self._watch()
                next(watch)  # from now on it goes on inside its try
                self._sqlite.set_progress_handler(watch.__next__, _STEPS)
                self._sqlite.create_function("row_checksum", -1, row_checksum, deterministic=True)
                for pragma in _PRAGMAS:
                    self._sqlite.execute(f"PRAGMA {pragma}")
                self._allow_for_size()
                self._sqlite.execute("SELECT 1 FROM sqlite_master").fetchone()
            except BaseException:
                self._sqlite.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._sqlite.close()

    def execute(self, statement: str, values: Sequence[object] = ()) -> None:
        """Run a statement that returns nothing."""
        self.execute_all(statement, [values])

    def execute_all(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each of ``rows``."""
        with self.named_errors():
            self._allow_for_size()
            allowed = self._steps_left
            for values in rows:
                self._steps_left = allowed
                self._sqlite.execute(statement, values)

    def run_script(self, script: str) -> None:
        """Run the statements of ``script`` inside the transaction that is open."""
        for statement in _statements(script):
            self.execute(statement)

    def schema(self) -> Schema:
        """Return the definition of everything in the file, and the application it says to be of."""
        with self.named_errors():
            self._allow_for_size()
            return _schema(self._sqlite)

    def rows(self, statement: str, values: Sequence[object] = ()) -> Iterator[Row]:
        """Yield the rows of ``statement``, unverified."""
        with self.named_errors(reading=True):
            held = self._allow_for_size()
            for row in self._sqlite.execute(statement, values):
                held -= _ROW
                for value in row:  # in place: a generator would take three times as long
                    if isinstance(value, bytes | str):
                        held -= len(value)
                if held < 0:
                    raise self.damaged("it returns more than it holds")
                yield row

    def damaged(self, what: str) -> GalleryDamagedError:
        """Return the error that names the file, the damage, and the remedies in their order."""
        folder = self._named.parent
        return GalleryDamagedError(
            f"{self._named} is damaged ({what}); keep a copy of {folder}, and try: stsearch rebuild --index"
            f" {folder}; only if that does not help, delete {folder} and index again"
        )

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let several statements see the same state of the file."""
        if self._sqlite.in_transaction:
            yield
            return
        with self.named_errors():
            try:  # a signal may come between any two steps
                self._sqlite.execute("BEGIN")
                yield
            finally:
                with suppress(sqlite3.Error):
                    self._sqlite.execute("COMMIT")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several changes, or none of them; inside another transaction, as a part of that."""
        if self._sqlite.in_transaction:
            yield
            return
        with self.named_errors():
            try:
                self._sqlite.execute("BEGIN IMMEDIATE")
                yield
                self._sqlite.execute("COMMIT")
            except BaseException:  # Ctrl-C must leave neither half a batch nor an open transaction
                with suppress(sqlite3.Error):
                    self._sqlite.rollback()
                raise

    @contextmanager
    def named_errors(self, opening: bool = False, reading: bool = False) -> Iterator[None]:
        """Turn errors of SQLite into errors with a remedy.

        Args:
            opening: nothing is known of the file yet; an error that SQLite finds no name for is its fault.
            reading: nothing is written; a disk that fails cannot be read.
        """
        try:
            yield
        except sqlite3.Error as error:
            self._raise_named(error, opening, reading)
        except UnicodeDecodeError as error:  # a text from a damaged page
            raise self.damaged(str(error)) from error
        except MemoryError as error:
            raise DeviceError(
                f"there is not enough memory to read {self._named}: end other programs"
            ) from error
        except OSError as error:
            raise self._no_access(error.strerror or str(error), reading) from error

    def _no_access(self, why: str, reading: bool) -> GalleryUnreadableError | WriteError:
        if reading:
            return GalleryUnreadableError(f"cannot read {self._named}: {why}")
        return WriteError(f"cannot write {self._named}: {why}")

    def _raise_named(self, error: sqlite3.Error, opening: bool, reading: bool) -> None:
        code = getattr(error, "sqlite_errorcode", None)
        kind = None if code is None else code & 0xFF
        if kind == sqlite3.SQLITE_INTERRUPT:
            if self._stopped_by is not None:
                stopped_by, self._stopped_by = self._stopped_by, None
                raise stopped_by from None
            raise self.damaged("it takes longer to read than its size explains") from error
        may_be_locks = kind in _MAY_BE_LOCKS and code != sqlite3.SQLITE_IOERR_READ
        if may_be_locks and (fault := fault_of_locks(self._named.parent)):
            raise fault from error
        if kind in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise GalleryLockedError(
                f"another process has been using {self._named} for {BUSY_S} s; try again when it is done"
            ) from error
        if kind in _NO_ACCESS:
            needs_writing = kind in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL)
            raise self._no_access(str(error), reading and not needs_writing) from error
        is_text = code is None and isinstance(error, sqlite3.OperationalError)  # that cannot be decoded
        if kind in _DAMAGE or is_text or (opening and kind == sqlite3.SQLITE_ERROR):
            raise self.damaged(str(error)) from error
        raise error

    def _watch(self) -> Iterator[bool]:
        """Yield, each time SQLite asks, whether it has to stop.

        A generator, because signals are handled where it goes on, which lies inside ``try``: sqlite3 would
        swallow an exception.
        """
        stop = False
        while True:
            try:
                yield stop
                self._steps_left -= _STEPS
                stop = self._steps_left < 0
            except GeneratorExit:
                return
            except BaseException as error:  # noqa: BLE001  whatever a signal raises; raised again when SQLite returns
                self._stopped_by, stop = error, True

    def _allow_for_size(self) -> int:
        """Allow a statement so much work as the size of the file explains, and return the size in bytes."""
        size = self._path.stat().st_size
        self._steps_left = _MIN_STEPS + _STEPS_PER_BYTE * size
        return size + _MIN_SIZE

    def _refuse_links(self) -> None:
        """Raise unless the file is one, and no link to it: what is written must stay in this folder."""
        try:
            status = self._path.lstat()
        except FileNotFoundError as error:
            raise self.damaged("it is missing") from error
        if not stat.S_ISREG(status.st_mode):
            raise self.damaged("it is a link, or no file at all")
        for ending in ("-journal", "-wal", "-shm"):  # which SQLite follows, and makes where they lead
            beside = self._path.with_name(f"{self._path.name}{ending}")
            with suppress(FileNotFoundError):
                if not stat.S_ISREG(beside.lstat().st_mode):
                    raise self.damaged(f"{beside.name} is a link, or no file at all")
                if _names_a_file(beside):
                    raise self.damaged(f"{beside.name} names another file, which SQLite would delete")
