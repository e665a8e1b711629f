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
    """Return the numbers, from 1, of the pages or frames of an open picture that are worth looking at.

    The last of them is one that cannot be decoded, where there is such: those after it are not listed.
    """
    if isinstance(photo, TiffImageFile):
        return tuple(_full_pages(photo)) or (1,)
    return _distinct_frames(photo) if is_animated(photo) else (1,)


def _count(photo: PIL.Image.Image) -> int:
    """Return how many pages there are; too many where they cannot be counted: the damaged one ends them."""
    try:
        return int(getattr(photo, "n_frames", 1))
    except Exception:  # noqa: BLE001  # decoders raise anything on damage, and the first page may be good
        return MAX_PAGES


def _full_pages(photo: TiffImageFile) -> Iterator[int]:
    """Yield the pages that are no smaller copies, and no masks, of others."""
    for number in range(min(_count(photo), MAX_PAGES + 1)):
        try:
            photo.seek(number)
            kind = int(photo.tag_v2.get(_SUBFILE_TYPE, 0))
        except Exception:  # noqa: BLE001  # as above
            yield number + 1
            return
        if not kind & (_REDUCED | _MASK):
            yield number + 1


def _distinct_frames(photo: PIL.Image.Image) -> tuple[int, ...]:
    """Return the first frame and those that differ most from it and each other, in their order."""
    count = _count(photo)
    numbers = np.unique(np.linspace(0, count - 1, min(count, _MAX_COMPARED)).round().astype(int)).tolist()
    signatures: list[Signature] = []
    for number in numbers:
        try:
            photo.seek(number)
            signatures.append(_signature(photo))
        except Exception:  # noqa: BLE001  # as above
            break
    damaged = numbers[len(signatures) : len(signatures) + 1]
    chosen = _most_different(signatures) if signatures else []
    return tuple(number + 1 for number in (*(numbers[at] for at in chosen), *damaged))


def _most_different(signatures: list[Signature]) -> list[int]:
    """Return the first and up to seven others, in their order, each unlike all before it."""
    chosen, nearest = [0], _differences(signatures, 0)
    while len(chosen) < MAX_FRAMES and nearest.max() >= _MIN_SHARE:
        chosen.append(int(nearest.argmax()))
        nearest = np.minimum(nearest, _differences(signatures, chosen[-1]))
    return sorted(chosen)


def _signature(photo: PIL.Image.Image) -> Signature:
    grey = cv2.cvtColor(to_rgb(photo), cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (_SIGNATURE_SIDE, _SIGNATURE_SIDE), interpolation=cv2.INTER_AREA)
    return small.astype(np.int16)


def _differences(signatures: list[Signature], at: int) -> NDArray[np.float64]:
    """Return (N,) the share of pixels in which each signature differs from that number ``at``."""
    return np.array([(abs(each - signatures[at]) >= _MIN_LEVELS).mean() for each in signatures])
