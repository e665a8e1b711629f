"""The outlines that a detector draws for labelled words: what a recognizer that follows it has to read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np

from stsearch.config import ProposalConfig
from stsearch.geometry.polygons import overlap_areas
from stsearch.images import read_image
from stsearch.spotting.spotter import Spotter
from stsearch.types import Sample, TextInstance, WordLabel

_WORTH_LEARNING = ProposalConfig(min_proposal_confidence=0.25, duplicate_iou=0.85)
"""More outlines than are read in use: many ways to cut out a word, none of them quite right."""

_LEAST_IOU = 0.45
_LEAST_COVER = 0.72  # of the label, by the outline


def add_detected_outlines(
    spotter: Spotter, samples: Sequence[Sample], progress: Callable[[int], None] = lambda done: None
) -> tuple[Sample, ...]:
    """Return ``samples``, each readable word once as it is labelled and once in every outline drawn for it.

    Args:
        spotter: draws them.
        samples: labelled photographs.
        progress: called with the number of photographs done.

    Raises:
        ImageError: a photograph cannot be read.
    """
    outlined = []
    for done, sample in enumerate(samples, start=1):
        words = tuple(word for word in sample.words if word.legible and word.transcript)
        if words:
            (found,) = spotter.propose([read_image(sample.image)], _WORTH_LEARNING)
            sample = dataclasses.replace(sample, words=sample.words + _drawn_for(words, found))
        outlined.append(sample)
        progress(done)
    return tuple(outlined)


def _drawn_for(words: Sequence[WordLabel], found: Sequence[TextInstance]) -> tuple[WordLabel, ...]:
    """Return the outlines of ``found`` that hold most of a word and little else, labelled as it is."""
    polygons = [instance.polygon for instance in found]
    areas, labelled, shared = overlap_areas(polygons, [word.polygon for word in words])
    ious = shared / np.maximum(areas[:, None] + labelled - shared, 1e-9)
    return tuple(
        dataclasses.replace(words[best], polygon=polygon)
        for polygon, row, cover, best in zip(
            polygons, ious, shared / np.maximum(labelled, 1e-9), ious.argmax(axis=1), strict=True
        )
        if row[best] > _LEAST_IOU and cover[best] > _LEAST_COVER
    )
