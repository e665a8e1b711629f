"""Detected outlines of labelled words, as training data of the recognizer that reads them at inference."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from stsearch.config import ProposalConfig
from stsearch.geometry.polygons import overlap_areas
from stsearch.images import read_image
from stsearch.spotting.spotter import Spotter
from stsearch.types import Sample, TextInstance, WordLabel

_PROPOSALS = ProposalConfig(min_proposal_confidence=0.25, duplicate_iou=0.85)
"""More proposals than at inference: many slightly wrong outlines of each word."""

_MIN_IOU = 0.45
_MIN_COVERAGE = 0.72  # of the label, by the outline


def add_detected_outlines(
    spotter: Spotter, samples: Sequence[Sample], progress: Callable[[int], None] = lambda done: None
) -> tuple[Sample, ...]:
    """Return ``samples``, each readable word with its label and once more with every detected outline of it.

    Args:
        spotter: detects the outlines.
        samples: labelled photographs.
        progress: called with the number of photographs done.

    Raises:
        ImageError: a photograph cannot be read.
    """
    outlined = []
    for done, sample in enumerate(samples, start=1):
        words = tuple(word for word in sample.words if word.legible and word.transcript)
        if words:
            (found,) = spotter.propose([read_image(sample.image)], _PROPOSALS)
            sample = dataclasses.replace(sample, words=sample.words + _match_outlines(words, found))
        outlined.append(sample)
        progress(done)
    return tuple(outlined)


def _match_outlines(words: Sequence[WordLabel], found: Sequence[TextInstance]) -> tuple[WordLabel, ...]:
    """Return the outlines of ``found`` that hold most of a word and little else, with its transcript."""
    polygons = [instance.polygon for instance in found]
    areas, labelled, shared = overlap_areas(polygons, [word.polygon for word in words])
    ious = shared / np.maximum(areas[:, None] + labelled - shared, 1e-9)
    return tuple(
        dataclasses.replace(words[best], polygon=polygon)
        for polygon, row, cover, best in zip(
            polygons, ious, shared / np.maximum(labelled, 1e-9), ious.argmax(axis=1), strict=True
        )
        if row[best] > _MIN_IOU and cover[best] > _MIN_COVERAGE
    )
