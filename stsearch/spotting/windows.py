"""Windows of photographs that are much longer than wide: scrolling screenshots, panoramas.

Shrunk to the size of a photograph their text would vanish, so each window is spotted as a photograph of its
own. A word may be longer than what two windows share, such as the only one on a banner, so the whole is
looked at, too, unless it is so long that such a word would vanish.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from stsearch.geometry.polygons import word_size
from stsearch.images import window_side
from stsearch.spotting.borders import is_cut_off
from stsearch.types import Image, Polygon, TextInstance

_OVERLAP = 0.5  # of the shorter side: a word up to that long lies whole in a window
_MAX_WHOLE_ASPECT = 6.0  # of the longer side to the shorter, of what is also looked at as a whole
_EDGE, _EDGE_OF_HEIGHT = 2.0, 0.2
"""An outline so near to an inner border, in pixels or in heights of the word, counts as cut off."""


@dataclass(frozen=True, slots=True)
class Window:
    """A box of a photograph, over the whole of its shorter side.

    Attributes:
        left: of the box, in pixels of the photograph, as the three below.
        top: of the box.
        right: of the box.
        bottom: of the box.
        shape: (height, width) of the photograph.
    """

    left: int
    top: int
    right: int
    bottom: int
    shape: tuple[int, int]

    def cut(self, image: Image) -> Image:
        """Return the window of ``image`` (H, W, 3)."""
        return image[self.top : self.bottom, self.left : self.right]

    def to_photo(self, polygon: Polygon) -> Polygon | None:
        """Return ``polygon`` (P, 2), in pixels of the window, in those of the photograph.

        Returns:
            None for what a border of the window cuts off inside the photograph.
        """
        edge = max(_EDGE, _EDGE_OF_HEIGHT * min(word_size(polygon)))
        size = (self.right - self.left, self.bottom - self.top)
        box = (self.left, self.top, self.right, self.bottom)
        if is_cut_off(polygon, size, box, self.shape, edge):
            return None
        return np.asarray(polygon + np.array([self.left, self.top], np.float32), np.float32)


def split_photo(shape: tuple[int, int]) -> list[Window]:
    """Return the windows of a photograph of ``shape`` (height, width): one, unless it is elongated.

    >>> [(window.top, window.bottom) for window in split_photo((500, 100))]
    [(0, 500)]
    >>> [(window.top, window.bottom) for window in split_photo((5000, 1000))]
    [(0, 2000), (1500, 3500), (3000, 5000), (0, 5000)]
    """
    height, width = shape
    length, side = max(shape), window_side(height, width)
    whole = Window(0, 0, width, height, shape)
    if side >= length:
        return [whole]
    overlap = round(min(shape) * _OVERLAP)
    count = int(np.ceil((length - overlap) / (side - overlap)))
    firsts = np.linspace(0, length - side, count).round().astype(int).tolist()
    windows = (
        [Window(0, first, width, first + side, shape) for first in firsts]
        if height > width
        else [Window(first, 0, first + side, height, shape) for first in firsts]
    )
    return windows + [whole] * (length <= _MAX_WHOLE_ASPECT * min(shape))


def join_windows(windows: Sequence[Window], found: Sequence[Sequence[TextInstance]]) -> list[TextInstance]:
    """Return the words of a photograph, given those of its windows, polygons in pixels of the photograph.

    What a window cuts off is left out; what several windows show is in it several times.
    """
    moved = (
        (each, window.to_photo(each.polygon))
        for window, words in zip(windows, found, strict=True)
        for each in words
    )
    return [replace(each, polygon=polygon) for each, polygon in moved if polygon is not None]
