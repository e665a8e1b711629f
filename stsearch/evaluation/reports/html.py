"""A report as one page of HTML that needs nothing else: figures, pictures of what was missed, every query."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stsearch.evaluation.reports.comparison import comparisons_of
from stsearch.evaluation.reports.curve import RECALLS, precision_at_recalls
from stsearch.evaluation.reports.figures import data_set_of, figures_of, headline_of
from stsearch.evaluation.reports.misses import Miss, picture_of, worst_misses
from stsearch.evaluation.scoring import Report
from stsearch.pages import render
from stsearch.pages.picture import Picture

MISSES = 12

_PERFECT = 1 - 1e-9
_FLAT = 0.95  # mAP above which a curve tells nothing that the figure does not


@dataclass(frozen=True, slots=True)
class _Query:
    """A query, its average precision in [0, 1], and how many photographs answer it."""

    text: str
    precision: float
    answers: int


@dataclass(frozen=True, slots=True)
class _ShownMiss:
    """A miss as the page shows it; no picture where the photograph cannot be read."""

    query: str
    photo: str
    score: float
    above: int
    picture: Picture | None


def to_html(report: Report) -> str:
    """Return the page: a headline, published results, the worst misses as pictures, and every query."""
    (_, summary), *figures = figures_of(report)
    queries = [
        _Query(query, precision, len(report.truth.relevant[query]))
        for query, precision in sorted(report.average_precision.items(), key=lambda item: (item[1], item[0]))
    ]
    misses = worst_misses(report, MISSES) if queries else []
    return render(
        "evaluation.html",
        name=data_set_of(report),
        summary=summary,
        headline=list(headline_of(report)),
        warning=report.truth.deviation,
        comparisons=list(comparisons_of(report)),
        misses=[_shown(miss) for miss in misses],
        queries=len(queries),
        imperfect=[query for query in queries if query.precision < _PERFECT],
        perfect=[query for query in queries if query.precision >= _PERFECT],
        curve_points=_mean_curve(report),
        figures=figures,
    )


def _mean_curve(report: Report) -> list[tuple[float, float]]:
    """Return recall and mean precision; nothing where the curve would be a line close to 1, or of nothing."""
    if not report.average_precision or report.mean_average_precision > _FLAT:
        return []
    curves = [
        precision_at_recalls(*each) for each in zip(report.truth.relevance(), report.scores, strict=True)
    ]
    return list(zip(RECALLS.tolist(), np.mean(curves, axis=0).tolist(), strict=True))


def _shown(miss: Miss) -> _ShownMiss:
    return _ShownMiss(miss.query, miss.photo.name, miss.score, miss.above, picture_of(miss))
