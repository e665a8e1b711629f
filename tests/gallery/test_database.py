"""database.py: migrations, and reading beside writers; the rest is in test_catalog.py."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from stsearch.errors import GalleryDamagedError, GalleryUnreadableError, NewerFormatError, WriteError
from stsearch.gallery.connection import Connection
from stsearch.gallery.database import Database, Row

FIRST = "CREATE TABLE signs (id INTEGER PRIMARY KEY, text TEXT NOT NULL, checksum INTEGER NOT NULL)"
SECOND = """
    ALTER TABLE signs ADD COLUMN colour TEXT;
    UPDATE signs SET checksum = checksum - row_checksum(id, text) + row_checksum(id, text, colour);
"""
THIRD = "CREATE INDEX signs_text ON signs (text)"
OLD, NEW = {"signs": "id, text, checksum"}, {"signs": "id, text, colour, checksum"}


def open_new(path: Path, *scripts: str) -> Database:
    return Database(path, scripts or (FIRST, SECOND, THIRD), NEW, create=False)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """Return a file of format 1 with one row."""
    with contextlib.closing(Database(tmp_path / "file", [FIRST], OLD, create=True)) as database:
        database.insert("signs", [(1, "exit")])
    return tmp_path / "file"


def test_a_file_of_an_older_format_runs_the_scripts_it_lacks_in_order(old: Path) -> None:
    with contextlib.closing(open_new(old)) as database:
        assert list(database.among("signs", "id", [1])) == [(1, "exit", None)]
        assert list(database.rows("PRAGMA user_version")) == [(3,)]


def test_a_file_of_the_newest_format_runs_none(old: Path) -> None:
    open_new(old).close()
    before = old.read_bytes()
    open_new(old).close()
    assert old.read_bytes() == before


def test_damage_to_a_file_of_an_older_format_is_still_found_in_the_new_one(old: Path) -> None:
    with contextlib.closing(Database(old, [FIRST], OLD, create=False)) as database:
        database.execute("UPDATE signs SET text = 'exid'")
    with (
        contextlib.closing(open_new(old)) as database,
        pytest.raises(GalleryDamagedError, match="row 1 of signs does not match its checksum"),
    ):
        list(database.among("signs", "id", [1]))


def test_a_migration_that_fails_leaves_the_file_as_it_was(old: Path) -> None:
    before = old.read_bytes()
    with pytest.raises(GalleryDamagedError):
        open_new(old, FIRST, "DELETE FROM signs; no statement")
    assert old.read_bytes() == before


def test_a_file_of_a_newer_format_is_refused_untouched(old: Path) -> None:
    open_new(old).close()
    before = old.read_bytes()
    with pytest.raises(NewerFormatError, match="has format 3, this version reads up to 1: upgrade stsearch"):
        Database(old, [FIRST], OLD, create=False)
    assert old.read_bytes() == before


def signs(database: Database) -> list[Row]:
    return list(database.among("signs", "id", [1, 2]))


def test_of_two_that_open_an_older_file_at_once_both_succeed(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = Connection.transaction

    def come_second(connection: Connection) -> AbstractContextManager[None]:
        monkeypatch.setattr(Connection, "transaction", begin)
        open_new(old).close()
        return begin(connection)

    monkeypatch.setattr(Connection, "transaction", come_second)
    with contextlib.closing(open_new(old)) as database:
        assert list(database.rows("PRAGMA user_version")) == [(3,)]


@pytest.mark.parametrize(
    "statement",
    [
        pytest.param("CREATE TABLE diary (entry TEXT)", id="another program"),
        pytest.param("CREATE VIEW signs AS SELECT 1", id="a view"),
    ],
)
def test_the_file_of_another_program_is_refused_untouched(tmp_path: Path, statement: str) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / "file")) as database:
        database.execute(statement)
    before = (tmp_path / "file").read_bytes()
    with pytest.raises(GalleryDamagedError, match="its tables are not those of a gallery"):
        Database(tmp_path / "file", [FIRST], OLD, create=True)
    assert (tmp_path / "file").read_bytes() == before


def test_a_trigger_that_was_not_ours_is_refused(old: Path) -> None:
    with contextlib.closing(sqlite3.connect(old)) as database:
        database.execute("CREATE TRIGGER harm AFTER DELETE ON signs BEGIN DELETE FROM signs; END")
    with pytest.raises(GalleryDamagedError, match="its tables are not those of a gallery"):
        Database(old, [FIRST], OLD)


def test_a_reader_that_takes_its_time_holds_up_no_writer_and_reads_again(old: Path) -> None:
    attempts: list[int] = []
    with (
        contextlib.closing(Database(old, [FIRST], OLD)) as writer,
        contextlib.closing(Database(old, [FIRST], OLD, reads_only=True)) as reader,
    ):

        def read_slowly() -> list[Row]:
            before = signs(reader)
            if not attempts:
                writer.insert("signs", [(2, "taxi")])  # would wait for ten seconds, and fail
            attempts.append(len(before))
            return signs(reader)

        writer._with_locks._sqlite.execute("PRAGMA busy_timeout = 0")  # type: ignore[union-attr]  # it has one
        version = reader.version()
        assert reader.consistently(read_slowly) == [(1, "exit"), (2, "taxi")]
        assert attempts == [1, 2]
        assert reader.version() != version


def test_a_reader_waits_with_locks_while_another_is_writing(old: Path) -> None:
    with (
        contextlib.closing(Database(old, [FIRST], OLD)) as writer,
        contextlib.closing(Database(old, [FIRST], OLD, reads_only=True)) as reader,
    ):
        with writer.transaction():
            writer.insert("signs", [(2, "taxi")])
            assert reader.version() != reader.version()
            assert signs(reader) == [(1, "exit")]
        assert signs(reader) == [(1, "exit"), (2, "taxi")]


def test_a_reader_goes_on_with_the_file_that_replaced_the_one_it_opened(old: Path, tmp_path: Path) -> None:
    with contextlib.closing(Database(tmp_path / "backup", [FIRST], OLD, create=True)) as backup:
        backup.insert("signs", [(1, "hotel")])
    with contextlib.closing(Database(old, [FIRST], OLD, reads_only=True)) as reader:
        version = reader.version()
        (tmp_path / "backup").replace(old)
        assert signs(reader) == [(1, "hotel")]
        assert reader.version() != version
        old.write_bytes(b"no gallery")
        with pytest.raises(GalleryDamagedError):
            signs(reader)


def test_damage_that_is_read_without_locks_is_found_with_them_too(old: Path) -> None:
    with contextlib.closing(sqlite3.connect(old)) as database:
        database.execute("UPDATE signs SET text = 'exid'")
        database.commit()
    with (
        contextlib.closing(Database(old, [FIRST], OLD, reads_only=True)) as reader,
        pytest.raises(GalleryDamagedError, match="row 1 of signs does not match its checksum"),
    ):
        signs(reader)


def write_nowhere_but_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a disk be read-only, for root as well."""
    connect = Database._connect

    def refuse(database: Database, path: Path, create: bool) -> Connection:
        if not path.is_relative_to(folder):
            raise WriteError(f"cannot write {path}: attempt to write a readonly database")
        return connect(database, path, create)

    monkeypatch.setattr(Database, "_connect", refuse)
    monkeypatch.setattr("tempfile.tempdir", str(folder))


