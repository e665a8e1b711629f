from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from stsearch.text.charset import PRINTABLE, Charset
from stsearch.text.decoding import best_reading, n_best, probability

ABC = Charset("abc")


def table(*rows: tuple[float, float, float, float]) -> np.ndarray:
    """Return class probabilities: of the end, of a, b and c."""
    return np.array(rows, np.float32)


def test_a_reading_ends_at_the_first_end_and_keeps_the_probability_of_every_character() -> None:
    reading = best_reading(table((0.1, 0.6, 0.2, 0.1), (0.5, 0.3, 0.1, 0.1), (0.0, 1.0, 0.0, 0.0)), ABC)
    assert reading.text == "a"
    assert reading.probabilities == pytest.approx((0.6, 0.5))
    assert reading.confidence == pytest.approx(0.3)


def test_a_word_that_fills_all_positions_has_no_end() -> None:
    reading = best_reading(table((0.1, 0.1, 0.1, 0.7), (0.1, 0.1, 0.6, 0.2)), ABC)
    assert (reading.text, len(reading.probabilities)) == ("cb", 2)


def test_reading_nothing_has_no_confidence() -> None:
    assert best_reading(table((0.9, 0.1, 0.0, 0.0)), ABC).confidence == 0.0


def test_the_n_best_are_the_most_probable_strings_in_order() -> None:
    random = np.random.default_rng(3)
    probabilities = random.dirichlet(np.ones(4), 4).astype(np.float32)
    every: dict[str, float] = {}
    for classes in itertools.product(range(4), repeat=4):
        length = classes.index(0) if 0 in classes else 4
        used = range(min(length + 1, 4))
        every[ABC.decode(classes[:length])] = math.prod(float(probabilities[i, classes[i]]) for i in used)
    expected = sorted(every, key=lambda text: -every[text])
    assert [reading.text for reading in n_best(probabilities, ABC, 30)] == expected[:30]


def test_there_are_no_more_readings_than_there_are_strings() -> None:
    assert [r.text for r in n_best(table((0.4, 0.3, 0.2, 0.1)), ABC, 9)] == ["", "a", "b", "c"]


def test_readings_of_an_unsure_long_word_are_found_at_once() -> None:
    flat = np.full((26, 95), 1 / 95, np.float32)
    assert len(n_best(flat, Charset(PRINTABLE), 5)) == 5


def test_the_probability_of_a_word_is_that_of_its_characters_and_its_end() -> None:
    looks = table((0.1, 0.6, 0.2, 0.1), (0.5, 0.3, 0.1, 0.1), (0.25, 0.25, 0.25, 0.25))
    assert probability(looks, ABC.encode("a")) == pytest.approx(0.6 * 0.5)
    assert probability(looks, ABC.encode("cab")) == pytest.approx(0.1 * 0.3 * 0.25)  # nothing follows
    assert probability(looks, []) == pytest.approx(0.1)
    assert probability(looks, ABC.encode("aaaa")) == 0.0  # longer than was looked
