"""Mirrored words, as in photographs of mirrors and of window panes from inside, and in many selfies.

Reading everything twice would double the work. So only outlines that many agree on, and that read like no
word, are tried; where one of them is a mirrored word, the photograph is looked at once more, flipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stsearch.geometry.polygons import rectify, word_size
from stsearch.spotting.proposals import find_overlaps
from stsearch.spotting.recognition import RecognizerRunner
from stsearch.types import Image, Polygon, TextInstance

_MAX_CONFIDENCE = 0.5  # of the reading of an outline that is tried
_MIN_SCORE = 0.2  # of such an outline: more agree on it than on most of what is no word
_MIN_CONFIDENCE = 0.9  # of a mirrored reading
_MIN_LETTERS = 3  # in it: digits and short words often look like others when flipped
_MIN_FIRST_LETTERS = 4  # in the word that is worth a second look at the photograph
_HEIGHT = 64  # pixels of a picture of a word


def flip(image: Image) -> Image:
    """Return ``image`` (H, W, 3) flipped left to right."""
    return np.ascontiguousarray(image[:, ::-1])


def flip_polygon(polygon: Polygon, width: int) -> Polygon:
    """Return ``polygon`` (P, 2) in the frame of the flipped image, ``width`` pixels wide, clockwise."""
    half = (len(polygon) + 1) // 2
    turned = np.concatenate([polygon[:half][::-1], polygon[half:][::-1]])
    return np.asarray(turned * (-1, 1) + (width, 0), np.float32)


def has_mirrored_words(image: Image, read: Sequence[TextInstance], recognizer: RecognizerRunner) -> bool:
    """Return whether a doubtful word of ``image`` (H, W, 3) is certainly read when it is flipped.

    Args:
        image: a photograph.
        read: all that was read in it, doubtful readings included.
        recognizer: reads the flipped words.
    """
    doubtful = [
        word.polygon
        for word in read
        if word.score >= _MIN_SCORE
        and word.confidence < _MAX_CONFIDENCE
        and len(word.transcript) >= _MIN_LETTERS
    ]
    pictures = [_cut_flipped(image, polygon, recognizer.config.margin) for polygon in doubtful]
    return any(
        _is_certain(reading.best.text, reading.best.confidence, _MIN_FIRST_LETTERS)
        for reading in recognizer.read_pictures(pictures)
    )


def select_mirrored(
    found: Sequence[TextInstance], read: Sequence[TextInstance], width: int
) -> list[TextInstance]:
    """Return the mirrored words among ``found``, polygons in the photograph.

    Args:
        found: read in the flipped photograph.
        read: read in the photograph as it is; what is read more surely there is not mirrored.
        width: of the photograph, in pixels.
    """
    certain = [
        replace(word, polygon=flip_polygon(word.polygon, width))
        for word in found
        if _is_certain(word.transcript, word.confidence, _MIN_LETTERS)
    ]
    overlaps = find_overlaps([*certain, *read])[: len(certain), len(certain) :]
    confidence = np.array([word.confidence for word in certain])[:, np.newaxis]
    contradicted = overlaps & (np.array([word.confidence for word in read]) >= confidence)
    return [word for word, row in zip(certain, contradicted, strict=True) if not row.any()]


def _is_certain(text: str, confidence: float, letters: int) -> bool:
    return sum(map(str.isalpha, text)) >= letters and confidence >= _MIN_CONFIDENCE


def _cut_flipped(image: Image, polygon: Polygon, margin: float) -> Image:
    """Return a picture of a word, margin included, flipped."""
    across, along = word_size(polygon)
    width = max(1, round(_HEIGHT * (along + 2 * margin * across) / max((1 + 2 * margin) * across, 1)))
    return flip(rectify(image, polygon, (_HEIGHT, width), margin))
