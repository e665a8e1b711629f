"""EXIF: which way up a picture is displayed, when it was taken, and labels drawn on stored pixels."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import PIL.Image
from PIL.TiffImagePlugin import IMAGELENGTH, IMAGEWIDTH, TiffImageFile

from stsearch.images.formats import PILLOW_DECODERS
from stsearch.types import Image, Polygon

SIDES_SWAPPED = (5, 6, 7, 8)
"""The EXIF orientations in which the displayed height is the stored width."""

_ORIENTATION_TAG, _EXIF_IFD, _TAKEN_TAG = 0x0112, 0x8769, 0x9003
_MIRRORED = (2, 4, 5, 7)


def orientation_of(photo: PIL.Image.Image) -> int:
    """Return the EXIF orientation of a loaded photograph, 1 when it has none or its EXIF is damaged.

    Loaded first, because Pillow turns a TIFF while loading and then takes the tag away.
    """
    try:
        orientation = photo.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001  # damaged EXIF raises anything, and the picture is still good
        return 1
    return orientation if orientation in range(1, 9) else 1


def time_taken(photo: PIL.Image.Image) -> str | None:
    """Return the EXIF time a loaded photograph was taken; None when it is missing or damaged."""
    try:
        clock = str(photo.getexif().get_ifd(_EXIF_IFD)[_TAKEN_TAG])
        return datetime.strptime(clock[:19], "%Y:%m:%d %H:%M:%S").isoformat()
    except Exception:  # noqa: BLE001  # as above; cameras whose clock was never set write zeros
        return None


def turn(image: Image, orientation: int) -> Image:
    """Return the stored pixels ``image`` (H, W, 3) as they are displayed."""
    if orientation in SIDES_SWAPPED:
        image = image.transpose(1, 0, 2)
    across = -1 if orientation in (2, 3, 6, 7) else 1
    down = -1 if orientation in (3, 4, 7, 8) else 1
    return np.ascontiguousarray(image[::down, ::across])


@dataclass(frozen=True, slots=True)
class StoredFrame:
    """The pixels of a file as they are stored, before its EXIF orientation is applied.

    Attributes:
        orientation: EXIF orientation, 1 to 8; 1 is as displayed.
        height: in stored pixels.
        width: in stored pixels.
    """

    orientation: int
    height: int
    width: int

    @property
    def is_displayed(self) -> bool:
        """Return whether the stored pixels are the displayed ones."""
        return self.orientation == 1

    @property
    def is_mirrored(self) -> bool:
        """Return whether displaying mirrors the stored picture."""
        return self.orientation in _MIRRORED

    def to_displayed(self, polygon: Polygon) -> Polygon:
        """Return the points of ``polygon`` (P, 2), stored pixels, in displayed pixels, in the same order."""
        x, y = polygon[:, 0], polygon[:, 1]
        right, below = self.width - x, self.height - y
        across, down = {
            2: (right, y),
            3: (right, below),
            4: (x, below),
            5: (y, x),
            6: (below, x),
            7: (below, right),
            8: (y, right),
        }.get(self.orientation, (x, y))
        return np.stack([across, down], axis=1).astype(np.float32)


def read_stored_frame(path: Path) -> StoredFrame:
    """Return how the pixels of a photograph are stored, from its header.

    Pixels are not decoded, but for a PNG without EXIF in its header, which may follow its pixels. A file
    that is no photograph counts as one of no size that is stored as displayed: decoding it reports it.
    """
    try:
        with PIL.Image.open(path, formats=PILLOW_DECODERS) as photo:
            orientation = orientation_of(photo)
            width, height = photo.size
            if isinstance(
                photo, TiffImageFile
            ):  # whose size is the displayed one, in some versions of Pillow
                width, height = int(photo.tag_v2[IMAGEWIDTH]), int(photo.tag_v2[IMAGELENGTH])
            return StoredFrame(orientation, height, width)
    except Exception:  # noqa: BLE001  # decoders raise anything on damage
        return StoredFrame(1, 0, 0)
