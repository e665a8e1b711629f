"""Precision over recall, drawn as SVG."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stsearch.evaluation.metrics import precision_recall

RECALLS = np.linspace(0, 1, 101)
_MARGIN = 34


def precision_at_recalls(relevant: NDArray[np.bool_], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return (101,): the best precision at ``RECALLS`` or beyond, 0 where nothing is relevant.

    Interpolated, which is for looking at: average precision is not.
    """
    precision, recall = precision_recall(relevant, scores)
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)
    return np.asarray(best[np.searchsorted(recall, RECALLS - 1e-9)], np.float64)


def curve_svg(precision: Sequence[float], title: str, size: int = 180) -> str:
    """Return a plot of (101,) precision at ``RECALLS``; ``title`` is shown above, escaped already."""
    side, end = size - 2 * _MARGIN, size - _MARGIN
    points = " ".join(
        f"{_MARGIN + side * recall:.1f},{end - side * value:.1f}"
        for recall, value in zip(RECALLS.tolist(), precision, strict=True)
    )
    marks = "".join(
        f'<text x="{_MARGIN + side * at:.0f}" y="{end + 13}" text-anchor="middle">{at:g}</text>'
        f'<text x="{_MARGIN - 4}" y="{end - side * at + 4:.0f}" text-anchor="end">{at:g}</text>'
        for at in (0, 0.5, 1)
    )
    return (
        f'<svg viewBox="0 0 {size} {size}" width="{size}" height="{size}" role="img">'
        f'<text class="title" x="{_MARGIN}" y="18">{title}</text>'
        f'<rect x="{_MARGIN}" y="{_MARGIN}" width="{side}" height="{side}"/>{marks}'
        f'<text x="{size / 2:.0f}" y="{size - 4}" text-anchor="middle">recall</text>'
        f'<polyline points="{points}"/></svg>'
    )
