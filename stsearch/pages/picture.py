"""Pictures that are part of a page."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import PIL.Image

from stsearch.types import Image

_JPEG_QUALITY = 80


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as a page holds it.

    Attributes:
        source: a data URL.
        width: in pixels.
        height: in pixels.
        description: for those who do not see it.
    """

    source: str
    width: int
    height: int
    description: str

    @classmethod
    def of(cls, image: Image, description: str) -> Picture:
        """Take ``image`` (H, W, 3) uint8 RGB, as a JPEG."""
        buffer = io.BytesIO()
        PIL.Image.fromarray(image).save(buffer, "JPEG", quality=_JPEG_QUALITY)
        encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
        height, width = image.shape[:2]
        return cls(f"data:image/jpeg;base64,{encoded}", width, height, description)
