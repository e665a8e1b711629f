"""Measures of retrieval, detection and reading: pure functions of arrays, polygons and strings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stsearch.geometry.polygons import overlap_areas
from stsearch.text.charset import edit_similarity, normalize
from stsearch.types import Polygon, WordLabel

MIN_IOU = 0.5
MAX_DONT_CARE_SHARE = 0.5


def average_precision(relevant: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Return the average precision of one ranking: sum of precision times the growth of recall.

    Photographs with the same score share one threshold, so their order cannot change the result; with nothing
    relevant it is 0. Equals ``sklearn.metrics.average_precision_score``.

    Args:
        relevant: (N,) bool.
        scores: (N,) float, finite, higher is better.

    >>> average_precision(np.array([True, False, True]), np.array([0.9, 0.8, 0.7]))
    0.8333333333333333
    """
    precision, recall = precision_recall(relevant, scores)
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def precision_recall(
    relevant: NDArray[np.bool_], scores: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return precision and recall, (T,) each, at every distinct score, the best first.

    Both are empty when nothing is relevant.

    Args:
        relevant: (N,) bool.
        scores: (N,) float, finite, higher is better.
    """
    order = np.argsort(-scores, kind="stable")
    found = np.cumsum(relevant[order])
    if found.size == 0 or found[-1] == 0:
        return np.zeros(0), np.zeros(0)
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(order) - 1)  # the last place of every tie
    return found[ends] / (ends + 1), found[ends] / found[-1]


def mean_average_precision(relevant: NDArray[np.bool_], scores: NDArray[np.floating]) -> float:
    """Return the mean of ``average_precision`` over the rows of two (Q, N) arrays; 0 without queries."""
    return _mean(
        [average_precision(row, row_scores) for row, row_scores in zip(relevant, scores, strict=True)]
    )


@dataclass(frozen=True, slots=True)
class Matching:
    """Which detections of one photograph stand for which labels.

    Labels and detections that are in no pair and not ``counted`` are neither right nor wrong.
    """

    pairs: tuple[tuple[int, int], ...]  # (label, detection), each at most once
    labels: NDArray[np.bool_]  # (L,) True: counts in recall
    detections: NDArray[np.bool_]  # (D,) True: counts in precision

    @property
    def counts(self) -> DetectionCounts:
        """Return the sums a detection score is made of."""
        return DetectionCounts(len(self.pairs), int(self.labels.sum()), int(self.detections.sum()))


@dataclass(frozen=True, slots=True)
class DetectionCounts:
    """Sums over photographs from which precision, recall and hmean follow; a ratio of nothing is 0."""

    matched: int = 0
    labels: int = 0
    detections: int = 0

    def __add__(self, other: DetectionCounts) -> DetectionCounts:
        """Add two sets of photographs."""
        return DetectionCounts(
            self.matched + other.matched, self.labels + other.labels, self.detections + other.detections
        )

    @property
    def precision(self) -> float:
        """Share of the counted detections that match a label."""
        return _ratio(self.matched, self.detections)

    @property
    def recall(self) -> float:
        """Share of the counted labels that are detected."""
        return _ratio(self.matched, self.labels)

    @property
    def hmean(self) -> float:
        """Harmonic mean of precision and recall."""
        return _ratio(2 * self.matched, self.labels + self.detections)


def match_detections(
    words: Sequence[WordLabel], detections: Sequence[Polygon], partial: bool = False
) -> Matching:
    """Match the detections of one photograph to its labels, one to one, at an IoU above 0.5.

    Labels that are not legible are don't care: they are never matched, and a detection with more than half of
    its area inside one is not counted. Labels and detections are paired in the order given.

    Args:
        words: The labels.
        detections: Polygons (P, 2) in pixels of the same photograph.
        partial: Some text is not labelled, so a detection that matches nothing is not counted.

    Source: the ICDAR 2015 task 4.1 (text localization) protocol.
    """
    legible = np.array([word.legible for word in words], dtype=bool)
    label_areas, areas, overlaps = overlap_areas([word.polygon for word in words], detections)
    inside = overlaps > MAX_DONT_CARE_SHARE * areas
    counted = ~inside[~legible].any(axis=0)
    similar = overlaps > MIN_IOU * (label_areas[:, None] + areas - overlaps)
    free = counted.copy()
    pairs = []
    for label in np.flatnonzero(legible):
        candidates = np.flatnonzero(similar[label] & free)
        if candidates.size:
            free[candidates[0]] = False
            pairs.append((int(label), int(candidates[0])))
    return Matching(tuple(pairs), legible, counted & ~free if partial else counted)


def word_accuracy(labels: Sequence[str], transcripts: Sequence[str]) -> float:
    """Return the share of transcripts that equal their label in the 36 benchmark characters.

    Labels without any of these characters are left out of the mean, as in PARSeq and CLIP4STR.

    >>> word_accuracy(["Café", "Open!"], ["CAFE", "oper"])
    0.5
    """
    return _mean([float(a == b) for a, b in _folded_pairs(labels, transcripts)])


def one_minus_ned(labels: Sequence[str], transcripts: Sequence[str]) -> float:
    """Return 1 - NED: the mean edit similarity in the 36 benchmark characters, labels left out as above.

    >>> one_minus_ned(["Open!"], ["oper"])
    0.75
    """
    return _mean([edit_similarity(a, b) for a, b in _folded_pairs(labels, transcripts)])


def _folded_pairs(labels: Sequence[str], transcripts: Sequence[str]) -> list[tuple[str, str]]:
    folded = [(normalize(a), normalize(b)) for a, b in zip(labels, transcripts, strict=True)]
    return [(a, b) for a, b in folded if a]


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
