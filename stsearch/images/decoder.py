"""Photographs into arrays: displayed pixels (EXIF applied) of one page, limits checked first.

One decoder for training, evaluation, indexing and pictures of hits: all see a photograph as displayed, and
polygons are in its displayed pixels.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import PIL.Image
from PIL.TiffImagePlugin import TiffImageFile

from stsearch.errors import ImageError, ImageRefusedError, PhotosUnreachableError, UsageError
from stsearch.images import camera_raw, deep_tiff, pdf
from stsearch.images.colour import to_rgb
from stsearch.images.files import read_content, take_in
from stsearch.images.formats import PILLOW_DECODERS, check_header, recognize
from stsearch.images.frames import MAX_PAGES, pages_of
from stsearch.images.jpeg import missing_part, with_end
from stsearch.images.memory import DECODING, memory_of
from stsearch.images.metadata import without_ballast
from stsearch.images.orientation import SIDES_SWAPPED, orientation_of, time_taken, turn
from stsearch.images.resizing import Resize, window_side
from stsearch.objects.url import Location, located
from stsearch.types import Image, Polygon

MAX_MEGAPIXELS = 178.0
"""Photographs with more pixels are refused by their header: decoded, one would need over half a gigabyte."""

# The header is compared with our own limit; Pillow's would warn from half of it on, and could not be raised.
PIL.Image.MAX_IMAGE_PIXELS = None

_REDUCED_FROM = 24e6  # pixels; smaller photographs are converted whole, larger ones by whole squares

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A photograph as displayed, perhaps shrunk.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        height: of the photograph as displayed, in its own pixels.
        width: of the photograph as displayed, in its own pixels.
        taken: EXIF DateTimeOriginal, local time of the camera, in ISO 8601 to the second; None without it.
        note: what is missing of it, as "incomplete: it ends after 40% of its height"; None where nothing is.
    """

    image: Image
    height: int
    width: int
    taken: str | None = None
    note: str | None = None

    def to_original(self, polygon: Polygon) -> Polygon:
        """Return ``polygon`` (P, 2) in pixels of the photograph, from pixels of ``image``."""
        height, width = self.image.shape[:2]
        return polygon * np.asarray((self.width / width, self.height / height), np.float32)


def read_image(
    source: Location | str | bytes, max_megapixels: float = MAX_MEGAPIXELS, page: int | None = None
) -> Image:
    """Return the photograph at a path or URL, or in bytes, as displayed: HWC uint8 RGB, full size.

    Args:
        source: a path, the URL of an object, or the bytes of a file.
        max_megapixels: larger photographs are refused before decoding.
        page: of a file with several, or the frame of an animation, from 1; None: the first.

    Raises:
        ImageError: it cannot be read; the message holds the reason, after the path where one is known.
    """
    return decode_image(source, max_megapixels=max_megapixels, page=page).image


def decode_image(
    source: Location | str | bytes,
    longer_side: int | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
    page: int | None = None,
) -> Decoded:
    """Decode a photograph: EXIF orientation applied, any colour mode, transparency over what shows it.

    Args:
        source: a path, the URL of an object, or the bytes of a file.
        longer_side: a longer photograph is shrunk to it, as ``Resize`` does, an elongated one until its
            windows have that side; a JPEG at least twice as long is also decoded at a half, a quarter or an
            eighth of its size, which is several times faster.
        max_megapixels: larger photographs are refused before decoding.
        page: of a file with several, or the frame of an animation, from 1; None: the first.

    Raises:
        ImageError: it cannot be read; the message holds the reason, after the path where one is known.
    """
    decode = _Decoder(longer_side, max_megapixels, page or 1)
    return decode(source) if isinstance(source, bytes) else _naming(source, decode)


def list_pages(encoded: bytes) -> tuple[int, ...]:
    """Return the pages of a file, or the frames of an animation that differ, numbered from 1.

    Of a file of more than ``MAX_PAGES`` one more than that is among them.

    Raises:
        ImageError: it cannot be read.
    """
    name = recognize(encoded)
    if name == "PDF":
        return tuple(range(1, min(pdf.count_pages(encoded), MAX_PAGES + 1) + 1))
    if name == "RAW":
        return (1,)
    try:
        with open_with_pillow(encoded, name) as photo, DECODING.take(memory_of(photo)):
            return pages_of(photo)
    except _UnknownToPillowError:
        return (1,)


def _naming(source: Location | str, decode: Callable[[bytes], T]) -> T:
    """Return what ``decode`` makes of the bytes of a file or an object; its errors name it."""
    try:
        return decode(_read(located(source)))
    except OSError as error:
        raise ImageError(f"{source}: {error.strerror or error}") from error
    except ImageError as error:
        raise type(error)(f"{source}: {error}") from error
    except (PhotosUnreachableError, UsageError) as error:
        raise ImageRefusedError(f"{source}: {error}") from error


def _read(location: Location) -> bytes:
    if isinstance(location, Path):
        return read_content(location, check_header).encoded or b""
    from stsearch.objects.store import bucket_of

    return take_in(bucket_of(location).read(location.key), check_header).encoded or b""


