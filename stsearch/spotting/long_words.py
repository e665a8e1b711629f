"""Words too long for one crop: read in overlapping parts, whose CTC posteriors are joined.

A crop has one size, so the letters of a long word are squeezed in it, and the decoder ends after as many as
it was trained on. CTC has a frame for every few pixels and no such end. Where parts overlap, their frames are
of the same pixels, and one part takes over from the other where both see a gap between letters.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stsearch.geometry.polygons import rectify, word_size
from stsearch.spotting.rescoring import CropReading
from stsearch.text.charset import Charset
from stsearch.text.ctc import pack_posteriors, read_best_path
from stsearch.text.decoding import softmax
from stsearch.types import Image, Polygon

MIN_RATIO = 1.25
"""Of the shape of a word, margin included, to that of a crop: longer ones are read in parts."""

_OVERLAP = 0.375  # of a part, with the next one
_MARGIN_SHARE = 0.5  # of the margin of other words: in the middle it only makes letters small
_EDGE = 3  # frames at the ends of a part that do not take over: a letter may be cut off there
_CENTRING = 0.02  # nats a frame: of equal gaps the one in the middle is taken


@dataclass(frozen=True, slots=True)
class Parts:
    """How a long word is cut.

    Attributes:
        count: of the parts, at least 2.
        step: frames between the beginnings of two neighbours.
        frames: of a part.
        margin: of the word's height, around it.
    """

    count: int
    step: int
    frames: int
    margin: float


def plan_parts(polygon: Polygon, margin: float, size: tuple[int, int], frames: int) -> Parts | None:
    """Return how a word is cut into parts; None for one that fits into a crop.

    Args:
        polygon: of the word.
        margin: of its crop, in heights of the word.
        size: (H, W) of a crop.
        frames: of CTC that the recognizer makes of a crop.
    """
    across, along = word_size(polygon)
    around = margin * _MARGIN_SHARE
    ratio = (along + 2 * around * across) / max((1 + 2 * around) * across, 1e-6) * size[0] / size[1]
    if ratio <= MIN_RATIO:
        return None
    count = max(2, int(np.ceil((ratio - _OVERLAP) / (1 - _OVERLAP))))
    return Parts(count, round(min((ratio - 1) / (count - 1), 1 - _OVERLAP) * frames), frames, around)


def cut_parts(image: Image, polygon: Polygon, size: tuple[int, int], parts: Parts) -> list[Image]:
    """Return crops of ``size`` (H, W) that show the word from its first letters to its last."""
    height, width = size
    frame = width // parts.frames  # pixels
    starts = [index * parts.step * frame for index in range(parts.count)]
    strip = rectify(image, polygon, (height, starts[-1] + width), parts.margin)
    return [np.ascontiguousarray(strip[:, start : start + width]) for start in starts]


def join_parts(logits: Sequence[NDArray[np.float32]], parts: Parts, charset: Charset) -> CropReading:
    """Return the reading of a word from the (T, V) CTC logits of its ``parts``."""
    joined = []
    first = 0
    for left, right in itertools.pairwise(logits):
        end = _find_gap(left, right, parts)
        joined.append(left[first:end])
        first = end - parts.step
    joined.append(logits[-1][first:])
    frames = np.concatenate(joined)
    [posteriors] = pack_posteriors(frames[np.newaxis], charset)
    reading, table = read_best_path(frames, charset)
    return CropReading(table, reading, posteriors, upside_down=False)


def _find_gap(left: NDArray[np.float32], right: NDArray[np.float32], parts: Parts) -> int:
    """Return the frame of ``left`` from which on ``right`` counts: where both see no letter, or least of one.

    Args:
        left: (T, V) logits of a part.
        right: of the next one, whose frame 0 lies at frame ``step`` of the first.
        parts: how they overlap.
    """
    gap = np.log(softmax(left)[parts.step :, 0]) + np.log(softmax(right)[: parts.frames - parts.step, 0])
    before = gap[:-1] + gap[1:]  # at the frames on both sides of a cut
    cuts = np.arange(1, len(gap))
    centred = before - _CENTRING * np.abs(cuts - len(gap) / 2)
    inside = slice(_EDGE - 1, len(before) - _EDGE + 1)
    return parts.step + int(cuts[inside][centred[inside].argmax()])
