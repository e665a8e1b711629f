"""reading_index.py: transcripts by what they hold."""

from __future__ import annotations

import pytest

from stsearch.text.reading_index import ReadingIndex


def test_rows_are_found_by_the_whole_folded_reading() -> None:
    assert ReadingIndex(["Café", "CAFE!", "cafes"]).rows_of(["cafe", "tea"]) == {"cafe": [0, 1]}


def test_a_token_is_divided_at_punctuation_and_says_where_its_parts_are() -> None:
    parts = ReadingIndex(["Exit", "a.b-C", "-krause", ""]).parts
    assert parts.texts == ("a", "b", "c")
    assert parts.rows.tolist() == [1, 1, 1]
    assert parts.patterns == ("{}*", "*{}*", "*{}")


@pytest.mark.parametrize(
    ("word", "found"),
    [
        pytest.param("obst", [(0, "obstgemuse")], id="before a stroke"),
        pytest.param("gemuse", [(0, "obstgemuse")], id="after a stroke"),
        pytest.param("ob", [], id="no stroke follows"),
        pytest.param("obstigemuse", [], id="nothing beside it"),
        pytest.param("a", [(3, "ab"), (4, "ac")], id="one letter"),
    ],
)
def test_parts_beside_a_stroke_are_found(word: str, found: list[tuple[int, str]]) -> None:
    index = ReadingIndex(["OBSTIGEMUSE", "obst", "", "alb", "a1c", "ai", "ia"])
    assert list(index.beside_stroke(word)) == found


def test_texts_that_repeat_are_kept_once_and_spread_to_their_rows() -> None:
    index = ReadingIndex(["Tea", "exit", "TEA!", ""])
    assert index.distinct == ("tea", "exit", "")
    assert [index.distinct[number] for number in index.numbers] == list(index.folded)
    assert index.lengths.tolist() == [3, 4, 3, 0]
    assert index.letters.tolist() == [[*b"tea", 0], [*b"exit"], [0, 0, 0, 0]]


def test_rows_are_found_once_by_what_they_hold() -> None:
    assert ReadingIndex(["banana", "tea", "Ananas", ""]).holding("ana") == [0, 2]