class _UnknownToPillowError(ImageError):
    """Pillow knows the format, and not this kind of it."""


@contextmanager
def open_with_pillow(encoded: bytes, name: str) -> Iterator[PIL.Image.Image]:
    """Open a file of the format ``name``; whatever a decoder then raises is an ``ImageError``.

    Raises:
        ImageError: it is damaged.
        ImageRefusedError: the memory does not suffice.
    """
    if name == "HEIF":  # its decoder is imported for a HEIC file only
        import pillow_heif

        pillow_heif.register_heif_opener()
    try:
        stream = io.BytesIO(without_ballast(encoded, name))
        formats = PILLOW_DECODERS if name in PILLOW_DECODERS else (name,)
        with PIL.Image.open(stream, formats=formats) as photo:
            yield photo
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageRefusedError("there was not enough memory to decode it") from error
    except PIL.UnidentifiedImageError as error:
        raise _UnknownToPillowError(f"damaged or truncated: no {name}, though it begins as one") from error
    except Exception as error:  # decoders raise anything on damage
        raise ImageError(f"damaged or truncated: {str(error).strip() or type(error).__name__}") from error


@dataclass(frozen=True, slots=True)
class _Decoder:
    """Decodes the bytes of files, as ``decode_image`` is told to."""

    longer_side: int | None
    max_megapixels: float
    page: int

    def __call__(self, encoded: bytes) -> Decoded:
        name = recognize(encoded)
        if name == "PDF":
            return self._render(encoded)
        if name == "RAW":
            return self._show_preview(encoded)
        if name != "JPEG":
            return self._decode(encoded, name)
        try:
            return self._decode(encoded, name)
        except ImageRefusedError:
            raise
        except ImageError:
            decoded = self._decode(with_end(encoded), name)
            return replace(decoded, note=missing_part(without_ballast(encoded, name)))

    def _decode(self, encoded: bytes, name: str) -> Decoded:
        try:
            with open_with_pillow(encoded, name) as photo:
                return self._convert(photo)
        except _UnknownToPillowError:
            if name != "TIFF" or self.page > 1:
                raise
            return self._decode_deep(encoded)

    def _convert(self, photo: PIL.Image.Image) -> Decoded:
        if self.page > 1:
            photo.seek(self.page - 1)
        height, width = photo.height, photo.width
        self._check_size(height, width)
        if self.longer_side is not None:
            ratio = self.longer_side / window_side(height, width)
            photo.draft(None, (math.ceil(width * ratio), math.ceil(height * ratio)))
        with DECODING.take(memory_of(photo)):
            photo.load()
            image = to_rgb(photo, self._factor(photo))
        orientation = orientation_of(photo)
        if photo.size != (width, height) and isinstance(photo, TiffImageFile):  # Pillow has turned it
            height, width = photo.height, photo.width
        if orientation in SIDES_SWAPPED:
            height, width = width, height
        return self._shrink(Decoded(turn(image, orientation), height, width, time_taken(photo)))

    def _factor(self, photo: PIL.Image.Image) -> int:
        """Return the side of the squares of a loaded picture that become one pixel each."""
        if self.longer_side is None or photo.width * photo.height < _REDUCED_FROM:
            return 1
        return max(1, int(window_side(photo.height, photo.width) / self.longer_side))

    def _decode_deep(self, encoded: bytes) -> Decoded:
        try:
            height, width = deep_tiff.size_of(encoded)
        except Exception as error:
            raise ImageError("damaged or truncated: no TIFF, though it begins as one") from error
        self._check_size(height, width)
        with DECODING.take(16 * height * width):
            return self._shrink(Decoded(deep_tiff.decode(encoded), height, width))

    def _show_preview(self, encoded: bytes) -> Decoded:
        preview = camera_raw.preview(encoded)
        if isinstance(preview, bytes):
            return replace(self, page=1)(preview)
        return self._shrink(Decoded(preview, *preview.shape[:2]))

    def _render(self, encoded: bytes) -> Decoded:
        height, width = pdf.page_size(encoded, self.page)
        self._check_size(height, width)
        scale = 1.0
        if self.longer_side is not None:
            scale = min(1.0, self.longer_side / window_side(height, width))
        with DECODING.take(int(4 * height * width * scale**2)):
            return self._shrink(Decoded(pdf.render(encoded, self.page, scale), height, width))

    def _check_size(self, height: int, width: int) -> None:
        megapixels = width * height / 1e6
        if megapixels > self.max_megapixels:
            raise ImageRefusedError(
                f"{width} x {height} is {megapixels:.0f} megapixels; the limit is {self.max_megapixels:g}"
            )

    def _shrink(self, decoded: Decoded) -> Decoded:
        """Return ``decoded`` no larger than is looked at."""
        height, width = decoded.image.shape[:2]
        side = window_side(height, width)
        if self.longer_side is None or side <= self.longer_side:
            return decoded
        length = round(max(height, width) * self.longer_side / side)
        return replace(decoded, image=Resize(length).plan(height, width).resize(decoded.image))
