"""Photographs into arrays (EXIF applied, limits checked first), and the way to model pixels and back.

One decoder for training, evaluation, indexing and pictures of hits: all see a photograph as displayed, and
polygons are in its displayed pixels. ``StoredFrame`` moves labels there that were drawn on stored pixels.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import cv2
import numpy as np
import PIL.features
import PIL.Image
from numpy.typing import NDArray
from PIL.Image import Transpose
from PIL.TiffImagePlugin import IMAGELENGTH, IMAGEWIDTH, TiffImageFile

from stsearch.errors import ImageError, ImageRefusedError
from stsearch.padding import pad_to_multiple
from stsearch.types import Image, Polygon

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
"""The decoders that are used, beside those of HEIC and AVIF; other formats of Pillow are refused."""

MAX_MEGAPIXELS = 178.0
"""Photographs with more pixels are refused by their header: decoded, one would need over half a gigabyte."""

# The header is compared with our own limit; Pillow's would warn from half of it on, and could not be raised.
PIL.Image.MAX_IMAGE_PIXELS = None

_ALL_FORMATS = ", ".join((*FORMATS, "HEIC", "AVIF"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1"))
_MAX_BRANDS_BYTES = 256  # of a header that names its brands; real ones take 24 to 48

_ORIENTATION_TAG, _EXIF_IFD, _TAKEN_TAG = 0x0112, 0x8769, 0x9003
_UPRIGHT = {
    2: Transpose.FLIP_LEFT_RIGHT,
    3: Transpose.ROTATE_180,
    4: Transpose.FLIP_TOP_BOTTOM,
    5: Transpose.TRANSPOSE,
    6: Transpose.ROTATE_270,
    7: Transpose.TRANSVERSE,
    8: Transpose.ROTATE_90,
}
_SIDES_SWAPPED = (5, 6, 7, 8)
_MIRRORED = (2, 4, 5, 7)
_MAX_ASPECT, _WINDOW_ASPECT = 2.5, 2.0
"""Photographs that are longer for their width are looked at in windows of the second aspect."""
_MIN_WINDOW = 640  # pixels on the longer side of a window: one line of text is cut into few
_MAX_UPSCALE = 2.0  # enlarging a small picture further adds work and no detail


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """A photograph as displayed, perhaps shrunk.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        height: of the photograph as displayed, in its own pixels.
        width: of the photograph as displayed, in its own pixels.
        taken: EXIF DateTimeOriginal, local time of the camera, in ISO 8601 to the second; None without it.
    """

    image: Image
    height: int
    width: int
    taken: str | None = None

    def to_original(self, polygon: Polygon) -> Polygon:
        """Return ``polygon`` (P, 2) in pixels of the photograph, from pixels of ``image``."""
        height, width = self.image.shape[:2]
        return polygon * np.asarray((self.width / width, self.height / height), np.float32)


def read_image(source: Path | str | bytes, max_megapixels: float = MAX_MEGAPIXELS) -> Image:
    """Return the photograph at a path, or in the bytes of a file, as displayed: HWC uint8 RGB, full size.

    Raises:
        ImageError: it cannot be read; the message holds the reason, after the path where one is known.
    """
    return decode_image(source, max_megapixels=max_megapixels).image


def decode_image(
    source: Path | str | bytes, longer_side: int | None = None, max_megapixels: float = MAX_MEGAPIXELS
) -> Decoded:
    """Decode a photograph: EXIF orientation applied, transparency over white, first frame, any colour mode.

    Args:
        source: a path, or the bytes of a file.
        longer_side: a longer photograph is shrunk to it, as ``Resize`` does, an elongated one until its
            windows have that side; a JPEG at least twice as long is also decoded at a half, a quarter or an
            eighth of its size, which is several times faster.
        max_megapixels: larger photographs are refused before decoding.

    Raises:
        ImageError: it cannot be read; the message holds the reason, after the path where one is known.
    """
    if isinstance(source, bytes):
        return _decode(source, longer_side, max_megapixels)
    try:
        return _decode(Path(source).read_bytes(), longer_side, max_megapixels)
    except OSError as error:
        raise ImageError(f"{source}: {error.strerror or error}") from error
    except ImageError as error:
        raise ImageError(f"{source}: {error}") from error


def _decode(encoded: bytes, longer_side: int | None, max_megapixels: float) -> Decoded:
    if not encoded:
        raise ImageError("the file is empty")
    formats = _decoders(encoded)
    try:
        with PIL.Image.open(io.BytesIO(encoded), formats=formats) as photo:
            _check_size(photo, max_megapixels)
            width, height = photo.size
            if longer_side is not None:
                ratio = longer_side / window_side(height, width)
                photo.draft(None, (math.ceil(width * ratio), math.ceil(height * ratio)))
            photo.load()
            orientation = _orientation(photo)
            if orientation in _SIDES_SWAPPED:
                height, width = width, height
            image = _to_rgb(_turn(photo, orientation))
            if longer_side is not None and longer_side < (side := window_side(height, width)):
                length = round(max(height, width) * longer_side / side)
                image = Resize(length).plan(height, width).resize(image)
            return Decoded(image, height, width, _taken(photo))
    except ImageError:
        raise
    except PIL.UnidentifiedImageError as error:
        if formats != FORMATS:
            raise ImageError(f"damaged or truncated: no {formats[0]}, though it begins as one") from error
        raise ImageError(f"not a picture in a format that is read ({_ALL_FORMATS})") from error
    except Exception as error:  # decoders raise anything on damage
        raise ImageError(f"damaged or truncated: {str(error).strip() or type(error).__name__}") from error


def window_side(height: int, width: int) -> int:
    """Return the longer side of the windows that a photograph is looked at in; its own if that is one.

    >>> window_side(960, 1280), window_side(12000, 1080), window_side(30, 3000)
    (1280, 2160, 640)
    """
    shorter, longer = sorted((height, width))
    if longer <= _MAX_ASPECT * shorter:
        return longer
    return min(longer, max(round(_WINDOW_ASPECT * shorter), _MIN_WINDOW))


def _decoders(encoded: bytes) -> tuple[str, ...]:
    """Return the names of the decoders for a file; that of HEIC is imported for a HEIC file only."""
    brands = _brands(encoded)
    if brands & _AVIF_BRANDS:
        if not PIL.features.check("avif"):
            raise ImageRefusedError("this Pillow cannot decode AVIF: pip install --upgrade pillow")
        return ("AVIF",)
    if brands & _HEIC_BRANDS:
        try:
            import pillow_heif
        except ImportError as error:
            raise ImageRefusedError("HEIC needs one more package: pip install 'stsearch[heic]'") from error
        pillow_heif.register_heif_opener()
        return ("HEIF",)
    return FORMATS


def _brands(encoded: bytes) -> frozenset[bytes]:
    """Return the brands in the header of a file of the HEIC, AVIF and MP4 family; none for other files."""
    if encoded[4:8] != b"ftyp":
        return frozenset()
    end = min(int.from_bytes(encoded[:4], "big"), _MAX_BRANDS_BYTES)
    return frozenset(encoded[start : start + 4] for start in (8, *range(16, end, 4)))


def _check_size(photo: PIL.Image.Image, max_megapixels: float) -> None:
    megapixels = photo.width * photo.height / 1e6
    if megapixels > max_megapixels:
        size = f"{photo.width} x {photo.height} is {megapixels:.0f} megapixels"
        raise ImageRefusedError(f"{size}; the limit is {max_megapixels:g}")


def _orientation(photo: PIL.Image.Image) -> int:
    """Return the EXIF orientation of a loaded photograph, 1 when it has none or its EXIF is damaged.

    Loaded first, because Pillow turns a TIFF while loading and then takes the tag away.
    """
    try:
        orientation = photo.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # noqa: BLE001  # damaged EXIF raises anything, and the picture is still good
        return 1
    return orientation if orientation in _UPRIGHT else 1


def _taken(photo: PIL.Image.Image) -> str | None:
    """Return the EXIF time a loaded photograph was taken; None when it is missing or damaged."""
    try:
        clock = str(photo.getexif().get_ifd(_EXIF_IFD)[_TAKEN_TAG])
        return datetime.strptime(clock[:19], "%Y:%m:%d %H:%M:%S").isoformat()
    except Exception:  # noqa: BLE001  # as above; cameras whose clock was never set write zeros
        return None


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
        with PIL.Image.open(path, formats=FORMATS) as photo:
            orientation = _orientation(photo)
            width, height = photo.size
            if isinstance(
                photo, TiffImageFile
            ):  # whose size is the displayed one, in some versions of Pillow
                width, height = int(photo.tag_v2[IMAGEWIDTH]), int(photo.tag_v2[IMAGELENGTH])
            return StoredFrame(orientation, height, width)
    except Exception:  # noqa: BLE001  # decoders raise anything on damage
        return StoredFrame(1, 0, 0)


def _turn(photo: PIL.Image.Image, orientation: int) -> PIL.Image.Image:
    return photo.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else photo


def _to_rgb(photo: PIL.Image.Image) -> Image:
    if photo.has_transparency_data:
        layer = photo.convert("RGBA")
        photo = PIL.Image.new("RGBA", layer.size, "white")
        photo.alpha_composite(layer)
    elif photo.mode == "F" or photo.mode.startswith("I"):
        return _stretch(np.asarray(photo, np.float32))
    return np.ascontiguousarray(photo.convert("RGB"))


def _stretch(values: NDArray[np.float32]) -> Image:
    """Return grey ``values`` (H, W) of unknown depth as RGB with the darkest at 0 and the brightest at 255.

    Scanners write 10, 12 and 16 bits into the same mode, so the range is taken from the picture.
    """
    low, high = float(values.min()), float(values.max())
    if not math.isfinite(high - low):
        raise ImageError("it holds values that are not numbers")
    grey = ((values - low) * (255.0 / max(high - low, 1e-12)) + 0.5).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


@dataclass(frozen=True, slots=True)
class ResizePlan:
    """How one size of image becomes model pixels: resized to (height, width), padded right and below.

    Attributes:
        scale_x: model pixels per original pixel, horizontally.
        scale_y: the same, vertically; the two differ by rounding only.
        height: of the resized image.
        width: of the resized image.
        padded_height: a multiple of the coarsest stride of the network.
        padded_width: a multiple of the coarsest stride of the network.
    """

    scale_x: float
    scale_y: float
    height: int
    width: int
    padded_height: int
    padded_width: int

    def resize(self, image: Image) -> Image:
        """Return ``image`` (H, W, 3) resized to (height, width, 3)."""
        shrinks = self.height < image.shape[0] or self.width < image.shape[1]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(image, (self.width, self.height), interpolation=method), np.uint8)

    def forward(self, image: Image) -> Image:
        """Return ``image`` (H, W, 3) resized, and padded with zeros to (padded_height, padded_width, 3)."""
        padded = np.zeros((self.padded_height, self.padded_width, 3), np.uint8)
        padded[: self.height, : self.width] = self.resize(image)
        return padded

    def scale(self, polygon: Polygon) -> Polygon:
        """Return ``polygon`` (P, 2), given in original pixels, in model pixels."""
        return polygon * np.asarray((self.scale_x, self.scale_y), np.float32)

    def inverse(self, polygon: Polygon) -> Polygon:
        """Return ``polygon`` (P, 2), given in model pixels, in original pixels."""
        return polygon * np.asarray((1 / self.scale_x, 1 / self.scale_y), np.float32)


@dataclass(frozen=True, slots=True)
class Resize:
    """Fit images into a longer side, keeping their aspect; small ones grow to at most twice their size.

    Attributes:
        longer_side: of the resized image, in pixels.
        multiple: padded sides are multiples of it, the coarsest stride of the network.
    """

    longer_side: int
    multiple: int = 32

    def plan(self, height: int, width: int) -> ResizePlan:
        """Return the plan for images of (``height``, ``width``).

        >>> Resize(1280).plan(3000, 4000)
        ResizePlan(scale_x=0.32, scale_y=0.32, height=960, width=1280, padded_height=960, padded_width=1280)
        """
        ratio = min(self.longer_side / max(height, width), _MAX_UPSCALE)
        new_height, new_width = max(1, round(height * ratio)), max(1, round(width * ratio))
        return ResizePlan(
            new_width / width,
            new_height / height,
            new_height,
            new_width,
            pad_to_multiple(new_height, self.multiple),
            pad_to_multiple(new_width, self.multiple),
        )
