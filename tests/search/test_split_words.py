"""split_words.py: one typed word over several outlines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, LetterEncoder, make_set_gallery, set_in_lines

from stsearch.gallery import gallery as gallery_module
from stsearch.gallery.gallery import Gallery
from stsearch.search.engine import SearchOptions, search
from stsearch.search.hits import Hit
from stsearch.search.query import Query
from stsearch.search.split_words import covering, pieces

OPTIONS = SearchOptions(min_score=0.6)


def find(folder: Path, query: str, *lines: str, options: SearchOptions = OPTIONS) -> list[Hit]:
    """Return the hits for ``query`` in one photograph of text set in lines."""
    with make_set_gallery(folder, {"a.jpg": lines}) as gallery:
        return search(gallery, Query(query), LetterEncoder(), options)


def test_a_word_that_goes_on_in_the_next_line_is_found_with_and_without_a_hyphen(tmp_path: Path) -> None:
    (hyphenated,) = find(tmp_path / "a", "photography", "The photo-", "graphy fair")
    (broken,) = find(tmp_path / "b", "photography", "The photo", "graphy fair")
    assert hyphenated.transcript == "photo- graphy"
    assert broken.transcript == "photo graphy"
    assert hyphenated.score > 0.9
    assert hyphenated.polygon[:, 1].max() - hyphenated.polygon[:, 1].min() == 50  # both lines


def test_digits_in_groups_are_found_as_one_number(tmp_path: Path) -> None:
    (hit,) = find(tmp_path, "0301234567", "Tel 030 1234567")
    assert (hit.transcript, hit.query) == ("030 1234567", "0301234567")
    assert [match.word for match in hit.matches] == ["030", "1234567"]


def test_letters_set_apart_are_found_as_a_word(tmp_path: Path) -> None:
    (hit,) = find(tmp_path, "courthouse", "C O U R T H O U S E")
    assert hit.transcript == "C O U R T H O U S E"


def test_an_address_in_pieces_is_found_though_one_is_misread(tmp_path: Path) -> None:
    (hit,) = find(tmp_path, "www.blumenladen-krause.de", "www. blumeniaden -krause .de")
    assert hit.transcript == "www. blumeniaden -krause .de"


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(("graphy photo",), id="in another order"),
        pytest.param(("photo", "", "", "graphy"), id="too far apart"),
        pytest.param(("photo to graphy",), id="with a word between"),
        pytest.param(("phono graphs",), id="all pieces misread"),
    ],
)
def test_what_does_not_follow_each_other_is_no_word(tmp_path: Path, lines: tuple[str, ...]) -> None:
    assert all(" " not in hit.transcript for hit in find(tmp_path, "photography", *lines))


def test_a_word_in_one_outline_comes_before_its_pieces_in_several(tmp_path: Path) -> None:
    with make_set_gallery(tmp_path, {"a.jpg": ["photo- graphy"], "b.jpg": ["photography"]}) as gallery:
        hits = search(gallery, Query("photography"), LetterEncoder(), OPTIONS)
    assert [hit.path.name for hit in hits] == ["b.jpg", "a.jpg"]


def test_two_letters_that_follow_each_other_are_no_word(tmp_path: Path) -> None:
    assert find(tmp_path, "ab", "A B", options=SearchOptions(min_score=0.8)) == []


def test_the_limit_of_edits_holds_for_all_pieces_together(tmp_path: Path) -> None:
    def found(folder: str, fuzzy: int) -> list[str]:
        options = SearchOptions(fuzzy=fuzzy, min_score=0.1)
        return [
            hit.transcript for hit in find(tmp_path / folder, "photography", "phoxo graphy", options=options)
        ]

    assert found("a", 0) == []
    assert found("b", 1) == ["phoxo graphy"]


def test_a_photo_counts_by_its_joined_word_and_leaves_where_it_is_unwanted(tmp_path: Path) -> None:
    signs = {"a.jpg": ["The photo-", "graphy fair"], "b.jpg": ["fair play"]}
    with make_set_gallery(tmp_path, signs) as gallery:
        options = SearchOptions(group="photo", min_score=0.6)
        both = search(gallery, Query("photography fair"), LetterEncoder(), options)
        without = search(gallery, Query("fair -photography"), LetterEncoder(), options)
    assert [hit.path.name for hit in both][:1] == ["a.jpg"]
    assert both[0].score > 0.9
    assert [hit.path.name for hit in without] == ["b.jpg"]


def test_pieces_that_were_hardly_read_do_not_make_a_word(tmp_path: Path) -> None:
    photo = set_in_lines("a.jpg", "photo graphy")
    doubtful = replace(photo, instances=[replace(each, confidence=0.01) for each in photo.instances])
    with Gallery.create(tmp_path / ".stsearch", tmp_path, MODEL) as gallery:
        gallery.add([doubtful])
        gallery.finish()
        hits = search(gallery, Query("photography"), LetterEncoder(), OPTIONS)
    assert all(" " not in hit.transcript for hit in hits)


def test_in_a_gallery_too_large_to_score_all_a_joined_word_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs = {f"{i}.jpg": ["lamp post", "zoo"] for i in range(30)} | {"a.jpg": ["The photo-", "graphy fair"]}
    make_set_gallery(tmp_path, signs).close()
    monkeypatch.setattr(gallery_module, "EXACT_LIMIT", 4)
    monkeypatch.setattr("stsearch.search.engine._CANDIDATES", 1)
    with Gallery.open(tmp_path) as gallery:
        (hit,) = search(gallery, Query("photography"), LetterEncoder(), SearchOptions(top=1, min_score=0.6))
    assert hit.transcript == "photo- graphy"


def test_pieces_are_all_parts_of_a_word_but_itself() -> None:
    assert pieces("abb") == {"a": [(0, 1)], "ab": [(0, 2)], "b": [(1, 2), (2, 3)], "bb": [(1, 3)]}
    assert pieces("ab") == pieces("a" * 51) == {}


def test_photos_whose_pieces_cover_half_of_a_word_are_looked_at_the_fullest_first() -> None:
    assert covering("abcdef", {"abc": [1, 2], "def": [2], "f": [3], "b": [1]}) == [2, 1]
