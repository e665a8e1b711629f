"""database.py: ordered migrations, with scripts made for the test; the rest is in test_catalog.py."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from stsearch.errors import GalleryDamagedError, NewerFormatError
from stsearch.gallery.database import Database

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
