"""phrases.py: reading order from outlines, at any size and angle."""

from __future__ import annotations

import numpy as np
import pytest
from gallery_fixtures import MODEL, embed
from numpy.typing import NDArray
from search_fixtures import candidates_of, table_of

from stsearch.search.phrases import find_phrase, successors
from stsearch.search.query import Term
from stsearch.search.scoring import Scorer
from stsearch.text.wildcards import fixed_part
from stsearch.types import Polygon


def word(x: float, y: float, width: float = 30, height: float = 10) -> Polygon:
    return np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)


def turned(polygon: Polygon, degrees: float, scale: float = 1) -> Polygon:
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(scale * polygon @ turn + 1000, np.float32)


PAIRS = [
    pytest.param(word(0, 0), word(34, 0), True, id="beside"),
    pytest.param(word(0, 0), word(44, 0), True, id="1.4 heights away"),
    pytest.param(word(0, 0), word(46, 0), False, id="1.6 heights away"),
    pytest.param(word(0, 0), word(27, 0), True, id="outlines overlap a little"),
    pytest.param(word(0, 0), word(20, 0), False, id="outlines overlap much"),
    pytest.param(word(34, 0), word(0, 0), False, id="backwards"),
    pytest.param(word(0, 0), word(34, 4), True, id="baseline 0.4 heights down"),
    pytest.param(word(0, 0), word(34, 6), False, id="baseline 0.6 heights down"),
    pytest.param(word(0, 0), word(36, -10, height=20), True, id="twice as high, on one baseline"),
    pytest.param(word(0, 0), word(0, 14), True, id="on the next line"),
    pytest.param(word(0, 0, width=60), word(20, 14, width=20), True, id="on the next line, centred"),
    pytest.param(word(20, 0, width=20), word(0, 14, width=60), True, id="on a longer next line"),
    pytest.param(word(0, 0), word(0, 19), True, id="0.9 heights below"),
    pytest.param(word(0, 0), word(0, 21), False, id="1.1 heights below"),
    pytest.param(word(0, 14), word(0, 0), False, id="on the line above"),
    pytest.param(word(0, 0), word(80, 14), False, id="below, but in another column"),
    pytest.param(word(0, 0), turned(word(0, 0), 45) - 1000 + 34, False, id="at another angle"),
]


@pytest.mark.parametrize(("first", "second", "follows"), PAIRS)
@pytest.mark.parametrize(("degrees", "scale"), [(0, 1), (90, 1), (20, 7.5), (180, 0.3)])
def test_a_word_follows_another_at_any_angle_and_size(
    first: Polygon, second: Polygon, follows: bool, degrees: float, scale: float
) -> None:
    polygons = [turned(first, degrees, scale), turned(second, degrees, scale)]
    assert bool(successors(polygons)[0, 1]) is follows


def test_no_word_follows_itself() -> None:
    assert not successors([word(0, 0), word(34, 0), word(0, 14)]).diagonal().any()


def test_the_next_line_begins_with_its_first_word() -> None:
    follows = successors([word(0, 0), word(34, 0), word(0, 14), word(34, 14)])
    assert np.argwhere(follows).tolist() == [[0, 1], [1, 2], [2, 3]]


def test_a_bent_word_is_followed_where_it_ends() -> None:
    arch = np.array([[0, 10], [15, 0], [30, 10], [30, 20], [15, 10], [0, 20]], np.float32)
    assert np.argwhere(successors([arch, word(34, 10)])).tolist() == [[0, 1]]


Found = tuple[NDArray[np.float32], list[list[tuple[str, int]]]]


def find(phrase: str, words: dict[str, Polygon], fuzzy: int | None = None, min_score: float = 0.0) -> Found:
    """Return the scores and the chains of ``phrase`` in one photograph; a # keeps words apart."""
    table = table_of(*(name.rstrip("#") for name in words))
    table.contents[:] = 1
    term, outlines = Term(tuple(phrase.split())), list(words.values())
    embeddings = {fixed_part(run): embed(fixed_part(run)) for run in term.joined_words().values()}
    scorer = Scorer(candidates_of(table, outlines=outlines), embeddings, MODEL, fuzzy)
    scores, chains = find_phrase(term, scorer, min_score)
    return scores, [list(chain) for chain in chains.values()]


def test_a_phrase_is_found_over_two_lines() -> None:
    scores, chains = find("open 24 hours", {"24": word(34, 0), "OPEN": word(0, 0), "Hours": word(0, 14)})
    assert chains == [[("open", 1), ("24", 0), ("hours", 2)]]
    assert scores.tolist() == pytest.approx([-1, 1, -1], abs=1e-5)


def test_words_in_another_order_are_no_phrase() -> None:
    scores, chains = find("open 24", {"24": word(0, 0), "open": word(34, 0)})
    assert (scores.max(), chains) == (-1, [])


def test_a_missing_word_is_not_made_up_for_by_the_others() -> None:
    assert find("open 24 hours", {"open": word(0, 0), "24": word(34, 0), "pizza": word(68, 0)})[1] == []


def test_every_occurrence_of_a_phrase_is_found() -> None:
    words = {"to": word(0, 0), "go": word(34, 0), "to#": word(0, 100), "go#": word(34, 100)}
    assert find("to go", words)[1] == [[("to", 0), ("go", 1)], [("to", 2), ("go", 3)]]


def test_of_two_chains_that_begin_alike_the_better_is_kept() -> None:
    words = {"open": word(0, 0), "24": word(34, 0), "25": word(34, 3)}
    assert find("open 24", words)[1] == [[("open", 0), ("24", 1)]]


@pytest.mark.parametrize(
    ("transcript", "found"),
    [
        pytest.param("coldstorage", True, id="run together"),
        pytest.param("ColdStorags", True, id="run together, one letter misread"),
        pytest.param("storage", False, id="one word of the two"),
        pytest.param("cold", False, id="the other word"),
    ],
)
def test_one_instance_may_hold_the_words_run_together(transcript: str, found: bool) -> None:
    assert bool(find("cold storage", {transcript: word(0, 0)})[1]) is found


def test_a_part_of_a_phrase_may_be_run_together() -> None:
    assert find("open 24 hours", {"open24": word(0, 0), "hours": word(34, 0)})[1] == [
        [("open24", 0), ("hours", 1)]
    ]


def test_a_word_of_a_phrase_may_have_wildcards() -> None:
    assert find("open 2? h*", {"open": word(0, 0), "24": word(34, 0), "hours": word(68, 0)})[1] == [
        [("open", 0), ("2?", 1), ("h*", 2)]
    ]


def test_the_limit_of_edits_holds_for_every_word_of_a_phrase() -> None:
    words = {"opem": word(0, 0), "24": word(34, 0)}
    assert find("open 24", words, fuzzy=0)[1] == []
    assert find("open 24", words, fuzzy=1)[1] == [[("open", 0), ("24", 1)]]


def test_photos_that_cannot_score_enough_are_not_looked_at() -> None:
    words = {"opem": word(0, 0), "25": word(34, 0)}
    assert find("open 24", words)[1] != []
    assert find("open 24", words, min_score=0.9)[1] == []
