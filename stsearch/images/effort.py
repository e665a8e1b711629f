"""What decoding a file will take at most, judged before it is done."""

from __future__ import annotations

import math
from dataclasses import dataclass

from stsearch.errors import ImageError
from stsearch.images.decoder import open_with_pillow
from stsearch.images.formats import recognize
from stsearch.images.frames import is_animated
from stsearch.images.jpeg import count_scans
from stsearch.images.memory import memory_of

# Seconds on a busy core, rounded up: a JPEG of 177 megapixels of noise took 14.
_PER_MEGAPIXEL, _PER_SCAN, _PER_MEGABYTE = 0.1, 0.02, 0.05
_PREDICTABLE = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
_EXPANSION = {"HEIF": 40, "AVIF": 100, "PDF": 8, "RAW": 8}  # bytes of pixels for a byte of a file, at most


@dataclass(frozen=True, slots=True)
class Effort:
    """What decoding will take.

    Attributes:
        seconds: at most; infinite where nothing bounds them, or there may be several pages.
        memory_bytes: about so many.
    """

    seconds: float
    memory_bytes: int


def effort_of(encoded: bytes) -> Effort:
    """Judge a file by its bytes, of which no more than the header is interpreted.

    Raises:
        ImageError: it is none that is read.
    """
    name = recognize(encoded)
    if name in _EXPANSION:
        return Effort(math.inf, _EXPANSION[name] * len(encoded))
    try:
        with open_with_pillow(encoded, name) as photo:
            if name not in _PREDICTABLE or is_animated(photo):
                return Effort(math.inf, memory_of(photo))
            scans = count_scans(encoded) if name == "JPEG" else 0
            megapixels = photo.width * photo.height / 1e6
            seconds = megapixels * (_PER_MEGAPIXEL + scans * _PER_SCAN) + len(encoded) / 1e6 * _PER_MEGABYTE
            return Effort(seconds, memory_of(photo))
    except ImageError:  # damaged, which is soon found out, or a TIFF of a kind that Pillow does not open
        return Effort(math.inf if name == "TIFF" else 0.0, len(encoded))
