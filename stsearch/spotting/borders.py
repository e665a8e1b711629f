"""Outlines that a border cuts off, where a piece of a photograph is looked at by itself."""

from __future__ import annotations

import numpy as np

from stsearch.types import Polygon

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels of the photograph


def is_cut_off(
    polygon: Polygon, size: tuple[int, int], box: Box, shape: tuple[int, int], edge: float
) -> bool:
    """Return whether an outline comes near to a border of a piece behind which the photograph goes on.

    Args:
        polygon: (P, 2) in pixels of the piece.
        size: (width, height) of the piece.
        box: the piece, in the photograph.
        shape: (height, width) of the photograph.
        edge: pixels of the piece; an outline nearer to a border counts as cut off.
    """
    left, top, right, bottom = box
    height, width = shape
    low, high = polygon.min(axis=0), np.array(size) - polygon.max(axis=0)
    inner_low, inner_high = np.array([left > 0, top > 0]), np.array([right < width, bottom < height])
    return bool((inner_low & (low < edge)).any() or (inner_high & (high < edge)).any())
