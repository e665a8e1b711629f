"""Labels that were drawn on stored pixels, moved into the displayed frame that everything here works in.

The owners of public sets labelled with programs that ignore the EXIF orientation of a photograph.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from stsearch.geometry.polygons import order_quad
from stsearch.images import StoredFrame, read_stored_frame
from stsearch.types import Polygon, Sample, WordLabel


def display_labels(
    photo: Path, words: Iterable[WordLabel], partial: bool = False, boxes: bool = False
) -> Sample:
    """Return ``photo`` with ``words``, whose polygons are in its stored pixels, in the displayed frame.

    Args:
        photo: Only its header is read, for its EXIF orientation; one that cannot be read is left as it is.
        words: Words without an outline, of no points, stay so.
        partial: Whether some text is not labelled.
        boxes: Whether the polygons are quads that do not say where reading starts: in the displayed frame
            they start at the top left.
    """
    words = tuple(words)
    if any(len(word.polygon) for word in words):
        frame = read_stored_frame(photo)
        if not frame.is_displayed:
            words = tuple(
                dataclasses.replace(word, polygon=_display(word.polygon, frame, boxes)) for word in words
            )
    return Sample(photo, words, partial)


def _display(polygon: Polygon, frame: StoredFrame, boxes: bool) -> Polygon:
    displayed = frame.to_displayed(polygon)
    if boxes:
        return order_quad(displayed)
    if frame.is_mirrored:  # each edge now runs backwards, and the polygon counter-clockwise
        half = (len(displayed) + 1) // 2
        return np.concatenate([displayed[:half][::-1], displayed[half:][::-1]])
    return displayed
