"""The worst misses of a ranking, and pictures of them."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stsearch.errors import ImageError
from stsearch.evaluation.scoring import Report
from stsearch.images import read_image
from stsearch.text.charset import split_words
from stsearch.types import Polygon, Sample

PICTURE = 280
"""Pixels on the longer side of a picture."""

_MARGIN = 1.5  # around the word, as a multiple of its longer side
_ORANGE = (0, 120, 255)  # in the order of OpenCV


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


def picture_of(miss: Miss) -> str:
    """Return the word in its surroundings as a JPEG in a data URL; empty when it cannot be read."""
    import cv2

    try:
        image = np.ascontiguousarray(read_image(miss.photo)[..., ::-1])
    except ImageError:
        return ""
    if miss.polygon is not None:
        low, high = miss.polygon.min(axis=0), miss.polygon.max(axis=0)
        margin = _MARGIN * float((high - low).max())
        height, width = image.shape[:2]
        left, top = np.clip(low - margin, 0, [width - 1, height - 1]).astype(int).tolist()
        right, bottom = np.clip(high + margin, [left + 1, top + 1], [width, height]).astype(int).tolist()
        corners = miss.polygon.round().astype(np.int32)
        cv2.polylines(image, [corners], True, _ORANGE, max(1, (right - left) // 150))
        image = image[top:bottom, left:right]
    scale = PICTURE / max(image.shape[:2])
    if scale < 1:
        size = [max(1, round(side * scale)) for side in image.shape[1::-1]]
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 80])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def _outline(sample: Sample, query: str) -> Polygon | None:
    wanted = set(split_words(query))
    fitting = (
        label.polygon
        for label in sample.words
        if label.legible and len(label.polygon) and wanted & set(split_words(label.transcript))
    )
    return next(fitting, None)
