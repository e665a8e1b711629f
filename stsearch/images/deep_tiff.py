"""TIFFs of three deep or floating-point values a pixel, which Pillow does not open and OpenCV does."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL.TiffImagePlugin import BITSPERSAMPLE, IMAGELENGTH, IMAGEWIDTH, SAMPLEFORMAT, ImageFileDirectory_v2

from stsearch.errors import ImageError
from stsearch.images.colour import stretch
from stsearch.types import Image

_KINDS = {1: "unsigned", 2: "signed", 3: "floating-point"}


def size_of(encoded: bytes) -> tuple[int, int]:
    """Return height and width of the first page, from its directory; nothing is decoded."""
    tags = _first_directory(encoded)
    return int(tags[IMAGELENGTH]), int(tags[IMAGEWIDTH])


def decode(encoded: bytes) -> Image:
    """Return the first page as (H, W, 3) uint8 RGB, its values stretched to eight bits.

    Raises:
        ImageError: it is of another kind; the message says of which.
    """
    values = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.ndim not in (2, 3):
        raise ImageError(f"a TIFF of {_kind(encoded)} values, which is not read")
    image = stretch(values if values.ndim == 3 else values[:, :, None])
    return np.ascontiguousarray(image[:, :, [2, 1, 0]] if image.shape[2] >= 3 else image[:, :, [0, 0, 0]])


def _kind(encoded: bytes) -> str:
    tags = _first_directory(encoded)
    bits, kinds = tags.get(BITSPERSAMPLE, (1,)), tags.get(SAMPLEFORMAT, (1,))
    return f"{len(bits)} x {bits[0]}-bit {_KINDS.get(kinds[0], 'other')}"


def _first_directory(encoded: bytes) -> ImageFileDirectory_v2:
    file = io.BytesIO(encoded)
    tags = ImageFileDirectory_v2(file.read(8))
    file.seek(tags.next)
    tags.load(file)
    return tags
