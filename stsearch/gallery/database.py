"""A SQLite file whose rows carry checksums: connection, transactions, errors, verified reading.

SQLite does not notice a changed byte in a page. So the last column of a table is the checksum of its row,
verified whenever the row is read, and the table ``totals`` holds the number of rows and the sum of their
checksums, for each table. Both change in the transaction that changes the rows: a kill leaves no mismatch.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from stsearch.errors import (
    GalleryDamagedError,
    GalleryLockedError,
    NewerFormatError,
    StsearchError,
    WriteError,
)
from stsearch.gallery.file_systems import fault_of_locks
from stsearch.gallery.records import row_checksum

_CHUNK = 500  # values in one IN (...); SQLite allows at least 999
_PRAGMAS = ("foreign_keys = ON", "trusted_schema = OFF", "cell_size_check = ON", "secure_delete = ON")

Row = tuple[Any, ...]  # Any: what SQLite holds


class Database:
    """Opens, and creates or migrates, the file at ``path``.

    Args:
        path: of the file.
        migrations: one script a format; a file of format n has run the first n of them. They may use the SQL
            function ``row_checksum``.
        tables: the columns of each table with checksums, the checksum last.
        create: make the file when there is none.

    Raises:
        GalleryDamagedError: it is no such file, is damaged, or is of a newer format (also from every method).
        GalleryLockedError: another process held it for too long (also from every method).
        WriteError: the disk is full or the file may not be written to (also from every method).
    """

    def __init__(
        self, path: Path, migrations: Sequence[str], tables: Mapping[str, str], create: bool
    ) -> None:
        self._path = path
        self._tables = tables
        with self._named_errors():
            if create:
                path.touch(mode=0o600)
            elif not path.exists():
                raise self.damaged("it is missing")
            place = f"{path.absolute().as_uri()}?mode=rw"
            self._connection = sqlite3.connect(place, uri=True, timeout=10, isolation_level=None)
            try:
                self._prepare(migrations, create)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _prepare(self, migrations: Sequence[str], create: bool) -> None:
        """Set up the connection, and bring the file to the newest format."""
        self._connection.create_function("row_checksum", -1, row_checksum, deterministic=True)
        for pragma in _PRAGMAS:
            self._connection.execute(f"PRAGMA {pragma}")
        self._migrate(migrations, create)

    def _migrate(self, migrations: Sequence[str], create: bool) -> None:
        ((format_number,),) = self._connection.execute("PRAGMA user_version")
        if format_number == 0 and not create:
            raise sqlite3.DatabaseError("it is empty")
        if format_number > len(migrations):
            raise NewerFormatError(
                f"{self._path} has format {format_number}, this version reads up to {len(migrations)}:"
                " upgrade stsearch"
            )
        for number, script in enumerate(migrations[format_number:], start=format_number + 1):
            try:
                self._connection.executescript(
                    f"BEGIN IMMEDIATE; {script}; PRAGMA user_version = {number}; COMMIT"
                )
            except sqlite3.Error:
                self._connection.rollback()
                raise

    def execute(self, statement: str, values: Sequence[object] = ()) -> None:
        """Run a statement that returns nothing."""
        with self._named_errors():
            self._connection.execute(statement, values)

    def execute_all(self, statement: str, rows: Iterable[Sequence[object]]) -> None:
        """Run a statement once for each of ``rows``."""
        with self._named_errors():
            self._connection.executemany(statement, rows)

    def rows(self, statement: str, values: Sequence[object] = ()) -> Iterator[Row]:
        """Yield the rows of ``statement``, unverified."""
        with self._named_errors():
            yield from self._connection.execute(statement, values)

    def rows_among(self, statement: str, values: Iterable[object]) -> Iterator[Row]:
        """Yield the rows of ``statement``, whose ``{}`` stands for a list of any length; unverified."""
        wanted = [value.item() if isinstance(value, np.generic) else value for value in values]
        for start in range(0, len(wanted), _CHUNK):
            part = wanted[start : start + _CHUNK]
            yield from self.rows(statement.format(",".join("?" * len(part))), part)

    def all(self, table: str) -> list[Row]:
        """Return the rows of a whole table without their checksums, and raise when one is missing."""
        rows: list[Row] = []
        with self.snapshot():
            for row in self.examined(table):
                if isinstance(row, str):
                    raise self.damaged(row)
                rows.append(row)
        return rows

    def among(self, table: str, column: str, values: Iterable[object]) -> Iterator[Row]:
        """Yield the rows of ``table`` with one of ``values`` in ``column``, without their checksums."""
        statement = f"SELECT {self._tables[table]} FROM {table} WHERE {column} IN ({{}})"
        for *row, checksum in self.rows_among(statement, values):
            if row_checksum(*row) != checksum:
                raise self.damaged(_mismatch(table, row))
            yield tuple(row)

    def examined(self, table: str) -> Iterator[Row | str]:
        """Yield the rows of a whole table without their checksums; for a damaged one, a sentence."""
        count = total = 0
        # NOT INDEXED: a damaged index omits rows
        for *row, checksum in self.rows(f"SELECT {self._tables[table]} FROM {table} NOT INDEXED"):
            count += 1
            if row_checksum(*row) == checksum:
                total += checksum
                yield tuple(row)
            else:
                yield _mismatch(table, row)
        if (count, total) != self.total(table):
            yield f"{table} has {count} rows, and not those that were written"

    def file_faults(self) -> Iterator[str]:
        """Yield a sentence for every damage that SQLite finds, and for every wrong counter of ids."""
        for (finding,) in self.rows("PRAGMA integrity_check(20)"):
            if finding != "ok":
                yield finding.replace("\n", " ")
        for table, row, parent, _ in self.rows("PRAGMA foreign_key_check"):
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

    def damaged(self, what: str) -> GalleryDamagedError:
        """Return the error that names the file, the damage, and the remedy."""
        return GalleryDamagedError(
            f"{self._path} is damaged ({what}); delete {self._path.parent} and index again"
        )

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let several statements see the same state of the file."""
        if self._connection.in_transaction:
            yield
            return
        with self._named_errors():
            try:  # a signal may come between any two steps
                self._connection.execute("BEGIN")
                yield
            finally:
                with suppress(sqlite3.Error):
                    self._connection.execute("COMMIT")

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several changes, or none of them."""
        with self._named_errors():
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                yield
                self._connection.execute("COMMIT")
            except BaseException:  # Ctrl-C must leave neither half a batch nor an open transaction
                self._connection.rollback()
                raise

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Turn errors of SQLite into errors with a remedy."""
        try:
            yield
        except sqlite3.Error as error:
            raise _translate(error, self._path) from error
        except (UnicodeDecodeError, MemoryError) as error:  # texts and lengths read from damaged pages
            raise self.damaged(str(error) or "it holds an impossible length") from error
        except OSError as error:
            raise WriteError(f"cannot write {self._path}: {error.strerror or error}") from error


def _mismatch(table: str, row: Sequence[object]) -> str:
    return f"row {row[0]!r} of {table} does not match its checksum"


def _translate(error: sqlite3.Error, path: Path) -> StsearchError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PERM) and (
        fault := fault_of_locks(path.parent)  # SQLite takes EACCES for the lock of another process
    ):
        return fault
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
