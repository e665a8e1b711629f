"""connection.py: what a hostile or busy file, a signal or too little memory end with."""

from __future__ import annotations

import _thread
import contextlib
import errno
import signal
import sqlite3
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from gallery_fixtures import make_gallery

from stsearch.errors import DeviceError, GalleryDamagedError, GalleryUnreadableError, WriteError
from stsearch.gallery.connection import Connection, schema_after

JOURNAL = bytes.fromhex("d9d505f920a163d7")
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)"
ENDLESS = f"{NUMBERS} SELECT max(i) FROM n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a file with one table of one row."""
    place = tmp_path / "file"
    with contextlib.closing(sqlite3.connect(place)) as database:
        database.executescript("CREATE TABLE signs (text TEXT); INSERT INTO signs VALUES ('exit')")
    return place


@pytest.fixture
def connection(path: Path) -> Iterator[Connection]:
    with contextlib.closing(Connection(path)) as opened:
        yield opened


def test_a_statement_that_the_size_of_the_file_does_not_explain_is_damage(connection: Connection) -> None:
    with pytest.raises(GalleryDamagedError, match="takes longer to read than its size explains"):
        list(connection.rows(ENDLESS))
    assert list(connection.rows("SELECT text FROM signs")) == [("exit",)]


def test_rows_that_hold_more_than_the_file_are_damage(connection: Connection) -> None:
    with pytest.raises(GalleryDamagedError, match="returns more than it holds"):
        list(connection.rows(f"{NUMBERS} SELECT zeroblob(500000) FROM n"))


def test_a_value_larger_than_any_that_is_written_is_damage(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("INSERT INTO signs VALUES (zeroblob(2000000))")
        database.commit()
    with contextlib.closing(Connection(path)) as opened, pytest.raises(GalleryDamagedError, match="too big"):
        list(opened.rows("SELECT text FROM signs"))


def test_a_signal_is_answered_while_a_statement_runs_and_nothing_is_called_damaged(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(_signal: int, _frame: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stsearch.gallery.connection._MIN_STEPS", 1 << 50)
    # Marks the signal as arrived, and runs no Python code in which it would be answered at once.
    arrive = partial(_thread.interrupt_main, signal.SIGALRM)
    connection._sqlite.create_function("arrive", 0, arrive)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                list(connection.rows(f"{NUMBERS} SELECT max(i) FROM n WHERE i != 9 OR arrive() IS NULL"))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert list(connection.rows("SELECT text FROM signs")) == [("exit",)]


class Failing:
    """Stands in for SQLite where every statement fails with ``error``."""

    in_transaction = False

    def __init__(self, error: Exception) -> None:
        self.execute = self.rollback = self._fail
        self._error = error

    def _fail(self, *_: object) -> None:
        raise self._error


def named(code: int) -> sqlite3.Error:
    error = sqlite3.OperationalError("as SQLite says")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(MemoryError(), DeviceError, id="too little memory"),
        pytest.param(named(sqlite3.SQLITE_FULL), WriteError, id="a full disk"),
        pytest.param(named(sqlite3.SQLITE_ERROR), sqlite3.OperationalError, id="a bug"),
        pytest.param(sqlite3.ProgrammingError("closed"), sqlite3.ProgrammingError, id="closed already"),
        pytest.param(named(sqlite3.SQLITE_CORRUPT), GalleryDamagedError, id="damage"),
        pytest.param(sqlite3.OperationalError("not UTF-8"), GalleryDamagedError, id="a damaged text"),
    ],
)
def test_only_what_sqlite_calls_corrupt_is_damage(
    connection: Connection, error: Exception, expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(connection, "_sqlite", Failing(error))
        with pytest.raises(expected):
            list(connection.rows("SELECT 1"))
        with pytest.raises(expected), connection.transaction():
            pass


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(named(sqlite3.SQLITE_IOERR_READ), id="as SQLite says"),
        pytest.param(OSError(errno.ENOTCONN, "Transport endpoint is not connected"), id="as the system says"),
    ],
)
def test_a_disk_that_does_not_answer_can_neither_be_read_nor_written_to(
    connection: Connection, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as failing:
        failing.setattr(connection, "_sqlite", Failing(error))
        with pytest.raises(GalleryUnreadableError, match="cannot read"):
            list(connection.rows("SELECT 1"))
        with pytest.raises(WriteError, match="cannot write"):
            connection.execute("DELETE FROM signs")


def test_damage_is_told_with_a_copy_and_rebuild_before_deleting(connection: Connection) -> None:
    message = str(connection.damaged("a byte"))
    assert message.index("keep a copy") < message.index("stsearch rebuild") < message.index("delete")


@pytest.mark.parametrize("make", [Path.symlink_to, lambda link, _: link.mkdir()], ids=["link", "folder"])
def test_what_is_no_file_itself_is_refused(path: Path, tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "other", path)
    with pytest.raises(GalleryDamagedError, match="it is a link, or no file at all"):
        Connection(tmp_path / "other")


def test_a_file_without_locks_can_only_be_read(path: Path) -> None:
    with contextlib.closing(Connection(path, locks=False)) as opened:
        assert list(opened.rows("SELECT text FROM signs")) == [("exit",)]
        with pytest.raises(WriteError):
            opened.execute("DELETE FROM signs")


def test_a_schema_holds_every_definition(connection: Connection) -> None:
    before = connection.schema()
    assert before == schema_after(("CREATE TABLE signs (text TEXT)",))
    connection.execute("CREATE VIEW all_signs AS SELECT * FROM signs")
    assert connection.schema() != before


def hot_journal(catalog: Path, named: Path) -> bytes:
    """Return a journal as of a process that died, whose transaction was also over the file ``named``."""
    pages, name = catalog.stat().st_size // 4096, bytes(named)
    numbers = (0, 1, pages, 512, 4096)  # records, nonce, and sizes: of the catalog, a sector and a page
    header = JOURNAL + b"".join(number.to_bytes(4, "big") for number in numbers)
    lock_page = (0x40000000 // 4096 + 1).to_bytes(4, "big")
    end = len(name).to_bytes(4, "big") + sum(name).to_bytes(4, "big") + JOURNAL
    return header.ljust(512, b"\0") + lock_page + name + end


@pytest.mark.parametrize("locks", [True, False])
def test_a_journal_that_names_another_file_does_not_get_it_deleted(tmp_path: Path, locks: bool) -> None:
    make_gallery(tmp_path, {"a.jpg": ["exit"]}).close()
    catalog, victim = tmp_path / ".stsearch" / "catalog.sqlite3", tmp_path / "letters.txt"
    victim.write_text("dear Ada")
    catalog.with_name("catalog.sqlite3-journal").write_bytes(hot_journal(catalog, victim))
    with pytest.raises(GalleryDamagedError, match="names another file"):
        Connection(catalog, locks=locks)
    assert victim.exists()


@pytest.mark.parametrize("ending", ["-journal", "-wal", "-shm"])
def test_links_in_the_place_of_what_sqlite_writes_beside_a_catalog_are_refused(
    tmp_path: Path, ending: str
) -> None:
    make_gallery(tmp_path, {"a.jpg": ["exit"]}).close()
    catalog = tmp_path / ".stsearch" / "catalog.sqlite3"
    with contextlib.closing(sqlite3.connect(catalog)) as database:
        database.execute("PRAGMA journal_mode = WAL")
    catalog.with_name(f"{catalog.name}{ending}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(GalleryDamagedError, match=f"{ending} is a link"):
        Connection(catalog)
    assert not (tmp_path / "elsewhere").exists()
