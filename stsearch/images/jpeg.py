"""JPEGs that end early: what they still show, and whether anything is missing."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import PIL.Image
from PIL import ImageChops

from stsearch.images.memory import DECODING, memory_of
from stsearch.images.metadata import segments

if TYPE_CHECKING:
    from PIL.JpegImagePlugin import JpegImageFile

_EOI, _SOS = b"\xff\xd9", b"\xff\xda"
_PROGRESSIVE = 0xC2
_OTHER_PIXELS = bytes(range(1, 255)) * 16
"""Continues any entropy-coded data: no byte of it begins a marker."""
_MAX_COMPARED = 40e6  # pixels; two larger pictures are compared at half their size


def with_end(encoded: bytes) -> bytes:
    """Return a JPEG with an end marker, so that a decoder shows what there is of it."""
    return encoded + _EOI


def missing_part(encoded: bytes) -> str | None:
    """Say what is missing of a JPEG that has no end; None when it is the end marker alone.

    Where pixels are missing, how they are decoded depends on what follows the last byte: so two continuations
    are compared.
    """
    markers = list(segments(encoded))
    pixels = markers[-1][2] if markers else 0
    is_progressive = any(marker == _PROGRESSIVE for marker, *_ in markers)
    with _open(with_end(encoded)) as shown, _open(encoded + _OTHER_PIXELS + _EOI) as continued:
        with DECODING.take(3 * memory_of(shown)):
            difference = ImageChops.difference(shown, continued).getbbox()
        if difference is None:
            return None
        if is_progressive and encoded.count(_SOS, pixels) > 1:
            return "incomplete: its last details are missing"
        return f"incomplete: it ends after {difference[1] / shown.height:.0%} of its height"


def count_scans(encoded: bytes) -> int:
    """Return how many scans the pixels of a JPEG are decoded in, or more; most have one with all components.

    Only where there may be several are the pixels searched for them: that takes 2 ms a megabyte.
    """
    frame, pixels, components = 0, 2, 0
    for marker, start, end in segments(encoded):
        pixels = end
        if 0xC0 <= marker <= _PROGRESSIVE:
            frame, components = marker, encoded[start + 9]
    in_first_scan = encoded[pixels + 4 : pixels + 5]
    if frame != _PROGRESSIVE and in_first_scan == bytes([components]):
        return 1
    return encoded.count(_SOS, pixels)


def _open(encoded: bytes) -> JpegImageFile:
    photo: JpegImageFile = PIL.Image.open(io.BytesIO(encoded), formats=("JPEG",))  # type: ignore[assignment]
    if photo.width * photo.height > _MAX_COMPARED:
        photo.draft(None, ((photo.width + 1) // 2, (photo.height + 1) // 2))
    return photo