@pytest.fixture
def read_only(old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the one folder that can be written to: that of temporary files."""
    (tmp_path / "temporary").mkdir()
    write_nowhere_but_in(tmp_path / "temporary", monkeypatch)
    return tmp_path / "temporary"


def test_an_older_format_on_a_read_only_disk_is_read_through_a_copy(old: Path, read_only: Path) -> None:
    before = old.read_bytes()
    with contextlib.closing(Database(old, (FIRST, SECOND, THIRD), NEW, reads_only=True)) as reader:
        assert signs(reader) == [(1, "exit", None)]
        assert len(list(read_only.iterdir())) == 1
    assert list(read_only.iterdir()) == []
    assert old.read_bytes() == before


def test_a_file_whose_writer_died_is_read_through_a_copy_where_it_cannot_be_mended(
    old: Path, tmp_path: Path, read_only: Path
) -> None:
    dead, size = tmp_path / "dead", old.stat().st_size
    with contextlib.closing(sqlite3.connect(old, isolation_level=None)) as writer:
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN IMMEDIATE")
        writer.executemany("INSERT INTO signs VALUES (?, ?, 0)", [(n, "x" * 900) for n in range(2, 90)])
        shutil.copyfile(old, dead)
        shutil.copyfile(tmp_path / "file-journal", tmp_path / "dead-journal")
    assert dead.stat().st_size > size  # some of what it wrote is there already
    with contextlib.closing(Database(dead, [FIRST], OLD, reads_only=True)) as reader:
        assert signs(reader) == [(1, "exit")]


def test_what_can_be_neither_changed_nor_copied_says_what_helps(
    old: Path, read_only: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", fail)
    with pytest.raises(GalleryUnreadableError, match="search it once where it may be written to"):
        Database(old, (FIRST, SECOND, THIRD), NEW, reads_only=True)


def test_a_reader_of_an_older_format_goes_on_without_locks_once_it_is_new(old: Path) -> None:
    with contextlib.closing(Database(old, (FIRST, SECOND, THIRD), NEW, reads_only=True)) as reader:
        assert signs(reader) == [(1, "exit", None)]
        assert reader._without_locks is not None
