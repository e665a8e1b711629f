"""Pages and what could not be read of them, in a catalog of this format and of the one before."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from gallery_fixtures import DIM, FIRST_FORMAT, instance, spotted

from stsearch.gallery.catalog import Catalog
from stsearch.gallery.database import Database
from stsearch.gallery.records import Linked, PhotoFile
from stsearch.gallery.schema import MIGRATIONS


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    with closing(Catalog(tmp_path / "catalog.sqlite3", create=True)) as opened:
        yield opened


def test_the_page_of_an_instance_is_kept(catalog: Catalog) -> None:
    scan = spotted("scan.tif")
    words = [dataclasses.replace(instance("exit"), page=2), dataclasses.replace(instance("exit"), page=3)]
    catalog.add([spotted("a.jpg", "tea"), dataclasses.replace(scan, instances=words)])
    assert [each.page for each in catalog.details_of(catalog.instance_ids()).values()] == [None, 2, 3]
    table = catalog.instances(DIM)
    assert table.pages.tolist() == [0, 2, 3]
    assert len(set(table.surfaces.tolist())) == 3
    assert [each.page for each in catalog.readings_of([2])[2]] == [2, 3]
    assert list(catalog.faults(DIM)) == []


def test_photographs_read_in_part_are_listed_under_each_of_their_names(catalog: Catalog) -> None:
    cut = dataclasses.replace(spotted("cut.jpg", "tea"), note="incomplete: it ends")
    catalog.add([spotted("whole.jpg"), cut, Linked(PhotoFile("a copy.jpg", 100, 1), cut.sha256)])
    found = [(each.file.path, each.note) for each in catalog.incomplete()]
    assert found == [("a copy.jpg", "incomplete: it ends"), ("cut.jpg", "incomplete: it ends")]
    assert catalog.counts().incomplete == 2


def test_a_catalog_of_the_first_format_opens_with_its_words_on_no_page(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    word = instance("exit")
    arrays = (word.polygon.tobytes(), word.score, "exit", "exit", word.confidence)
    vector = word.embedding.astype("float16").tobytes()
    with closing(Database(path, MIGRATIONS[:1], FIRST_FORMAT, create=True)) as database:
        database.insert("contents", [(1, "sha", 48, 64, None)])
        database.insert("images", [(b"a.jpg", 100, 1, "ok", 1, None)])
        database.insert("instances", [(1, 1, *arrays, vector, b"", b"")])
    with closing(Catalog(path)) as opened:
        assert list(opened.faults(DIM)) == []
        assert opened.instances(DIM).pages.tolist() == [0]
        assert opened.details_of([1])[1].page is None
        assert opened.incomplete() == []
        opened.remove(["a.jpg"])
        assert list(opened.faults(DIM)) == []


def test_reading_again_replaces_the_note_of_what_was_missing(catalog: Catalog) -> None:
    cut = dataclasses.replace(spotted("cut.jpg", "tea"), note="incomplete: it ends", is_rough=True)
    catalog.add([cut])
    assert catalog.counts().incomplete == 1
    catalog.add([dataclasses.replace(cut, note=None, is_rough=False)])
    assert catalog.incomplete() == []
    assert list(catalog.faults(DIM)) == []
