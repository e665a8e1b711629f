"""What tests of pictures share."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image

# How a camera stores the picture for each EXIF orientation: the inverse of what a viewer does.
STORED = {
    1: None,
    2: PIL.Image.Transpose.FLIP_LEFT_RIGHT,
    3: PIL.Image.Transpose.ROTATE_180,
    4: PIL.Image.Transpose.FLIP_TOP_BOTTOM,
    5: PIL.Image.Transpose.TRANSPOSE,
    6: PIL.Image.Transpose.ROTATE_90,
    7: PIL.Image.Transpose.TRANSVERSE,
    8: PIL.Image.Transpose.ROTATE_270,
}


def save_oriented(displayed: PIL.Image.Image, path: Path, orientation: int) -> Path:
    """Save a picture as a camera does that was held as ``orientation`` says, and return its path."""
    turn = STORED[orientation]
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = displayed if turn is None else displayed.transpose(turn)
    stored.save(path, exif=exif, quality=95)
    return path


def encode(photo: PIL.Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Return the bytes of a file of the format ``kind``."""
    buffer = io.BytesIO()
    photo.save(buffer, kind, **options)
    return buffer.getvalue()


def noise(size: tuple[int, int], mode: str = "RGB") -> PIL.Image.Image:
    """Return a picture that no decoder can guess the rest of."""
    shape = (size[1], size[0], len(mode)) if len(mode) > 1 else (size[1], size[0])
    return PIL.Image.fromarray(np.random.default_rng(0).integers(0, 256, shape, np.uint8), mode)


def slow_jpeg(scans: int = 1500) -> bytes:
    """Return a JPEG of a few kB that is refined ``scans`` times: a thousand took half a second."""
    encoded = encode(PIL.Image.new("RGB", (1000, 1000), (5, 0, 0)), "JPEG", progressive=True)
    last_scan = encoded[encoded.rindex(b"\xff\xda") : -2]
    return encoded[:-2] + last_scan * scans + encoded[-2:]


def camera_raw(preview: bytes, orientation: int = 1) -> bytes:
    """Return a DNG: a JPEG as its preview, and a sensor of 64 x 48 grey pixels."""
    width, height = PIL.Image.open(io.BytesIO(preview)).size
    sensor = np.full((48, 64), 1000, np.uint16).tobytes()

    def directories(below_at: int, preview_at: int, sensor_at: int) -> tuple[bytes, bytes]:
        main = [
            *((254, "I", [1]), (256, "I", [width]), (257, "I", [height]), (258, "H", [8, 8, 8])),
            *((259, "H", [7]), (262, "H", [6]), (271, "s", b"Acme\0"), (272, "s", b"One\0")),
            *((273, "I", [preview_at]), (274, "H", [orientation]), (277, "H", [3]), (278, "I", [height])),
            *((279, "I", [len(preview)]), (330, "I", [below_at]), (50706, "B", [1, 4, 0, 0])),
            (50708, "s", b"Acme One\0"),
        ]
        below = [
            *((254, "I", [0]), (256, "I", [64]), (257, "I", [48]), (258, "H", [16]), (259, "H", [1])),
            *((262, "H", [32803]), (273, "I", [sensor_at]), (277, "H", [1]), (278, "I", [48])),
            *((279, "I", [len(sensor)]), (33421, "H", [2, 2]), (33422, "B", [0, 1, 1, 2])),
        ]
        first = _directory(main, 8)
        return first, _directory(below, 8 + len(first))

    first, second = directories(0, 0, 0)
    below_at = 8 + len(first)
    preview_at = below_at + len(second)
    first, second = directories(below_at, preview_at, preview_at + len(preview))
    return b"II*\0" + struct.pack("<I", 8) + first + second + preview + sensor


def _directory(entries: Sequence[tuple[int, str, bytes | Sequence[int]]], place: int) -> bytes:
    """Return a directory of a little-endian TIFF that lies at ``place``; tags, types and values are given."""
    kinds = {"B": 1, "s": 2, "H": 3, "I": 4}
    fields, values = b"", b""
    for tag, kind, value in entries:
        packed = value if isinstance(value, bytes) else struct.pack(f"<{len(value)}{kind}", *value)
        if len(packed) > 4:
            start = place + 2 + 12 * len(entries) + 4 + len(values)
            values += packed
            packed = struct.pack("<I", start)
        fields += struct.pack("<HHI", tag, kinds[kind], len(value)) + packed.ljust(4, b"\0")
    return struct.pack("<H", len(entries)) + fields + bytes(4) + values
