"""From raw scores to probabilities of a match: short words score well by chance, long ones do not.

A calibration is a table: a row for words of 1, 2, ... characters, the last one for all that are longer; in it
the probability of a match at raw scores spread evenly from 0 to 1. Between two of them it is interpolated. An
empty table leaves raw scores as they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Table = tuple[tuple[float, ...], ...]

LENGTHS = 8
_SCORES = 26  # raw scores of a row
_RIDGE = 1e-2
_MIN_SLOPE = 1e-3  # of a row, so that calibration makes no ties


def match_probability(raw_scores: NDArray[np.float32], length: int, table: Table) -> NDArray[np.float32]:
    """Return (N,) float32 in [0, 1]: the probability that instances with these raw scores show the word.

    Args:
        raw_scores: (N,) in [0, 1].
        length: of the word, in characters; wildcards do not count.
        table: of the weights that the raw scores come from.
    """
    if not table:
        return raw_scores
    row = table[min(max(length, 1), len(table)) - 1]
    return np.interp(raw_scores, np.linspace(0, 1, len(row)), row).astype(np.float32)


def exact_reading_probability(confidences: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return (N,) float32: the probability that a word is there which was read exactly, whatever its length.

    So many of the lone letters and digits read in the validation photographs are right: two in five of those
    read with a confidence of 0.999 or more, one in four from 0.99 on, none below 0.97. Longer words are right
    more often, which the table says of them.

    Args:
        confidences: (N,) of the whole readings, in [0, 1].
    """
    return np.asarray(0.4 * confidences**100, np.float32)


def default_min_score(table: Table) -> float:
    """Return the score from which a word counts as found, where the user names none.

    Of the validation hits whose probability is 0.2 or more, eight in nine are right, and four in five answers
    are among them.
    """
    return 0.2 if table else 0.6


def fit_calibration(
    raw_scores: NDArray[np.floating], lengths: NDArray[np.int64], matches: NDArray[np.bool_]
) -> Table:
    """Fit a table by logistic regression on powers of the raw score and the length of the word.

    Each row rises with the raw score, so the ranking for one word stays what it was.

    Args:
        raw_scores: (N,) in [0, 1].
        lengths: (N,) characters of the words.
        matches: (N,) whether the word was there; both cases occur.
    """
    weights = _logistic_regression(_features(raw_scores, lengths), matches)
    grid = np.linspace(0, 1, _SCORES)
    table = []
    for length in range(1, LENGTHS + 1):
        row = _sigmoid(_features(grid, np.full(_SCORES, length)) @ weights)
        rising = (1 - _MIN_SLOPE) * np.maximum.accumulate(row) + _MIN_SLOPE * grid
        table.append(tuple(np.round(rising, 5).tolist()))
    return tuple(table)


def expected_calibration_error(
    probabilities: NDArray[np.floating], matches: NDArray[np.bool_], bins: int = 10
) -> float:
    """Return the expected calibration error: |mean probability - share of matches|, averaged over equal bins.

    Args:
        probabilities: (N,) in [0, 1].
        matches: (N,) whether there was a match.
        bins: equal parts of [0, 1].

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 2.

    >>> expected_calibration_error(np.array([0.25, 0.25, 0.25, 0.25]), np.array([True, False, False, False]))
    0.0
    """
    places = np.minimum((probabilities * bins).astype(int), bins - 1)
    sizes = np.bincount(places, minlength=bins)
    gaps = np.bincount(places, probabilities - matches, minlength=bins)
    return float(np.abs(gaps).sum() / max(sizes.sum(), 1))


def _features(raw_scores: NDArray[np.floating], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return (N, 7): the powers of the raw score that matter near 1, alone and times the length."""
    x, n = np.asarray(raw_scores, np.float64), np.minimum(lengths, LENGTHS) / LENGTHS
    return np.stack([np.ones_like(x), x, x**2, x**4, n, n * x, n * x**4], axis=1)


def _logistic_regression(features: NDArray[np.float64], matches: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the weights (F,) of the greatest likelihood, by Newton's method with a small ridge."""
    weights = np.zeros(features.shape[1])
    for _ in range(50):
        likely = _sigmoid(features @ weights)
        slope = features.T @ (matches - likely) - _RIDGE * weights
        curvature = (features * (likely * (1 - likely))[:, None]).T @ features
        step = np.linalg.solve(curvature + _RIDGE * np.eye(len(weights)), slope)
        weights += step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-9))
        if np.abs(step).max() < 1e-6:
            break
    return weights


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -40, 40))), np.float64)
