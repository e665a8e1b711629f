"""Pictures of photographs as browsers show them: small, whole, or one word, straightened. JPEG, bounded."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import PIL.Image

from stsearch.errors import ImageError, UsageError
from stsearch.gallery.photographs import Photograph
from stsearch.geometry.polygons import word_size
from stsearch.images import Decoded, decode_image
from stsearch.objects.url import Location
from stsearch.pages.drawing import cut_word, shrink
from stsearch.server.bounded import BoundedCache
from stsearch.types import Image, Polygon

Show = Literal["thumbnail", "whole", "full", "crop"]

_SIDES: dict[str, int] = {"thumbnail": 480, "whole": 2048, "full": 8192}  # pixels of the longer side
_CROP_HEIGHT = 96  # pixels; twice the height that is shown, for screens of fine resolution
_SHARPER = 1.3  # times the pixels of a crop that its photograph is decoded with
_SIZES = (512, 1024, 2048, 4096)  # to which photographs are decoded, so that words of one share it
_MOST_POINTS = 64
_MOST_PIXELS = 10_000_000  # of a coordinate
_DECODED_BYTES, _ENCODED_BYTES = 96_000_000, 64_000_000
_JPEG_QUALITY = 85


class PhotographGoneError(ImageError):
    """The file of a photograph is not there any more, or is another one."""


@dataclass(frozen=True, slots=True)
class View:
    """What to show of a photograph.

    Attributes:
        show: "thumbnail", "whole", "full" (its own pixels), or "crop".
        page: from 1; None: of a photograph of one page.
        outline: x and y of each corner of the word of a crop, in pixels of the photograph.
    """

    show: Show = "whole"
    page: int | None = None
    outline: tuple[int, ...] = ()

    @property
    def tag(self) -> str:
        """What tells it from other views of the same photograph."""
        return "-".join([self.show, str(self.page or 0), *map(str, self.outline)])


def read_view(show: str, page: int | None, outline: str) -> View:
    """Return the view that the parameters of a URL ask for.

    Raises:
        UsageError: a value cannot be used.
    """
    if show not in get_args(Show):
        raise UsageError(f"show is one of {', '.join(get_args(Show))}, not {show!r}")
    numbers = tuple(_coordinates(outline))
    if (show == "crop") != bool(numbers):
        raise UsageError("a crop, and nothing else, has an outline=X,Y,X,Y,…: the corners of the word")
    kind: Show = next(each for each in get_args(Show) if each == show)
    return View(kind, page, numbers)


def _coordinates(text: str) -> Sequence[int]:
    parts = text.split(",") if text else []
    try:
        numbers = [int(part) for part in parts if len(part) < 10]
    except ValueError:
        numbers = []
    is_outline = len(numbers) == len(parts) and len(parts) % 2 == 0 and 6 <= len(parts) <= 2 * _MOST_POINTS
    if parts and not (is_outline and all(abs(number) <= _MOST_PIXELS for number in numbers)):
        raise UsageError(f"outline is X,Y,X,Y,… in whole pixels, of 3 to {_MOST_POINTS} corners")
    return numbers


class Pictures:
    """Makes views of photographs, for several threads, and keeps as many as a fixed memory holds.

    Args:
        max_megapixels: larger photographs are not decoded.
    """

    def __init__(self, max_megapixels: float) -> None:
        self._max_megapixels = max_megapixels
        self._decoded: BoundedCache[tuple[str, int | None, int], Decoded] = BoundedCache(_DECODED_BYTES)
        self._encoded: BoundedCache[tuple[str, str], bytes] = BoundedCache(_ENCODED_BYTES)

    def jpeg(self, photograph: Photograph, view: View) -> bytes:
        """Return a view of a photograph as a JPEG.

        Raises:
            ImageError: its file is gone, was changed, or cannot be read.
        """
        key = photograph.sha256, view.tag
        encoded = self._encoded.get(key)
        if encoded is None:
            encoded = _encode(
                self._crop(photograph, view) if view.show == "crop" else self._whole(photograph, view)
            )
            self._encoded.put(key, encoded, len(encoded))
        return encoded

    def size(self, photograph: Photograph, page: int | None) -> tuple[int, int]:
        """Return height and width of a page as displayed, in its own pixels.

        Raises:
            ImageError: as ``jpeg``.
        """
        if page is None:
            check_unchanged(photograph.path, photograph.size_bytes)
            return photograph.height, photograph.width
        decoded = self._decode(photograph, page, _SIDES["whole"])
        return decoded.height, decoded.width

    def _whole(self, photograph: Photograph, view: View) -> Image:
        side = _SIDES[view.show]
        return shrink(self._decode(photograph, view.page, side).image, side)[0]

    def _crop(self, photograph: Photograph, view: View) -> Image:
        polygon = np.array(view.outline, np.float32).reshape(-1, 2)
        across = max(1.0, word_size(polygon)[0])
        wanted = max(photograph.height, photograph.width) * _SHARPER * _CROP_HEIGHT / across
        side = next((size for size in _SIZES if size >= wanted), _SIDES["full"])
        decoded = self._decode(photograph, view.page, side)
        return cut_word(decoded.image, _to_decoded(polygon, decoded), _CROP_HEIGHT)

    def _decode(self, photograph: Photograph, page: int | None, side: int) -> Decoded:
        key = photograph.sha256, page, side
        decoded = self._decoded.get(key)
        if decoded is None:
            decoded = fetch(photograph.path, photograph.size_bytes, side, self._max_megapixels, page)
            self._decoded.put(key, decoded, decoded.image.nbytes)
        return decoded


def fetch(
    path: Location, size_bytes: int, longer_side: int, max_megapixels: float, page: int | None
) -> Decoded:
    """Return the pixels of a photograph: the one way from a gallery to them.

    Args:
        path: of its file, or its URL.
        size_bytes: of its file when it was indexed.
        longer_side: in pixels; a longer one is shrunk.
        max_megapixels: larger ones are refused.
        page: from 1; None: the first.

    Raises:
        PhotographGoneError: it is gone, or was changed.
        ImageError: it cannot be read.
    """
    check_unchanged(path, size_bytes)
    try:
        return decode_image(path, longer_side, max_megapixels, page)
    except ImageError as error:
        raise type(error)(str(error).removeprefix(str(path).removesuffix(path.name))) from error


def check_unchanged(path: Location, size_bytes: int) -> None:
    """Refuse a file that is not there any more, or has another size than when it was indexed.

    An object is known to be so when it is fetched.

    Raises:
        PhotographGoneError: it is so.
    """
    if not isinstance(path, Path):
        return
    try:
        size = path.stat().st_size
    except FileNotFoundError as error:
        raise PhotographGoneError(f"{path.name} is no longer there") from error
    except OSError as error:
        raise PhotographGoneError(f"{path.name} cannot be shown: {error.strerror or error}") from error
    if size != size_bytes:
        raise PhotographGoneError(f"{path.name} was changed since it was indexed: run stsearch index again")


def _to_decoded(polygon: Polygon, decoded: Decoded) -> Polygon:
    height, width = decoded.image.shape[:2]
    return polygon * np.asarray((width / decoded.width, height / decoded.height), np.float32)


def _encode(image: Image) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return buffer.getvalue()
