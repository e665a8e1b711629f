"""Databases of word crops, written by the test under the keys of the recognition benchmarks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from dataset_fixtures import save_word_set

from stsearch.datasets.lmdb_crops import WORD_SETS, WordSet, find_word_sets
from stsearch.errors import DataError

lmdb = pytest.importorskip("lmdb")


def test_crops_are_counted_from_one(tmp_path: Path) -> None:
    folder = save_word_set(tmp_path / "CUTE80", [(b"one", "Café"), (b"two", "Open 24")])
    assert list(WordSet("CUTE80", folder).read()) == [(b"one", "Café"), (b"two", "Open 24")]


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    folder = save_word_set(tmp_path / "CUTE80", [(b"one", "exit")])
    with lmdb.open(str(folder)) as database, database.begin(write=True) as transaction:
        transaction.put(b"num-samples", b"2")
    with pytest.raises(DataError, match="CUTE80: no label-000000002"):
        list(WordSet("CUTE80", folder).read())


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"no database" * 1000)
    with pytest.raises(DataError, match=tmp_path.name):
        list(WordSet("x", tmp_path).read())


def test_without_the_package_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lmdb", None)
    with pytest.raises(DataError, match=r"pip install 'stsearch\[benchmarks\]'"):
        list(WordSet("x", tmp_path).read())


def test_a_folder_of_all_sets_gives_every_one(tmp_path: Path) -> None:
    for name in WORD_SETS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.mdb").touch()
    assert [each.name for each in find_word_sets([tmp_path])] == list(WORD_SETS)
    assert [each.name for each in find_word_sets([tmp_path / "SVTP"])] == ["SVTP"]


def test_missing_sets_are_named_with_where_they_are_published(tmp_path: Path) -> None:
    for name in set(WORD_SETS) - {"Uber", "ArT"}:
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.mdb").touch()
    with pytest.raises(DataError, match=r"no ArT/data\.mdb \(word crops\), no Uber/data\.mdb.*baudm/parseq"):
        find_word_sets([tmp_path])
