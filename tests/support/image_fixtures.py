"""What tests of pictures share."""

from __future__ import annotations

from pathlib import Path

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
