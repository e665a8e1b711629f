"""Pages of a file, and the frames of an animation that differ."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import PIL.Image
from numpy.typing import NDArray
from PIL.TiffImagePlugin import TiffImageFile

from stsearch.images.colour import to_rgb

MAX_FRAMES = 8
"""Frames of an animation that are looked at, the most different ones."""

MAX_PAGES = 1000
"""Pages of a file that are looked at; one more is listed where there are more."""

_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")
_MAX_COMPARED = 300  # frames of an animation, evenly spread
_SIGNATURE_SIDE = 160  # pixels: a caption covers dozens of them, the noise of a palette is averaged out
_MIN_LEVELS = 24  # grey levels by which a pixel of two signatures differs
_MIN_SHARE = 0.001  # of pixels that differ: 25 of 25,600

_SUBFILE_TYPE, _REDUCED, _MASK = 254, 1, 4

Signature = NDArray[np.int16]  # grey, (160, 160)


def is_animated(photo: PIL.Image.Image) -> bool:
    """Return whether an open picture is an animation, which a stereo pair or a burst is not."""
    return photo.format in _ANIMATED and bool(getattr(photo, "is_animated", False))


def pages_of(photo: PIL.Image.Image) -> tuple[int, ...]:
    """Return the numbers, from 1, of the pages or frames of an open picture that are worth looking at."""
    if isinstance(photo, TiffImageFile):
        return tuple(_full_pages(photo)) or (1,)
    return _distinct_frames(photo) if is_animated(photo) else (1,)


def _full_pages(photo: TiffImageFile) -> Iterator[int]:
    """Yield the pages that are no smaller copies, and no masks, of others."""
    for number in range(min(photo.n_frames, MAX_PAGES + 1)):
        photo.seek(number)
        if not int(photo.tag_v2.get(_SUBFILE_TYPE, 0)) & (_REDUCED | _MASK):
            yield number + 1


def _distinct_frames(photo: PIL.Image.Image) -> tuple[int, ...]:
    """Return the first frame and those that differ most from it and each other, in their order."""
    count = int(getattr(photo, "n_frames", 1))
    numbers = np.unique(np.linspace(0, count - 1, min(count, _MAX_COMPARED)).round().astype(int)).tolist()
    signatures = []
    for number in numbers:
        photo.seek(number)
        signatures.append(_signature(photo))
    chosen = [0]
    nearest = _differences(signatures, 0)
    while len(chosen) < MAX_FRAMES and nearest.max() >= _MIN_SHARE:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _differences(signatures, chosen[-1]))
    return tuple(numbers[at] + 1 for at in sorted(chosen))


def _signature(photo: PIL.Image.Image) -> Signature:
    grey = cv2.cvtColor(to_rgb(photo), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIGNATURE_SIDE, _SIGNATURE_SIDE), interpolation=cv2.INTER_AREA)
    return small.astype(np.int16)


def _differences(signatures: list[Signature], at: int) -> NDArray[np.float64]:
    """Return (N,) the share of pixels in which each signature differs from that number ``at``."""
    return np.array([(abs(each - signatures[at]) >= _MIN_LEVELS).mean() for each in signatures])
