"""Which of the many outlines that were proposed are read, which readings are kept, and which is the best.

A word is proposed several times: at several sizes, from several cuts of the probability map. A search gains
from every way to read it; where words are counted or compared with labels, the best one stands for all. How
many outlines agree tells words from chance, and good outlines from bad ones, better than the network's own
probability.
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

SAME_WORD = 0.5
"""Share of the smaller of two instances above which they are taken for one word."""

LEAST_WORD = 0.6
"""Word confidence below which an instance is not counted as a word."""

_AGREES = 0.6  # IoU above which one outline speaks for another
_DOUBT = 0.05  # added to the share of outlines that agree, so that a single one does not count for nothing
_AGREEMENT_WEIGHT = 0.15


def group_outlines(polygons: Sequence[Polygon], most: float) -> dict[int, int]:
    """Return the polygons with no IoU above ``most`` to one before them, and how many each stands for."""
    alike = _ious(polygons) > most
    kept: dict[int, int] = {}
    for index, row in enumerate(alike):
        first = next((other for other in kept if row[other]), index)
        kept[first] = kept.get(first, 0) + 1
    return kept


def filter_proposals(proposed: Sequence[TextInstance], config: ProposalConfig) -> list[TextInstance]:
    """Return the instances that may be words, surest first; of nearly equal outlines the surest.

    Args:
        proposed: roughly read; the score of each is the share of all outlines it stands for.
        config: how sure the rough reading has to be, and which outlines are nearly equal.

    Returns:
        Instances whose score is the share of outlines that agree with theirs, as far as they may be words.
    """
    likely = sorted(
        (each for each in proposed if each.char_confidence >= config.min_proposal_confidence),
        key=lambda each: each.char_confidence,
        reverse=True,
    )
    ious = _ious([each.polygon for each in likely])
    agreeing = (ious > _AGREES) @ np.array([each.score * each.char_confidence for each in likely])
    scores = np.minimum((agreeing + _DOUBT) / (1 + _DOUBT), 1.0)
    return [replace(likely[at], score=float(scores[at])) for at in _drop_alike(ious > config.duplicate_iou)]


def filter_readings(read: Sequence[TextInstance], config: ProposalConfig) -> list[TextInstance]:
    """Return the instances that were surely enough read, best first; of equal readings of a place the best.

    Args:
        read: as well as they can be.
        config: how sure the reading has to be.
    """
    sure = _best_first(each for each in read if each.char_confidence >= config.min_reading_confidence)
    folded = np.array([normalize(each.transcript) for each in sure])
    return [sure[at] for at in _drop_alike(_share_a_place(sure) & (folded[:, None] == folded))]


def suppress_overlaps(found: Sequence[TextInstance]) -> list[TextInstance]:
    """Return the instances that count as words, best first; of those that overlap the best.

    Two overlap when they share more than half of the smaller one, so a fragment does not survive its word.
    """
    words = _best_first(each for each in found if word_confidence(each) >= LEAST_WORD)
    return [words[at] for at in _drop_alike(_share_a_place(words))]


def word_confidence(instance: TextInstance) -> float:
    """Return how sure reading and outline are, at most 1; the weight was chosen on validation."""
    return instance.char_confidence + _AGREEMENT_WEIGHT * math.log(max(instance.score, 1e-6))


def _best_first(instances: Iterable[TextInstance]) -> list[TextInstance]:
    return sorted(instances, key=word_confidence, reverse=True)


def _ious(polygons: Sequence[Polygon]) -> NDArray[np.float64]:
    """Return (N, N) the intersection over union of each two polygons; 0 of degenerate ones."""
    areas, _, shared = overlap_areas(polygons, polygons)
    return np.asarray(shared / np.maximum(areas[:, None] + areas - shared, 1e-9))


def _share_a_place(instances: Sequence[TextInstance]) -> NDArray[np.bool_]:
    polygons = [each.polygon for each in instances]
    areas, _, shared = overlap_areas(polygons, polygons)
    return np.asarray(shared > SAME_WORD * np.minimum(areas[:, None], areas))


def _drop_alike(alike: NDArray[np.bool_]) -> list[int]:
    """Return, in order, the rows that are ``alike`` (N, N) to none before them that is returned."""
    kept: list[int] = []
    for index in range(len(alike)):
        if not alike[index, kept].any():
            kept.append(index)
    return kept
