from __future__ import annotations

import numpy as np
import pytest

from stsearch.synth.corpus import BUILTIN_WORDS, Corpus
from stsearch.text.charset import strip_accents


@pytest.fixture(scope="module")
def drawn() -> list[str]:
    rng = np.random.default_rng(0)
    corpus = Corpus(BUILTIN_WORDS, np.ones(len(BUILTIN_WORDS)))
    return [corpus.word(rng) for _ in range(6000)]


def test_words_have_1_to_25_characters_and_no_white_space(drawn: list[str]) -> None:
    assert {len(w) for w in drawn} == set(range(1, 26))
    assert not any(c.isspace() for w in drawn for c in w)


def test_a_third_each_is_upper_case_and_capitalised(drawn: list[str]) -> None:
    letters = [w for w in drawn if w.isalpha() and len(w) > 1]
    assert 0.3 < sum(w.isupper() for w in letters) / len(letters) < 0.48
    assert 0.2 < sum(w.istitle() for w in letters) / len(letters) < 0.45


def test_a_tenth_or_more_holds_a_digit(drawn: list[str]) -> None:
    assert sum(any(c.isdigit() for c in w) for w in drawn) > 600


def test_most_are_words_of_the_list_as_on_real_signs(drawn: list[str]) -> None:
    listed = set(BUILTIN_WORDS)
    assert 0.55 < sum(w.lower() in listed for w in drawn) / len(drawn) < 0.75


def test_every_letter_and_digit_occurs_often(drawn: list[str]) -> None:
    text = "".join(drawn).lower()
    assert min(text.count(c) for c in "abcdefghijklmnopqrstuvwxyz0123456789") > 150


def test_some_words_have_accents_and_some_punctuation(drawn: list[str]) -> None:
    assert sum(strip_accents(w) != w for w in drawn) > 60
    assert sum(w[-1] in ".,!?:;" for w in drawn) > 60


def test_a_frequent_word_is_drawn_more_often_than_a_rare_one() -> None:
    rng = np.random.default_rng(1)
    corpus = Corpus(("often", "never"), np.array([1000.0, 1.0]))
    words = [corpus.word(rng).lower() for _ in range(2000)]
    assert words.count("often") > 2 * words.count("never")


def test_the_words_of_a_line_share_their_case_now_and_then() -> None:
    rng = np.random.default_rng(2)
    corpus = Corpus(BUILTIN_WORDS, np.ones(len(BUILTIN_WORDS)))
    lines = ["".join(corpus.line(rng, 4)) for _ in range(100)]
    assert sum(line.upper() == line for line in lines) > 20
