"""Hits in files of several pages: each in its page, and words of two pages are no neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from gallery_fixtures import LetterEncoder, instance, make_gallery, spotted

from stsearch.gallery.gallery import Gallery
from stsearch.search.engine import SearchOptions, search
from stsearch.search.query import Query

ENCODER = LetterEncoder()


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with make_gallery(tmp_path, {"a.jpg": ["tea"]}) as opened:
        yield opened


def add_pages(gallery: Gallery, *words: tuple[int, str, float]) -> None:
    """Add a scan; each of ``words`` is given by its page, its text, and where it begins."""
    instances = [replace(instance(text, x=x), page=page) for page, text, x in words]
    gallery.add([replace(spotted("scan.tif"), instances=instances)])


def pages(gallery: Gallery, query: str) -> Sequence[int | None]:
    return [hit.page for hit in search(gallery, Query(query), ENCODER) if hit.score > 0.9]


def test_the_same_place_on_two_pages_is_two_hits(gallery: Gallery) -> None:
    add_pages(gallery, (1, "coffee", 5), (2, "coffee", 5), (2, "coffee", 6))
    assert pages(gallery, "coffee") == [1, 2]


def test_a_hit_in_a_photograph_of_one_page_names_none(gallery: Gallery) -> None:
    assert pages(gallery, "tea") == [None]


def test_a_phrase_lies_on_one_page(gallery: Gallery) -> None:
    add_pages(gallery, (1, "fresh", 0), (2, "bread", 24), (3, "fresh", 0), (3, "bread", 24))
    assert pages(gallery, '"fresh bread"') == [3]


def test_a_word_over_several_outlines_lies_on_one_page(gallery: Gallery) -> None:
    add_pages(gallery, (1, "photo", 0), (2, "graphy", 24), (3, "photo", 0), (3, "graphy", 24))
    found = search(gallery, Query("photography"), ENCODER)
    assert [(hit.page, hit.transcript) for hit in found if len(hit.matches) > 1] == [(3, "photo graphy")]


def test_several_words_may_lie_on_several_pages_of_one_file(gallery: Gallery) -> None:
    add_pages(gallery, (1, "fresh", 0), (2, "bread", 24))
    assert pages(gallery, "fresh bread") == [1, 2]
    [hit] = search(gallery, Query("bread fresh"), ENCODER, SearchOptions(top=1, group="photo"))
    assert hit.page in (1, 2)


def test_what_else_was_read_in_a_place_was_read_on_its_page(gallery: Gallery) -> None:
    add_pages(gallery, (1, "coffee", 5), (1, "coffe", 5), (2, "hotel", 5))
    [hit] = search(gallery, Query("coffee"), ENCODER, SearchOptions(top=1, explain=True))
    assert hit.matches[0].alternatives == ("coffe",)
