"""The size at which a photograph is looked at: windows of elongated ones, model pixels, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from stsearch.padding import pad_to_multiple
from stsearch.types import Image, Polygon

_MAX_ASPECT, _WINDOW_ASPECT = 2.5, 2.0
"""Photographs that are longer for their width are looked at in windows of the second aspect."""
_MIN_WINDOW = 640  # pixels on the longer side of a window: one line of text is cut into few
_MAX_UPSCALE = 2.0  # enlarging a small picture further adds work and no detail


def window_side(height: int, width: int) -> int:
    """Return the longer side of the windows that a photograph is looked at in; its own if that is one.

    >>> window_side(960, 1280), window_side(12000, 1080), window_side(30, 3000)
    (1280, 2160, 640)
    """
    shorter, longer = sorted((height, width))
    if longer <= _MAX_ASPECT * shorter:
        return longer
    return min(longer, max(round(_WINDOW_ASPECT * shorter), _MIN_WINDOW))


@dataclass(frozen=True, slots=True)
class ResizePlan:
    """How one size of image becomes model pixels: resized to (height, width), padded right and below.

    Attributes:
        scale_x: model pixels per original pixel, horizontally.
        scale_y: the same, vertically; the two differ by rounding only.
        height: of the resized image.
        width: of the resized image.
        padded_height: a multiple of the coarsest stride of the network.
        padded_width: a multiple of the coarsest stride of the network.
    """

    scale_x: float
    scale_y: float
    height: int
    width: int
    padded_height: int
    padded_width: int

    def resize(self, image: Image) -> Image:
        """Return ``image`` (H, W, 3) resized to (height, width, 3)."""
        shrinks = self.height < image.shape[0] or self.width < image.shape[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image, (self.width, self.height), interpolation=method), np.uint8)

    def forward(self, image: Image) -> Image:
        """Return ``image`` (H, W, 3) resized, and padded with zeros to (padded_height, padded_width, 3)."""
        padded = np.zeros((self.padded_height, self.padded_width, 3), np.uint8)
        padded[: self.height, : self.width] = self.resize(image)
        return padded

    def scale(self, polygon: Polygon) -> Polygon:
        """Return ``polygon`` (P, 2), given in original pixels, in model pixels."""
        return polygon * np.asarray((self.scale_x, self.scale_y), np.float32)

    def inverse(self, polygon: Polygon) -> Polygon:
        """Return ``polygon`` (P, 2), given in model pixels, in original pixels."""
        return polygon * np.asarray((1 / self.scale_x, 1 / self.scale_y), np.float32)


@dataclass(frozen=True, slots=True)
class Resize:
    """Fit images into a longer side, keeping their aspect; small ones grow to at most twice their size.

    Attributes:
        longer_side: of the resized image, in pixels.
        multiple: padded sides are multiples of it, the coarsest stride of the network.
    """

    longer_side: int
    multiple: int = 32

    def plan(self, height: int, width: int) -> ResizePlan:
        """Return the plan for images of (``height``, ``width``).

        >>> Resize(1280).plan(3000, 4000)
        ResizePlan(scale_x=0.32, scale_y=0.32, height=960, width=1280, padded_height=960, padded_width=1280)
        """
        ratio = min(self.longer_side / max(height, width), _MAX_UPSCALE)
        new_height, new_width = max(1, round(height * ratio)), max(1, round(width * ratio))
        return ResizePlan(
            new_width / width,
            new_height / height,
            new_height,
            new_width,
            pad_to_multiple(new_height, self.multiple),
            pad_to_multiple(new_width, self.multiple),
        )
