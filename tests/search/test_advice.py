"""advice.py: searches that match where one does not; what a person sees of it is tested in e2e."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gallery_fixtures import MODEL, LetterEncoder, make_gallery, make_set_gallery
from numpy.typing import NDArray

from stsearch.search.engine import SearchOptions, find
from stsearch.search.query import Query

EXACT = SearchOptions(fuzzy=0, min_score=1e-6, advice=5)


@pytest.mark.parametrize(
    ("query", "advice"),
    [
        pytest.param("chatau", ("CHATEAU, 1 letter differs", "chatau", 1), id="a letter is missing"),
        pytest.param("chaetau", ("CHATEAU, 2 letters swapped", "chaetau", 1), id="letters are swapped"),
        pytest.param("nikcschateua", ("nickschateau, 2 letters differ", "nikcschateua", 2), id="a long word"),
        pytest.param("nick", ("Nicks begins so", "nick*", None), id="a longer word begins so"),
        pytest.param("chat*ou", ("CHATEAU, 1 letter differs", "chat*ou", 1), id="a pattern"),
        pytest.param("nicks tile", ("'tile' is not found", "nicks", None), id="one of two is missing"),
    ],
)
def test_a_search_that_matches_is_proposed(
    tmp_path: Path, query: str, advice: tuple[str, str, int | None]
) -> None:
    signs = {"a.jpg": ["CHATEAU", "Nicks"], "b.jpg": ["nickschateau", "zoo"]}
    with make_gallery(tmp_path, signs) as gallery:
        found = find(gallery, Query(query), LetterEncoder(), EXACT)
    assert found.hits == []
    assert advice in [(each.reason, each.query, each.fuzzy) for each in found.advice]


def test_every_proposed_search_matches(tmp_path: Path) -> None:
    with make_set_gallery(
        tmp_path, {"a.jpg": ["Fresh Coffee", "open 24"], "b.jpg": ["Starbucks"]}
    ) as gallery:
        for text in ("cofee", '"24 open"', "open starbucks", "coffee -fresh", "fresh or zzz", "cofefe"):
            found = find(gallery, Query(text), LetterEncoder(), EXACT)
            assert found.hits or found.advice, text
            for each in found.advice:
                default = 0.6 if each.fuzzy is None else 1e-6
                least = default if each.min_score is None else each.min_score
                options = SearchOptions(fuzzy=each.fuzzy, min_score=least)
                assert find(gallery, Query(each.query), LetterEncoder(), options).hits, each


@pytest.mark.parametrize("query", ["zzzzqqqq", "zz*", "night"])
def test_what_no_word_resembles_has_no_advice(tmp_path: Path, query: str) -> None:
    with make_gallery(tmp_path, {"a.jpg": ["CHATEAU", "Nicks", "here"]}) as gallery:
        assert find(gallery, Query(query), LetterEncoder(), EXACT).advice == []


def test_of_the_words_that_differ_the_nearest_is_named(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"a.jpg": ["dinary", "LIBRARY"]}) as gallery:
        found = find(gallery, Query("libary"), LetterEncoder(), EXACT)
    assert [each.reason for each in found.advice[1:]] == [
        "LIBRARY, 1 letter differs",
        "LIBRARY is the nearest word",
    ]


@pytest.mark.parametrize(
    ("query", "nearly"),
    [
        pytest.param("gardn", ["GARDEN"], id="missing"),
        pytest.param("gardden", ["GARDEN"], id="doubled"),
        pytest.param("graden", ["GARDEN"], id="swapped"),
        pytest.param("gerdan", [], id="two of a short word"),
        pytest.param("resturent", ["Restaurant"], id="two of a long word"),
        pytest.param("open grden", ["GARDEN"], id="one of two words"),
    ],
)
def test_what_is_spelled_almost_so_is_shown(tmp_path: Path, query: str, nearly: list[str]) -> None:
    with make_gallery(tmp_path, {"a.jpg": ["GARDEN", "Restaurant", "OPEN"]}) as gallery:
        found = find(gallery, Query(query), LetterEncoder(), EXACT)
    assert sorted(hit.transcript for hit in found.nearly) == nearly


def test_a_misspelled_word_is_shown_below_hits_that_are_likelier_wrong_than_right(tmp_path: Path) -> None:
    class Misled(LetterEncoder):
        def __call__(self, words: Sequence[str]) -> NDArray[np.float32]:
            return super().__call__(["gard"] * len(words))

    encoder = Misled(replace(MODEL, calibration=((0.0, 0.5),)))
    options = SearchOptions(min_score=0.43, advice=1)
    with make_gallery(tmp_path, {"a.jpg": ["GARD"], "b.jpg": ["GARDEN"]}) as gallery:
        weak = find(gallery, Query("gardn"), encoder, options)
        sure = find(gallery, Query("gard"), encoder, options)
    assert [hit.transcript for hit in weak.hits] == ["GARD"]
    assert [hit.transcript for hit in weak.nearly] == ["GARDEN"]
    assert sure.nearly == []


def test_an_empty_gallery_has_no_advice(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"blank.jpg": []}) as gallery:
        assert find(gallery, Query("coffee"), LetterEncoder(), EXACT).advice == []


def test_nothing_is_proposed_where_something_matches_or_nobody_asks(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"a.jpg": ["coffee"]}) as gallery:
        assert find(gallery, Query("coffee"), LetterEncoder(), EXACT).advice == []
        silent = SearchOptions(fuzzy=0, min_score=1e-6)
        assert find(gallery, Query("cofee"), LetterEncoder(), silent).advice == []


def test_a_word_that_only_its_score_keeps_from_being_a_hit_does_not_differ_by_a_letter(
    tmp_path: Path,
) -> None:
    strict = SearchOptions(min_score=1.1, advice=1)  # more than any score
    with make_gallery(tmp_path, {"a.jpg": ["coffee"]}) as gallery:
        assert find(gallery, Query("coffee"), LetterEncoder(), strict).nearly == []
        [near] = find(gallery, Query("cofee"), LetterEncoder(), strict).nearly
    assert near.transcript == "coffee"


def test_hits_beyond_those_returned_are_counted(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {f"{number}.jpg": ["coffee"] for number in range(9)}) as gallery:
        found = find(gallery, Query("coffee"), LetterEncoder(), SearchOptions(top=2, min_score=0.6, advice=1))
    assert (len(found.hits), found.total) == (2, 9)
