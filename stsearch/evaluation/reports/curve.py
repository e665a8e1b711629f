"""Precision over recall, as it is drawn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stsearch.evaluation.metrics import precision_recall

RECALLS = np.linspace(0, 1, 101)


def precision_at_recalls(relevant: NDArray[np.bool_], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (101,): the best precision at ``RECALLS`` or beyond, 0 where nothing is relevant.

    Interpolated, which is for looking at: average precision is not.
    """
    precision, recall = precision_recall(relevant, scores)
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return np.asarray(best[np.searchsorted(recall, RECALLS - 1e-9)], np.float64)
