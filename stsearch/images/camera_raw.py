"""Camera RAW: recognized by its directories, shown by the preview that the camera put into it."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import PIL.Image

from stsearch.errors import ImageError
from stsearch.images.files import open_regular
from stsearch.types import Image

_DNG_VERSION, _PHOTOMETRIC, _SUB_DIRECTORIES = 50706, 262, 330
_SENSOR_PIXELS = (32803, 34892)  # colour filter array, linear raw: photometric interpretations
_MAX_ENTRIES, _MAX_SUB_DIRECTORIES = 512, 8
_QUARTER_TURNS = {3: 2, 5: 1, 6: 3}  # to the left, by LibRaw's number of the turn
_MIN_PREVIEW = (
    1000  # pixels on the longer side: words are lost in smaller ones, so the sensor's are developed
)


def is_camera_raw(source: Path | str | bytes) -> bool:
    """Return whether a TIFF, given by its path or its bytes, holds the pixels of a sensor (TIFF/EP, DNG).

    Raises:
        OSError: it cannot be opened.
    """
    if isinstance(source, bytes):
        return _holds_sensor_pixels(io.BytesIO(source))
    with open_regular(Path(source)) as file:
        return _holds_sensor_pixels(file)


def _holds_sensor_pixels(file: BinaryIO) -> bool:
    header = file.read(10)
    if header[8:10] == b"CR":  # Canon's CR2
        return True
    order = "<" if header[:2] == b"II" else ">"
    if header[2:4] not in (b"*\0", b"\0*") or len(header) < 8:
        return False
    try:
        main = _directory(file, struct.unpack(f"{order}I", header[4:8])[0], order)
        if _DNG_VERSION in main:
            return True
        below = [_directory(file, place, order) for place in _places(file, main, order)]
    except struct.error:  # it ends early
        return False
    found = [directory.get(_PHOTOMETRIC, (0, 0, 0))[2] for directory in (main, *below)]
    return any(value in _SENSOR_PIXELS for value in found)


def _directory(file: BinaryIO, place: int, order: str) -> dict[int, tuple[int, int, int]]:
    """Return type, count and value of the entries in the directory at ``place``, by their tags."""
    file.seek(place)
    [count] = struct.unpack(f"{order}H", file.read(2))
    entries = {}
    for _ in range(min(count, _MAX_ENTRIES)):
        entry = file.read(12)
        tag, kind, number = struct.unpack(f"{order}HHI", entry[:8])
        is_short = kind == 3 and number == 1
        value = struct.unpack(f"{order}H", entry[8:10]) if is_short else struct.unpack(f"{order}I", entry[8:])
        entries[tag] = (kind, number, value[0])
    return entries


def _places(file: BinaryIO, main: dict[int, tuple[int, int, int]], order: str) -> tuple[int, ...]:
    """Return where the directories below the main one lie."""
    _, count, value = main.get(_SUB_DIRECTORIES, (0, 0, 0))
    if count < 2:
        return (value,) * count
    file.seek(value)
    count = min(count, _MAX_SUB_DIRECTORIES)
    return struct.unpack(f"{order}{count}I", file.read(4 * count))


def preview(encoded: bytes) -> bytes | Image:
    """Return the preview in a RAW file: a JPEG with its EXIF, or (H, W, 3) uint8 RGB as displayed.

    Where there is none, or only a small one, the pixels of the sensor are developed at half their size.

    Raises:
        ImageError: it is damaged, or of a camera that LibRaw does not know.
    """
    import rawpy

    try:
        with rawpy.imread(io.BytesIO(encoded)) as raw:
            try:
                picture = raw.extract_thumb().data
            except (rawpy.LibRawNoThumbnailError, rawpy.LibRawUnsupportedThumbnailError):
                picture = None
            if picture is not None and _longer_side(picture) >= _MIN_PREVIEW:
                return picture if isinstance(picture, bytes) else _upright(picture, raw.sizes.flip)
            return np.asarray(raw.postprocess(half_size=True, use_camera_wb=True), np.uint8)
    except rawpy.LibRawError as error:
        reason = error.args[0] if error.args else type(error).__name__  # LibRaw's own words are bytes
        said = reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        raise ImageError(f"camera RAW that cannot be read: {said}") from error


def _upright(picture: Image, flip: int) -> Image:
    return np.ascontiguousarray(np.rot90(picture, _QUARTER_TURNS.get(flip, 0)))


def _longer_side(picture: bytes | Image) -> int:
    if not isinstance(picture, bytes):
        return int(max(picture.shape[:2]))
    with PIL.Image.open(io.BytesIO(picture), formats=("JPEG",)) as photo:
        return max(photo.size)
