"""Filter proposals before recognition, filter readings after it, and suppress overlaps.

A word is proposed several times: at several image sizes, with several thresholds of the probability map. A
search uses every reading of it; where words are counted or compared with labels, only the best one counts.
The share of outlines that agree is a better score than the detector's probability.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stsearch.config import ProposalConfig
from stsearch.geometry.polygons import overlap_areas
from stsearch.text.charset import normalize
from stsearch.types import Polygon, TextInstance

SAME_WORD_OVERLAP = 0.5
"""Two instances are one word if they share more than this of the smaller one's area."""

MIN_WORD_CONFIDENCE = 0.6
"""An instance with a lower word confidence is not counted as a word."""

_AGREEMENT_IOU = 0.6  # outlines with a higher IoU support each other
_SAME_READING_IOU = 0.6  # of two outlines with a higher IoU and the same rough reading one is read
_SMOOTHING = 0.05  # added to the share of outlines that agree, so that the score of a single one is not 0
_AGREEMENT_WEIGHT = 0.15


def group_outlines(polygons: Sequence[Polygon], max_iou: float) -> dict[int, int]:
    """Return the polygons with no IoU above ``max_iou`` to one before them, and their duplicate counts."""
    duplicates = _pairwise_ious(polygons) > max_iou
    kept: dict[int, int] = {}
    for index, row in enumerate(duplicates):
        first = next((other for other in kept if row[other]), index)
        kept[first] = kept.get(first, 0) + 1
    return kept


def filter_proposals(proposed: Sequence[TextInstance], config: ProposalConfig) -> list[TextInstance]:
    """Return the instances that may be words, most confident first; of duplicates the most confident.

    Outlines that are read alike are duplicates at a lower IoU than others.

    Args:
        proposed: roughly read; the score of each is the share of all outlines it stands for.
        config: the lowest confidence of a rough reading, and the IoU of duplicates.

    Returns:
        Instances whose score is the share of outlines that agree with theirs, weighted by confidence.
    """
    candidates = sorted(
        (each for each in proposed if each.char_confidence >= config.min_proposal_confidence),
        key=lambda each: each.char_confidence,
        reverse=True,
    )
    ious = _pairwise_ious([each.polygon for each in candidates])
    agreement = (ious > _AGREEMENT_IOU) @ np.array([each.score * each.char_confidence for each in candidates])
    scores = np.minimum((agreement + _SMOOTHING) / (1 + _SMOOTHING), 1.0)
    folded = np.array([normalize(each.transcript) for each in candidates])
    alike = (ious > _SAME_READING_IOU) & (folded[:, None] == folded)
    kept = _suppress((ious > config.duplicate_iou) | alike)
    return [replace(candidates[at], score=float(scores[at])) for at in kept]


def filter_readings(read: Sequence[TextInstance], config: ProposalConfig) -> list[TextInstance]:
    """Return the readings of sufficient confidence, best first; of equal readings of one word the best.

    Args:
        read: by the recognizer.
        config: the lowest confidence of a reading.
    """
    confident = _sort_by_confidence(
        each for each in read if each.char_confidence >= config.min_reading_confidence
    )
    folded = np.array([normalize(each.transcript) for each in confident])
    return [confident[at] for at in _suppress(find_overlaps(confident) & (folded[:, None] == folded))]


def suppress_overlaps(found: Sequence[TextInstance]) -> list[TextInstance]:
    """Return the instances that count as words, best first; of overlapping ones only the best.

    Two overlap when they share more than half of the smaller one, so fragments of a word are suppressed.
    """
    words = _sort_by_confidence(each for each in found if word_confidence(each) >= MIN_WORD_CONFIDENCE)
    return [words[at] for at in _suppress(find_overlaps(words))]


def word_confidence(instance: TextInstance) -> float:
    """Return the confidence of reading and outline, at most 1; the weight was chosen on validation."""
    return instance.char_confidence + _AGREEMENT_WEIGHT * math.log(max(instance.score, 1e-6))


def _sort_by_confidence(instances: Iterable[TextInstance]) -> list[TextInstance]:
    return sorted(instances, key=word_confidence, reverse=True)


def _pairwise_ious(polygons: Sequence[Polygon]) -> NDArray[np.float64]:
    """Return (N, N) the IoU of every two polygons; 0 for degenerate ones."""
    areas, _, shared = overlap_areas(polygons, polygons)
    return np.asarray(shared / np.maximum(areas[:, None] + areas - shared, 1e-9))


def find_overlaps(instances: Sequence[TextInstance]) -> NDArray[np.bool_]:
    """Return (N, N): whether two instances share so much of the smaller one that they are one word."""
    polygons = [each.polygon for each in instances]
    areas, _, shared = overlap_areas(polygons, polygons)
    return np.asarray(shared > SAME_WORD_OVERLAP * np.minimum(areas[:, None], areas))


def _suppress(duplicates: NDArray[np.bool_]) -> list[int]:
    """Return, in order, the rows of ``duplicates`` (N, N) that duplicate no returned row before them."""
    kept: list[int] = []
    for index in range(len(duplicates)):
        if not duplicates[index, kept].any():
            kept.append(index)
    return kept
