"""CTC posteriors, kept in bytes, and what words they make likely."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stsearch.text.charset import Charset
from stsearch.text.ctc import (
    CLASSES,
    decode_best_path,
    pack_posteriors,
    pair_likelihoods,
    read_best_path,
    word_likelihoods,
)

CHARSET = Charset("aAbB!é")


def posteriors_of(*rows: dict[str, float]) -> bytes:
    """Return the CTC posteriors of one crop from the probability of each character; the rest is blank."""
    table = np.full((1, len(rows), len(CHARSET)), 1e-12, np.float32)
    for column, row in enumerate(rows):
        table[0, column, 0] = 1 - sum(row.values()) + 1e-12
        for character, share in row.items():
            table[0, column, CHARSET.encode(character)[0]] = share
    return pack_posteriors(np.log(table), CHARSET)[0]


def likelihood(word: str, columns: bytes) -> float:
    return float(word_likelihoods(word, [columns])[0])


def test_what_was_seen_is_certain_and_what_was_not_is_not() -> None:
    columns = posteriors_of({"a": 1.0}, {}, {"b": 1.0})
    assert likelihood("ab", columns) == pytest.approx(1.0)
    assert likelihood("aab", columns) < 0.1
    assert likelihood("ba", columns) < 0.01


def test_a_second_guess_is_likelier_than_one_that_nobody_made() -> None:
    columns = posteriors_of({"a": 0.6, "b": 0.39}, {"b": 1.0})
    seen, second, none = (likelihood(word, columns) for word in ("ab", "b", "bbb"))
    assert seen == pytest.approx(0.6 ** (1 / 4), abs=0.02)
    assert seen > second > none


def test_case_and_accents_are_folded_and_signs_are_blank() -> None:
    columns = posteriors_of({"a": 0.5, "A": 0.5}, {"!": 1.0}, {"é": 1.0})
    assert likelihood("ae", columns) == pytest.approx(1.0)


def test_equal_characters_need_a_blank_between_them() -> None:
    assert likelihood("aa", posteriors_of({"a": 1.0}, {"a": 1.0})) < 0.1
    assert likelihood("aa", posteriors_of({"a": 1.0}, {}, {"a": 1.0})) == pytest.approx(1.0)


def test_a_word_longer_than_the_columns_is_not_there() -> None:
    assert likelihood("abab", posteriors_of({"a": 1.0}, {"b": 1.0})) == 0.0


def test_no_letter_or_digit_is_there_where_all_is_blank() -> None:
    assert likelihood("", posteriors_of({"!": 1.0}, {})) == pytest.approx(1.0)
    assert likelihood("", posteriors_of({}, {"a": 0.9})) == pytest.approx(0.1**0.5, abs=0.02)
    assert likelihood("*", posteriors_of({"a": 0.9})) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("pattern", "is_there"),
    [
        pytest.param("ab*", True, id="a star may stand for nothing"),
        pytest.param("a*", True, id="prefix"),
        pytest.param("*b", True, id="suffix"),
        pytest.param("*a*", True, id="inside"),
        pytest.param("a*b", True, id="a star may stand for nothing in the middle"),
        pytest.param("a?", True, id="one character"),
        pytest.param("?b", True, id="one character before"),
        pytest.param("b*", False, id="another prefix"),
        pytest.param("*a", False, id="another suffix"),
        pytest.param("a?b", False, id="one character too many"),
        pytest.param("?ab", False, id="nothing is no character"),
    ],
)
def test_what_a_wildcard_stands_for_costs_nothing(pattern: str, is_there: bool) -> None:
    columns = posteriors_of({}, {"a": 1.0}, {"b": 1.0}, {})
    assert likelihood(pattern, columns) == pytest.approx(1.0) or not is_there
    assert is_there or likelihood(pattern, columns) < 0.1


def test_a_star_stands_for_any_number_of_characters() -> None:
    columns = posteriors_of({"a": 1.0}, {"b": 1.0}, {"b": 0.5}, {"a": 1.0})
    assert likelihood("a*a", columns) == pytest.approx(1.0)
    assert likelihood("a??a", columns) == pytest.approx(likelihood("ab?a", columns) ** 1.5, abs=0.01)


def test_crops_are_compared_at_once_as_one_by_one() -> None:
    crops = [
        posteriors_of({"a": 0.9}, {"b": 0.3}),
        posteriors_of({"b": 0.9}, {"b": 0.3}),
        posteriors_of({}, {}),
    ]
    one_by_one = [likelihood("ab", crop) for crop in crops]
    np.testing.assert_array_equal(word_likelihoods("ab", crops), np.array(one_by_one, np.float32))


def test_each_crop_may_have_a_word_of_its_own() -> None:
    crops = [
        posteriors_of({"a": 0.9}, {"b": 0.3}),
        posteriors_of({"b": 0.9}, {"b": 0.3}),
        posteriors_of({}, {"a": 0.2}),
    ]
    words = ["ab", "b", "ba"]
    one_by_one = [likelihood(*pair) for pair in zip(words, crops, strict=True)]
    np.testing.assert_array_equal(pair_likelihoods(words, crops), np.array(one_by_one, np.float32))


def test_crops_of_any_number_of_columns_are_compared() -> None:
    short, long = posteriors_of({"a": 0.9}, {"b": 0.9}), posteriors_of({"a": 0.9}, {}, {}, {"b": 0.9})
    np.testing.assert_allclose(
        word_likelihoods("ab", [short, long]), [likelihood("ab", short), likelihood("ab", long)]
    )


def slow_likelihood(word: str, table: NDArray[np.float32]) -> float:
    """Try every alignment."""
    classes = [0, *(1 + "0123456789abcdefghijklmnopqrstuvwxyz".index(c) for c in word)]
    best = 0.0
    for path in itertools.product(sorted(set(classes)), repeat=len(table)):
        spelled = [c for c, _ in itertools.groupby(path) if c]
        if spelled == classes[1:]:
            best = max(best, math.prod(table[column, c] for column, c in enumerate(path)))
    return float(best ** (1 / (2 * len(word))))


@settings(deadline=None, max_examples=60)
@given(st.text("ab", min_size=1, max_size=3), st.integers(0, 10_000), st.integers(1, 5))
@example("abb", 454, 4)  # needs a character of a probability below the least that is kept
def test_the_best_of_all_alignments_counts(word: str, seed: int, columns: int) -> None:
    charset = Charset("0123456789abcdefghijklmnopqrstuvwxyz")
    logits = np.random.default_rng(seed).normal(0, 2, (1, columns, CLASSES)).astype(np.float32)
    probabilities = np.exp(logits[0]) / np.exp(logits[0]).sum(axis=1, keepdims=True)
    (packed,) = pack_posteriors(logits, charset)
    assert len(packed) == columns * CLASSES
    kept = slow_likelihood(word, np.maximum(probabilities, 1e-5))
    half_a_step = columns / 32 / (2 * len(word))  # of a byte in every column, at most
    assert likelihood(word, packed) == pytest.approx(kept, rel=math.expm1(half_a_step) + 1e-4, abs=1e-9)


def test_ctc_decoding_collapses_repeats_and_keeps_doubles_apart() -> None:
    path = [0, 5, 5, 0, 5, 7, 7, 0]
    logits = np.eye(10, dtype=np.float32)[[path, [0] * 8]] * 20
    classes, confidence = decode_best_path(logits)
    assert [c for c in classes[0].tolist() if c] == [5, 5, 7]
    assert confidence[0] == pytest.approx(1.0, abs=1e-3)
    assert confidence[1] == 0.0


def test_ctc_confidence_is_the_product_of_character_probabilities() -> None:
    probabilities = np.array([[[0.1, 0.8, 0.1], [0.2, 0.6, 0.2], [0.9, 0.05, 0.05], [0.3, 0.2, 0.5]]])
    _, confidence = decode_best_path(np.log(probabilities).astype(np.float32))
    assert confidence[0] == pytest.approx(0.8 * 0.5)


def logits_of(*frames: tuple[str, float]) -> NDArray[np.float32]:
    """Return (T, V) logits of frames that show a character, "" for none, with a probability; else a blank."""
    table = np.full((len(frames), len(CHARSET)), 1e-12, np.float32)
    for row, (character, share) in zip(table, frames, strict=True):
        row[0] = 1 - share
        row[CHARSET.encode(character)[0] if character else 0] = share
    return np.log(np.maximum(table, 1e-12))


def test_the_best_path_is_read_with_each_character_at_its_most_confident_frame() -> None:
    reading, table = read_best_path(
        logits_of(("a", 0.6), ("a", 0.9), ("", 1.0), ("a", 0.8), ("B", 0.7)), CHARSET
    )
    assert reading.text == "aaB"
    assert reading.characters == pytest.approx((0.9, 0.8, 0.7), rel=1e-5)
    assert reading.confidence == pytest.approx(0.9 * 0.8 * 0.7, rel=1e-5)
    assert table.shape == (4, len(CHARSET))


def test_the_best_path_of_blanks_reads_nothing() -> None:
    reading, table = read_best_path(logits_of(("", 1.0), ("", 1.0)), CHARSET)
    assert (reading.text, reading.confidence, len(table)) == ("", 0.0, 1)
