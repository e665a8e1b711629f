"""advice.py: searches that match where one does not; what a person sees of it is tested in e2e."""

from __future__ import annotations

from pathlib import Path

import pytest
from gallery_fixtures import LetterEncoder, make_gallery, make_set_gallery

from stsearch.search.engine import SearchOptions, find
from stsearch.search.query import Query

EXACT = SearchOptions(fuzzy=0, min_score=1e-6, advice=5)


@pytest.mark.parametrize(
    ("query", "advice"),
    [
        pytest.param("chatau", ("CHATEAU, 1 letter differs", "chatau", 1), id="a letter is missing"),
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
        for text in ("cofee", '"24 open"', "open starbucks", "zzz", "coffee -fresh", "fresh or zzz", "op?n9"):
            found = find(gallery, Query(text), LetterEncoder(), EXACT)
            assert found.hits or found.advice, text
            for each in found.advice:
                default = 0.6 if each.fuzzy is None else 1e-6
                least = default if each.min_score is None else each.min_score
                options = SearchOptions(fuzzy=each.fuzzy, min_score=least)
                assert find(gallery, Query(each.query), LetterEncoder(), options).hits, each


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
