"""A SQLite file whose rows carry checksums: formats, transactions, verified reading.

SQLite does not notice a changed byte in a page. So the last column of a table is the checksum of its row,
verified whenever the row is read, and the table ``totals`` holds the number of rows and the sum of their
checksums, for each table. Both change in the transaction that changes the rows: a kill leaves no mismatch.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import product
from pathlib import Path
from typing import TypeVar

import numpy as np

from stsearch.errors import (
    GalleryDamagedError,
    GalleryUnreadableError,
    NewerFormatError,
    WriteError,
)
from stsearch.gallery.connection import Connection, Row, schema_after
from stsearch.gallery.file_systems import write_error
from stsearch.gallery.records import row_checksum

__all__ = ["Database", "Row"]

_CHUNK = 500  # values in one IN (...); SQLite allows at least 999

_TYPES = {"INTEGER": int, "REAL": float, "TEXT": str, "BLOB": bytes}  # SQLite takes any value anywhere

_UNCERTAIN = (GalleryDamagedError, GalleryUnreadableError, WriteError)
"""What reading without locks may end with because another process is writing: believed under a lock alone."""

Result = TypeVar("Result")
Stored = TypeVar("Stored")


class Database:
    """Opens, and creates or migrates, the file at ``path``.

    Args:
        path: of the file.
        migrations: one script a format; a file of format n has run the first n of them. They may use the SQL
            function ``row_checksum``.
        tables: the columns of each table with checksums, the checksum last.
        create: make the file when there is none.
        reads_only: nothing will be changed. The file is then read without locks, so that the slowest reader
            holds up no writer; what was read while one wrote is read again, with locks.

    Raises:
        GalleryDamagedError: it is no such file, is damaged, or is of a newer format (also from every method).
        GalleryLockedError: another process held it for too long (also from every method).
        GalleryUnreadableError: it cannot be read (also from every method).
        WriteError: the disk is full or the file may not be written to (also from every method).
    """

    def __init__(
        self,
        path: Path,
        migrations: Sequence[str],
        tables: Mapping[str, str],
        create: bool = False,
        reads_only: bool = False,
    ) -> None:
        self._path = path
        self._migrations = migrations
        self._tables = tables
        self._reads_only = reads_only
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._without_locks: Connection | None = None
        self._with_locks: Connection | None = None
        self._now: Connection | None = None  # the one that a consistent reading goes through
        self._inode = 0  # of the file that is read without locks
        self._unknown_versions = 0
        self._types: dict[str, set[tuple[type, ...]]] = {}  # of the values of a row, by table
        if create:
            _make_file(path)
        try:
            if reads_only and self._opens_without_locks():
                return
            self._with_locks = self._open(create)
            if reads_only and self._copy is None:  # it was brought up to date
                self._opens_without_locks()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        for connection in (self._without_locks, self._with_locks):
            if connection:
                connection.close()
        if self._copy:
            self._copy.cleanup()
            self._copy = None

    def execute(self, statement: str, values: Sequence[object] = ()) -> None:
        """Run a statement that returns nothing."""
        self._locking.execute(statement, values)

    def execute_all(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each of ``rows``."""
        self._locking.execute_all(statement, rows)

    def transaction(self) -> AbstractContextManager[None]:
        """Make several changes, or none of them."""
        return self._locking.transaction()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let several statements see the same state of the file, while no other process may write to it."""
        self._now = self._without_locks or self._locking
        try:
            with self._now.snapshot():
                yield
        finally:
            self._now = None

    def consistently(self, read: Callable[[], Result]) -> Result:
        """Return what ``read`` returns when all its statements see the same state of the file."""
        if self._now is not None or not self._reads_only:  # nobody writes beside a writer
            return read()
        if self._without_locks is not None and (before := self._version()) is not None:
            with suppress(*_UNCERTAIN):
                result = self._read_through(self._without_locks, read)
                if self._version() == before:
                    return result
        return self._read_through(self._locking, read)

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        """Return the rows of ``statement``, unverified."""
        return self.consistently(lambda: list(self._stream(statement, values)))

    def rows_among(self, statement: str, values: Iterable[object]) -> list[Row]:
        """Return the rows of ``statement``, whose ``{}`` stands for a list of any length; unverified."""
        wanted = [value.item() if isinstance(value, np.generic) else value for value in values]
        parts = [wanted[start : start + _CHUNK] for start in range(0, len(wanted), _CHUNK)]
        return self.consistently(
            lambda: [
                row
                for part in parts
                for row in self._stream(statement.format(",".join("?" * len(part))), part)
            ]
        )

    def all(self, table: str) -> list[Row]:
        """Return the rows of a whole table without their checksums, and raise when one is missing."""

        def read() -> list[Row]:
            rows: list[Row] = []
            for row in self.examined(table):
                if isinstance(row, str):
                    raise self.damaged(row)
                rows.append(row)
            return rows

        return self.consistently(read)

    def among(self, table: str, column: str, values: Iterable[object]) -> list[Row]:
        """Return the rows of ``table`` with one of ``values`` in ``column``, without their checksums."""
        statement = f"SELECT {self._tables[table]} FROM {table} WHERE {column} IN ({{}})"
        wanted = list(values)

        def read() -> list[Row]:
            rows = self.rows_among(statement, wanted)
            for row in rows:
                if fault := self._fault(table, row):
                    raise self.damaged(fault)
            return [row[:-1] for row in rows]

        return self.consistently(read)

    def examined(self, table: str) -> Iterator[Row | str]:
        """Yield the rows of a whole table without their checksums; for a damaged one, a sentence."""
        count = total = 0
        # NOT INDEXED: a damaged index omits rows
        for row in self._stream(f"SELECT {self._tables[table]} FROM {table} NOT INDEXED"):
            count += 1
            if fault := self._fault(table, row):
                yield fault
            else:
                total += row[-1]
                yield row[:-1]
        if (count, total) != self.total(table):
            yield f"{table} has {count} rows, and not those that were written"

    def faults(self) -> Iterator[str]:
        """Yield a sentence for every damage that SQLite finds, and for every wrong counter of ids."""
        for (finding,) in self._stream("PRAGMA integrity_check(20)"):
            if finding != "ok":
                yield finding.replace("\n", " ")
        for table, row, parent, _ in self._stream("PRAGMA foreign_key_check"):
            yield f"row {row} of {table} names a row of {parent} that is not there"
        for table, last in self.rows("SELECT name, seq FROM sqlite_sequence"):
            if table not in self._tables:
                yield f"the last id of {table!r} is counted, which is no table"
                continue
            [[highest]] = self.rows(f"SELECT coalesce(max(id), 0) FROM {table}")
            if not isinstance(last, int) or last < highest:
                yield f"the last id of {table} is {last}, and yet it has row {highest}"

    def total(self, table: str) -> tuple[int, int]:
        """Return the number of rows of ``table`` and the sum of their checksums, without reading them."""
        for total in self.rows("SELECT rows, checksums FROM totals NOT INDEXED WHERE name = ?", (table,)):
            if all(isinstance(number, int) for number in total):
                return total[0], total[1]
        raise self.damaged(f"how many rows {table} has is lost")

    def insert(self, table: str, rows: Iterable[Row]) -> None:
        """Insert rows, all columns but the checksum in the order of ``tables``."""
        places = ", ".join("?" * len(self._tables[table].split(", ")))
        self.execute_all(
            f"INSERT INTO {table} ({self._tables[table]}) VALUES ({places})",
            ((*row, row_checksum(*row)) for row in rows),
        )

    def next_id(self, table: str) -> int:
        """Return an id that no row of ``table`` ever had."""
        for (last,) in self.rows("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)):
            if not isinstance(last, int):
                raise self.damaged(f"the last id of {table} is lost")
            return last + 1
        return 1

    def version(self) -> object:
        """Return what changes when another process has written to the file."""
        if self._without_locks is None:
            return self.rows("PRAGMA data_version")
        version = self._version()
        if version is None:  # one is writing: no two of these are equal
            self._unknown_versions += 1
        return version or self._unknown_versions

    def damaged(self, what: str) -> GalleryDamagedError:
        """Return the error that names the file, the damage, and the remedies in their order."""
        return (self._without_locks or self._locking).damaged(what)

    def checked(self, read: Callable[[Stored], Result], stored: Stored) -> Result:
        """Return what ``read`` makes of a value from the file; a ValueError of it is damage."""
        try:
            return read(stored)
        except ValueError as error:
            raise self.damaged(str(error)) from error

    @property
    def _locking(self) -> Connection:
        """The connection that takes SQLite's locks; a reader opens it when it first needs it."""
        if self._with_locks is None:
            self._with_locks = self._open(create=False)
        return self._with_locks

    def _stream(self, statement: str, values: Sequence[object] = ()) -> Iterator[Row]:
        return (self._now or self._locking).rows(statement, values)

    def _fault(self, table: str, row: Row) -> str | None:
        """Return in one sentence what is wrong with a row of ``table``, the checksum last; None: nothing."""
        if table not in self._types:
            self._types[table] = self._types_of(table)
        if tuple(map(type, row)) not in self._types[table]:
            return f"row {row[0]!r} of {table} holds values of other types"
        if row_checksum(*row[:-1]) != row[-1]:
            return f"row {row[0]!r} of {table} does not match its checksum"
        return None

    def _types_of(self, table: str) -> set[tuple[type, ...]]:
        """Return the types that the values of a row of ``table`` may have together."""
        declared = {
            name: [_TYPES[kind], *([] if is_required or is_key else [type(None)])]
            for _, name, kind, is_required, _, is_key in self.rows(f"PRAGMA table_info({table})")
        }
        return set(product(*(declared[column] for column in self._tables[table].split(", "))))

    def _read_through(self, connection: Connection, read: Callable[[], Result]) -> Result:
        self._now = connection
        try:
            with connection.snapshot():
                return read()
        finally:
            self._now = None

    def _version(self) -> tuple[int, ...] | None:
        """Return what changes when the file is written to; None while one writes, or after one died at it."""
        assert self._without_locks is not None  # else there is no need to know
        with suppress(OSError, *_UNCERTAIN):
            if not _journal_of(self._path).exists():
                status = self._path.stat()
                if status.st_ino != self._inode:  # another file has come to its place, such as a backup
                    self._reopen()
                [[number]] = self._without_locks.rows("PRAGMA data_version")
                return status.st_ino, status.st_mtime_ns, status.st_size, number
        return None

    def _reopen(self) -> None:
        self.close()
        self._without_locks = self._with_locks = None
        if not self._opens_without_locks():
            raise GalleryUnreadableError(f"{self._path} has been replaced")

    def _opens_without_locks(self) -> bool:
        """Open the file for reading without locks, unless it has to be changed first or is changing now."""
        with suppress(OSError, *_UNCERTAIN):
            status = self._path.stat()
            if status.st_size == 0:  # SQLite would delete the journal of the process that is making it
                return False
            connection = Connection(self._path, locks=False)
            try:
                if self._format_of(connection, create=False) == len(self._migrations):
                    self._without_locks, self._inode = connection, status.st_ino
                    return True
            finally:
                if self._without_locks is None:
                    connection.close()
        return False

    def _open(self, create: bool) -> Connection:
        """Open the file, brought to the newest format; what may not be written to is read through a copy."""
        try:
            return self._connect(self._path, create)
        except WriteError as error:
            if not self._reads_only:
                raise
            return self._connect(self._make_copy(error), create)

    def _connect(self, path: Path, create: bool) -> Connection:
        connection = Connection(path, named=self._path)
        try:
            self._migrate(connection, create)
        except BaseException:
            connection.close()
            raise
        return connection

    def _migrate(self, connection: Connection, create: bool) -> None:
        if self._format_of(connection, create) == len(self._migrations):
            return
        with connection.named_errors(opening=True), connection.transaction():
            before = self._format_of(connection, create)  # another process may have been first
            for number, script in enumerate(self._migrations[before:], start=before + 1):
                connection.run_script(f"{script}; PRAGMA user_version = {number}")

    def _format_of(self, connection: Connection, create: bool) -> int:
        """Return the format of the file, after making sure that nothing in it is not of that format."""
        [[number]] = connection.rows("PRAGMA user_version")
        if number > len(self._migrations):
            raise NewerFormatError(
                f"{self._path} has format {number}, this version reads up to {len(self._migrations)}:"
                " upgrade stsearch"
            )
        if number == 0 and not create:
            raise connection.damaged("it is empty")
        if number < 0 or connection.schema() != schema_after(tuple(self._migrations[:number])):
            raise connection.damaged("its tables are not those of a gallery")
        return int(number)

    def _make_copy(self, reason: WriteError) -> Path:
        """Copy the file, and the journal of a process that died, to where it may be written to.

        Raises:
            GalleryUnreadableError: that cannot be done.
        """
        try:
            self._copy = tempfile.TemporaryDirectory(prefix="stsearch-")
            copy = Path(self._copy.name, self._path.name)
            shutil.copyfile(self._path, copy)
            with suppress(FileNotFoundError):
                shutil.copyfile(_journal_of(self._path), _journal_of(copy), follow_symlinks=False)
        except OSError as error:
            raise GalleryUnreadableError(
                f"{reason}; it has to be brought up to date before it is read, and cannot be copied"
                f" ({error.strerror or error}): search it once where it may be written to"
            ) from error
        return copy


def _journal_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-journal")


def _make_file(path: Path) -> None:
    """Make an empty file at ``path`` unless there is something.

    Raises:
        WriteError: it cannot be made.
    """
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return
    except OSError as error:
        raise write_error(path, error) from error
