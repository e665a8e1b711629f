"""Which words the views of one word may show, and how probable they hold each."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from stsearch.spotting.rescoring import CropReading, Hypothesis, hypotheses
from stsearch.text.charset import Charset
from stsearch.text.ctc import pack_posteriors
from stsearch.text.decoding import best_reading

CHARSET = Charset("abAB!")


def table_of(*rows: dict[str, float]) -> NDArray[np.float32]:
    """Return class probabilities from those of each character; what is left of a row ends the word."""
    table = np.zeros((len(rows), len(CHARSET)), np.float32)
    for place, row in enumerate(rows):
        for character, share in row.items():
            table[place, CHARSET.encode(character)[0]] = share
        table[place, 0] = 1 - sum(row.values())
    return table


def look(decoded: list[dict[str, float]], seen: list[dict[str, float]] | None = None) -> CropReading:
    """Return a view whose decoder and CTC posteriors say so; the end is added."""
    table = table_of(*decoded, {})
    columns = table_of(*(decoded if seen is None else seen))
    [packed] = pack_posteriors(np.log(np.maximum(columns, 1e-12))[None], CHARSET)
    return CropReading(table, best_reading(table, CHARSET), packed, upside_down=False)


def possible(looks: list[CropReading]) -> list[Hypothesis]:
    [found] = hypotheses([looks], CHARSET)
    return found


def best(looks: list[CropReading]) -> Hypothesis:
    return max(possible(looks), key=lambda candidate: candidate.score)


def test_what_decoder_and_columns_agree_on_is_best() -> None:
    assert best([look([{"a": 0.6, "b": 0.4}])]).word == "a"


def test_a_second_guess_of_the_decoder_wins_where_the_columns_saw_it() -> None:
    found = best([look([{"a": 0.6, "b": 0.4}], [{"a": 0.1, "b": 0.9}])])
    assert found.word == "b"
    assert found.view.best.text == "b"
    assert found.view.best.characters == pytest.approx([0.4])


def test_the_decoder_outweighs_columns_that_are_hardly_of_another_mind() -> None:
    assert best([look([{"a": 0.8, "b": 0.2}], [{"a": 0.45, "b": 0.55}])]).word == "a"


def test_spellings_of_one_word_speak_for_each_other() -> None:
    found = best([look([{"a": 0.3, "A": 0.3, "b": 0.4}], [{"a": 0.5, "b": 0.5}])])
    assert found.word == "a"
    assert found.view.best.text in ("a", "A")


def test_looks_are_added_up_and_the_surest_of_them_is_returned() -> None:
    unsure, sure, other = look([{"a": 0.4, "b": 0.35}]), look([{"a": 0.7}]), look([{"b": 0.8}])
    found = best([unsure, other, sure])
    assert found.word == "b"  # 0.35 + 0.8 of 0.4 + 0.7
    assert found.view.table is other.table
    assert best([unsure, sure]).view.table is sure.table


def test_every_word_is_named_once() -> None:
    found = possible([look([{"a": 0.5, "A": 0.3}]), look([{"A": 0.6, "b": 0.2}])])
    assert sorted(each.word for each in found) == sorted({each.word for each in found})


def test_what_a_look_holds_hardly_probable_is_no_candidate() -> None:
    found = possible([look([{"a": 0.95, "b": 0.05}], [{"b": 1.0}])])
    assert [each.word for each in found] == ["a"]


def test_a_sign_stays_a_sign() -> None:
    found = best([look([{"!": 0.7, "b": 0.2}])])
    assert (found.word, found.view.best.text) == ("", "!")


def test_a_word_that_the_columns_have_no_room_for_is_no_error() -> None:
    found = possible([look([{"a": 0.8}, {"b": 0.8}, {"a": 0.8}], [{"a": 1.0}])])
    assert "aba" in {each.word for each in found}


def test_words_are_judged_the_same_alone_and_together() -> None:
    one = [look([{"a": 0.6, "b": 0.4}], [{"a": 0.1, "b": 0.9}]), look([{"a": 0.5, "b": 0.4}])]
    two = [look([{"a": 0.5}, {"b": 0.5}])]
    together = hypotheses([one, two], CHARSET)
    alone = [possible(one), possible(two)]
    assert [[(c.word, c.score) for c in each] for each in together] == [
        [(c.word, c.score) for c in each] for each in alone
    ]
    assert hypotheses([], CHARSET) == []
