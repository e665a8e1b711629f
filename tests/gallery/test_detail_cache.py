"""Details are read once for all searches, and again once something was written."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
from gallery_fixtures import make_gallery, spotted

from stsearch.gallery import detail_cache
from stsearch.gallery.detail_cache import DetailCache
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.records import Detail


@pytest.fixture
def reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Gallery, list[set[int]]]:
    """Return an open gallery of three words, and what is read of its catalog from now on."""
    make_gallery(tmp_path, {"a.jpg": ["one", "two"], "b.jpg": ["three"]}).close()
    gallery, seen = Gallery.open(tmp_path), []
    read = gallery.catalog.details_of

    def details_of(ids: Iterable[int]) -> dict[int, Detail]:
        seen.append(set(ids))
        return read(seen[-1])

    monkeypatch.setattr(gallery.catalog, "details_of", details_of)
    return gallery, seen


def test_only_what_was_not_read_before_is_read(reads: tuple[Gallery, list[set[int]]]) -> None:
    gallery, seen = reads
    cache = DetailCache(gallery.catalog)
    assert set(cache.of([1, 2])) == {1, 2}
    assert set(cache.of([2, 3])) == {2, 3}
    assert seen == [{1, 2}, {3}]


def test_everything_is_read_again_once_another_process_has_written(
    reads: tuple[Gallery, list[set[int]]], tmp_path: Path
) -> None:
    gallery, seen = reads
    cache = DetailCache(gallery.catalog)
    cache.of([1])
    with Gallery.edit(tmp_path / ".stsearch") as writer:
        writer.add([spotted("c.jpg", "four")])
    cache.of([1])
    assert seen == [{1}, {1}]


def test_what_was_removed_is_not_remembered(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"a.jpg": ["one"], "b.jpg": ["two"]}) as gallery:
        assert set(gallery.details_of([1, 2])) == {1, 2}
        gallery.remove(["a.jpg"])
        assert set(gallery.catalog.details_of([1, 2])) == {2}
        assert set(gallery.details_of([2])) == {2}


def test_of_more_than_are_kept_those_read_first_leave(
    reads: tuple[Gallery, list[set[int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, seen = reads
    monkeypatch.setattr(detail_cache, "_MAX_DETAILS", 2)
    cache = DetailCache(gallery.catalog)
    cache.of([1])
    cache.of([2])
    assert set(cache.of([1, 3])) == {1, 3}
    cache.of([1, 3])
    cache.of([2])
    assert seen == [{1}, {2}, {3}, {2}]


def test_more_than_are_kept_are_returned_all_the_same(
    reads: tuple[Gallery, list[set[int]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detail_cache, "_MAX_DETAILS", 1)
    assert set(DetailCache(reads[0].catalog).of([1, 2, 3])) == {1, 2, 3}
