"""Sampling features along polygons in numpy: what ``models.layers.sample_regions`` does with torch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stsearch.config import STRIDES
from stsearch.engines.contract import Array


def sample_regions(levels: Sequence[Array], edges: Array, owner: NDArray[np.int64], rows: int) -> Array:
    """Sample a grid of features along every polygon: rotated and curved words are rectified.

    Args:
        levels: P2..P5, each (B, H/stride, W/stride, C).
        edges: (R, 2, K, 2) upper and lower edge of each region in pixels of the input, reading direction.
        owner: (R,), the image each region lies in.
        rows: rows of the grid; K is its number of columns.

    Returns:
        (R, rows, K, C), bilinear, each region from the level whose stride is nearest to its cell height.
    """
    heights = np.linalg.norm(edges[:, 0] - edges[:, 1], axis=-1).mean(axis=-1) / rows
    wanted = np.rint(np.log2(np.maximum(heights, 1e-3) / STRIDES[0])).astype(int).clip(0, len(levels) - 1)
    share = ((np.arange(rows, dtype=np.float32) + 0.5) / rows)[:, None, None]
    grid = edges[:, None, 0] + share * (edges[:, None, 1] - edges[:, None, 0])  # (R, rows, K, 2)
    sampled = np.empty((*grid.shape[:3], levels[0].shape[3]), np.float32)
    for index, (level, stride) in enumerate(zip(levels, STRIDES, strict=True)):
        members = np.flatnonzero(wanted == index)
        if len(members):
            sampled[members] = _bilinear(
                level, grid[members] / np.float32(stride) - np.float32(0.5), owner[members]
            )
    return sampled


def _bilinear(level: Array, points: Array, owner: NDArray[np.int64]) -> Array:
    """Return (M, rows, K, C), ``level`` at (M, rows, K, 2) points in cells; its edges go on outside."""
    height, width = level.shape[1:3]
    points = np.clip(points, 0, np.array([width - 1, height - 1], np.float32), dtype=np.float32)
    first = points.astype(np.int64)  # none is negative
    share = (points - first)[..., None]
    x, y = first[..., 0], first[..., 1]
    right, below = np.minimum(x + 1, width - 1), np.minimum(y + 1, height - 1)
    cells = level.reshape(-1, level.shape[3])
    start = owner[:, None, None] * (height * width)
    across, down = share[..., 0, :], share[..., 1, :]
    upper = cells[start + y * width + x] * (1 - across) + cells[start + y * width + right] * across
    lower = cells[start + below * width + x] * (1 - across) + cells[start + below * width + right] * across
    return np.asarray(upper * (1 - down) + lower * down, np.float32)
