"""Scores that mean something."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stsearch.search.calibration import (
    LENGTHS,
    default_min_score,
    exact_reading_probability,
    expected_calibration_error,
    fit_calibration,
    match_probability,
)

RANDOM = np.random.default_rng(3)
SCORES = RANDOM.uniform(0, 1, 40_000)
WORDS = RANDOM.integers(1, 12, 40_000)
TRUE = 1 / (1 + np.exp(-(20 * SCORES - 18 + 0.5 * np.minimum(WORDS, LENGTHS))))
MATCHES = RANDOM.uniform(0, 1, 40_000) < TRUE
TABLE = fit_calibration(SCORES[::2], WORDS[::2], MATCHES[::2])


def calibrated(scores: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    pairs = zip(scores, lengths.tolist(), strict=True)
    return np.array([match_probability(np.array([s], np.float32), n, TABLE)[0] for s, n in pairs])


def test_probabilities_of_unseen_scores_come_true() -> None:
    seen = calibrated(SCORES[1::2], WORDS[1::2])
    assert expected_calibration_error(seen, MATCHES[1::2]) < 0.02
    assert np.abs(seen - TRUE[1::2]).max() < 0.1
    assert expected_calibration_error(SCORES[1::2], MATCHES[1::2]) > 0.1


def test_a_long_word_needs_a_lower_score() -> None:
    short, long = (match_probability(np.array([0.8], np.float32), n, TABLE)[0] for n in (2, 9))
    assert long > short + 0.3


@given(st.integers(0, 30))
def test_the_ranking_for_one_word_stays(length: int) -> None:
    scores = np.linspace(0, 1, 999, dtype=np.float32)
    probabilities = match_probability(scores, length, TABLE)
    assert (np.diff(probabilities) > 0).all()
    assert probabilities[0] >= 0
    assert probabilities[-1] <= 1


def test_a_lone_letter_read_with_full_confidence_is_more_than_the_default_score() -> None:
    probable = exact_reading_probability(np.array([1.0, 0.995, 0.97, 0.5], np.float32))
    assert (probable >= default_min_score(TABLE)).tolist() == [True, True, False, False]


def test_an_empty_table_leaves_scores_as_they_are() -> None:
    scores = np.array([0.1, 0.9], np.float32)
    assert match_probability(scores, 5, ()) is scores


def test_the_error_is_the_mean_gap_between_promise_and_outcome() -> None:
    probabilities, matches = np.array([0.95, 0.95, 0.05, 0.05]), np.array([True, False, False, False])
    assert expected_calibration_error(probabilities, matches) == pytest.approx((0.9 + 0.1) / 4)
    assert expected_calibration_error(np.zeros(0), np.zeros(0, bool)) == 0.0


def test_classes_that_a_score_separates_are_fitted_too() -> None:
    scores = np.linspace(0, 1, 100)
    table = fit_calibration(scores, np.full(100, 5), scores > 0.5)
    low, high = match_probability(np.array([0.2, 0.9], np.float32), 5, table)
    assert low < 0.1
    assert high > 0.9
