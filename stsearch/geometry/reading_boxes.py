"""The oriented boxes that words are read in, and which of them overlap; numpy only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stsearch.types import Polygon


@dataclass(frozen=True, slots=True, eq=False)
class ReadingBoxes:
    """The oriented boxes of n words.

    Attributes:
        corners: (n, 4, 2) TL, TR, BR, BL.
        along: (n, 2) unit reading direction.
        down: (n, 2) unit, at a right angle to it.
        height: (n,) pixels.
    """

    corners: NDArray[np.float32]
    along: NDArray[np.float32]
    down: NDArray[np.float32]
    height: NDArray[np.float32]

    @classmethod
    def of(cls, polygons: Sequence[Polygon]) -> ReadingBoxes:
        """Take the ends of each polygon (P, 2): a bent word reads along its chord."""
        ends = [(len(polygon) + 1) // 2 for polygon in polygons]
        corners = np.array(
            [polygon[[0, end - 1, end, -1]] for polygon, end in zip(polygons, ends, strict=True)], np.float32
        ).reshape(-1, 4, 2)
        chord = corners[:, 1] + corners[:, 2] - corners[:, 0] - corners[:, 3]
        along = chord / np.maximum(np.linalg.norm(chord, axis=1, keepdims=True), 1e-6)
        sides = np.linalg.norm(corners[:, [0, 1]] - corners[:, [3, 2]], axis=2)
        down = np.stack([-along[:, 1], along[:, 0]], axis=1)
        return cls(corners, along, down, np.maximum(sides.mean(axis=1), 1e-6))

    def same_place(self) -> NDArray[np.bool_]:
        """Return (n, n): whether the middle of one of two words lies in the box of the other.

        So a fragment is in the same place as its word, and two words read as one are in that of each.
        """
        origin = self.corners[:, 0]
        towards = self.corners.mean(axis=1)[None] - origin[:, None]  # (n, n, 2) from corner a to middle b
        inside = np.ones(towards.shape[:2], bool)
        for axis, corner in ((self.along, 1), (self.down, 3)):
            at = np.einsum("abk,ak->ab", towards, axis)
            extent = np.einsum("ak,ak->a", self.corners[:, corner] - origin, axis)
            inside &= (at >= 0) & (at <= extent[:, None])
        return np.asarray(inside | inside.T)
