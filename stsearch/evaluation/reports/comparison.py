"""A report beside published results on the same benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from stsearch.evaluation.published import (
    DETECTION_SOURCE,
    RETRIEVAL_SOURCE,
    Published,
    published_detection,
    published_retrieval,
)
from stsearch.evaluation.scoring import Report


@dataclass(frozen=True, slots=True)
class Comparison:
    """One table.

    Attributes:
        title: of the table.
        source: of the figures, with their caveats.
        rows: worst first; that of the report has an empty ``remark`` and is ``ours``.
        ours: the row of the report.
    """

    title: str
    source: str
    rows: Sequence[Published]
    ours: Published


def comparisons_of(report: Report) -> Iterator[Comparison]:
    """Yield a table of retrieval and one of detection, where the report measures it and papers report it."""
    conditions = report.conditions
    speed = f"{report.photos_per_s:.3g}, {conditions.hardware or 'hardware not recorded'}"
    name, remark = conditions.system or "this run", report.truth.deviation
    tables = (
        (
            "retrieval",
            "mAP %",
            RETRIEVAL_SOURCE,
            published_retrieval(report.benchmark),
            report.mean_average_precision,
        ),
        (
            "detection",
            "F-measure %",
            DETECTION_SOURCE,
            published_detection(report.benchmark),
            report.detection.hmean,
        ),
    )
    for measure, title, source, rows, figure in tables:
        if measure in report.measures and rows:
            ours = Published(name, round(100 * figure, 2), speed, remark)
            yield Comparison(title, source, sorted([*rows, ours], key=lambda row: row.figure), ours)
