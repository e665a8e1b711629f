"""Any colour mode as RGB, a strip of rows at a time: transparency, palettes, deep and floating values."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray

from stsearch.errors import ImageError
from stsearch.types import Image

_STRIP = 1 << 22  # pixels converted at once: some 50 MB on the way

_GROUNDS = (255, 0, 128)
"""Grey values that transparent pictures are laid on: the first that hides the fewest of their edges."""
_VISIBLE = 128  # opacity from which a pixel counts as visible
_MIN_CONTRAST = 80  # grey levels between a pixel and the ground it stands out from


def to_rgb(photo: PIL.Image.Image, factor: int = 1) -> Image:
    """Return the pixels of a loaded picture as (H, W, 3) uint8 RGB.

    Args:
        photo: of any colour mode.
        factor: H and W are divided by it, rounded down: squares of this side become one pixel.

    Raises:
        ImageError: its values are not numbers.
    """
    convert = _converter(photo)
    height, width = photo.height // factor, photo.width // factor
    rows = max(1, _STRIP // (photo.width * factor))
    if factor == 1 and rows >= height:
        return convert(photo)
    image = np.empty((height, width, 3), np.uint8)
    for top in range(0, height, rows):
        strip = image[top : top + rows]
        part = photo.crop((0, top * factor, width * factor, (top + len(strip)) * factor))
        strip[:] = cv2.resize(convert(part), (width, len(strip)), interpolation=cv2.INTER_AREA)
    return image


def _converter(photo: PIL.Image.Image) -> Callable[[PIL.Image.Image], Image]:
    """Return what turns any part of ``photo`` into (H, W, 3) uint8 RGB."""
    if photo.mode == "F" or photo.mode.startswith("I"):
        return _stretching(photo)
    if photo.has_transparency_data and not _is_opaque(photo):
        ground = _ground(photo)
        return lambda part: _lay_on(part, ground)
    return lambda part: np.ascontiguousarray(part if part.mode == "RGB" else part.convert("RGB"))


def _is_opaque(photo: PIL.Image.Image) -> bool:
    """Return whether all of a picture with an alpha channel is to be seen.

    Viewers show a BMP whose fourth bytes are all 0: they were never meant as opacity.
    """
    if photo.mode not in ("RGBA", "LA"):
        return False
    range_of_alpha = photo.getextrema()[-1]
    return range_of_alpha == (255, 255) or (photo.format == "BMP" and range_of_alpha == (0, 0))


def _ground(photo: PIL.Image.Image) -> int:
    """Return the grey value that the visible pixels beside transparent ones stand out from."""
    edges = np.zeros(256, np.int64)
    for strip in _strips(photo):
        pixels = np.asarray(strip.convert("RGBA"))
        visible = pixels[:, :, 3] >= _VISIBLE
        beside = cv2.dilate((~visible).astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGBA2GRAY)
        edges += np.bincount(grey[visible & beside], minlength=256)
    levels = np.arange(256)
    hidden = [edges[abs(levels - ground) < _MIN_CONTRAST].sum() for ground in _GROUNDS]
    shares = [round(float(each) / max(int(edges.sum()), 1), 2) for each in hidden]
    return _GROUNDS[shares.index(min(shares))]


def _lay_on(part: PIL.Image.Image, ground: int) -> Image:
    layer = part.convert("RGBA")
    below = PIL.Image.new("RGBA", layer.size, (ground, ground, ground, 255))
    below.alpha_composite(layer)
    return np.ascontiguousarray(below.convert("RGB"))


def _stretching(photo: PIL.Image.Image) -> Callable[[PIL.Image.Image], Image]:
    """Return what turns parts of a picture of grey values into RGB, as ``stretch`` turns all of them."""
    ranges = [_range(np.asarray(strip)) for strip in _strips(photo)]
    low, high = min(each for each, _ in ranges), max(each for _, each in ranges)
    return lambda part: np.repeat(_stretch(np.asarray(part), low, high)[:, :, None], 3, axis=2)


def stretch(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Return ``values`` of unknown depth with the smallest at 0 and the largest at 255.

    Scanners write 10, 12 and 16 bits into the same mode, so the range is taken from the picture.

    Raises:
        ImageError: some are not numbers.
    """
    return _stretch(values, *_range(values))


def _range(values: NDArray[np.generic]) -> tuple[float, float]:
    low, high = float(np.min(values)), float(np.max(values))
    if not math.isfinite(high - low):
        raise ImageError("it holds values that are not numbers")
    return low, high


def _stretch(values: NDArray[np.generic], low: float, high: float) -> NDArray[np.uint8]:
    scale = 255.0 / max(high - low, 1e-12)
    return ((np.asarray(values, np.float32) - low) * scale + 0.5).astype(np.uint8)


def _strips(photo: PIL.Image.Image) -> Iterator[PIL.Image.Image]:
    rows = max(1, _STRIP // photo.width)
    for top in range(0, photo.height, rows):
        yield photo.crop((0, top, photo.width, min(top + rows, photo.height)))
