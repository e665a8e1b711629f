"""The worst misses of a ranking, and pictures of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stsearch.errors import ImageError
from stsearch.evaluation.scoring import Report
from stsearch.images import read_image
from stsearch.pages.picture import Picture
from stsearch.text.charset import split_words
from stsearch.types import Polygon, Sample

PICTURE = 560
"""Pixels on the longer side of a picture: twice the width it is shown in, for screens of fine resolution."""


@dataclass(frozen=True, slots=True, eq=False)
class Miss:
    """A relevant photograph with too low a rank.

    Attributes:
        query: that it is relevant for.
        photo: the photograph.
        above: the number of irrelevant photographs that score as high or higher.
        score: that it got.
        polygon: of the word; None where it is not labelled.
    """

    query: str
    photo: Path
    above: int
    score: float
    polygon: Polygon | None


def worst_misses(report: Report, count: int) -> list[Miss]:
    """Return the relevant photographs with the most others above them, one a query, worst first."""
    misses = []
    for query, relevant, scores in zip(
        report.truth.queries, report.truth.relevance(), report.scores, strict=True
    ):
        if relevant.any():
            place = int(np.flatnonzero(relevant)[np.argmin(scores[relevant])])
            above = int(np.count_nonzero(scores[~relevant] >= scores[place]))
            sample = report.truth.samples[place]
            misses.append(Miss(query, sample.image, above, float(scores[place]), _outline(sample, query)))
    return sorted((miss for miss in misses if miss.above), key=lambda miss: (-miss.above, miss.query))[:count]


def picture_of(miss: Miss) -> Picture | None:
    """Return the word in its surroundings, or the whole photograph; None when that cannot be read."""
    from stsearch.pages.drawing import close_up

    try:
        image = read_image(miss.photo)
    except ImageError:
        return None
    polygon = np.zeros((0, 2), np.float32) if miss.polygon is None else miss.polygon
    return Picture.of(close_up(image, polygon, PICTURE), f"{miss.query} in {miss.photo.name}")


def _outline(sample: Sample, query: str) -> Polygon | None:
    wanted = set(split_words(query))
    fitting = (
        label.polygon
        for label in sample.words
        if label.legible and len(label.polygon) and wanted & set(split_words(label.transcript))
    )
    return next(fitting, None)
