"""Pictures of what was found: words outlined, labelled and cut out. Arrays in, arrays out; opens no file."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from stsearch.geometry.polygons import offset_polygon, rectify, word_size
from stsearch.types import Image, Polygon

_OUTLINE, _AROUND = (230, 0, 90), (255, 255, 255)  # a bright line in a white one stands out on any photograph
_LINES = 320  # as many outlines side by side would fill the longer side
_SMALLEST_FONT = 12  # pixels
_WIDEST_CROP = 12  # times its height
_SURROUNDINGS = 1.0  # shown around a word in its close-up, as a multiple of its longer side
_CROP_MARGIN = 0.15  # share of the word's height that is shown around it


def shrink(image: Image, longer_side: int) -> tuple[Image, float]:
    """Return ``image`` (H, W, 3) with at most ``longer_side`` pixels a side, and by what it was scaled."""
    height, width = image.shape[:2]
    scale = longer_side / max(height, width)
    if scale >= 1:
        return image, 1.0
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), scale


def outline_words(image: Image, polygons: Sequence[Polygon], labels: Sequence[str] = ()) -> Image:
    """Return a copy of ``image`` (H, W, 3) uint8 RGB with words outlined, the lines beside the letters.

    Args:
        image: a photograph.
        polygons: (P, 2) in its pixels; one of no points outlines nothing.
        labels: what to write at each outline; without any, nothing.
    """
    drawn = np.array(image)
    thickness = max(2, round(max(image.shape[:2]) / _LINES))
    around = [_surround(polygon, thickness) for polygon in polygons if len(polygon)]
    corners = [np.round(polygon).astype(np.int32) for polygon in around]
    cv2.polylines(drawn, corners, True, _AROUND, 2 * thickness, cv2.LINE_AA)
    cv2.polylines(drawn, corners, True, _OUTLINE, thickness, cv2.LINE_AA)
    if not any(labels):
        return drawn
    canvas = PIL.Image.fromarray(drawn)
    font = PIL.ImageFont.load_default(max(_SMALLEST_FONT, 6 * thickness))
    for polygon, label in zip(polygons, labels, strict=True):
        if len(polygon) and label:
            _write(PIL.ImageDraw.Draw(canvas), polygon, label, font)
    return np.array(canvas)


def _surround(polygon: Polygon, thickness: int) -> Polygon:
    """Return the path of a line around a word whose inner edge keeps clear of the outermost letters."""
    surrounding = offset_polygon(polygon, thickness + 2)
    return polygon if surrounding is None else surrounding


def close_up(image: Image, polygon: Polygon, longer_side: int) -> Image:
    """Return a word in its surroundings, outlined, with at most ``longer_side`` pixels a side.

    Args:
        image: (H, W, 3) uint8 RGB.
        polygon: (P, 2) in its pixels; of no points: the whole picture is returned.
        longer_side: in pixels; what is smaller is not enlarged.
    """
    if not len(polygon):
        return shrink(image, longer_side)[0]
    height, width = image.shape[:2]
    low, high = polygon.min(axis=0), polygon.max(axis=0)
    margin = _SURROUNDINGS * float((high - low).max())
    left, top = np.clip(np.floor(low - margin), 0, [width - 1, height - 1]).astype(int).tolist()
    right, bottom = np.clip(np.ceil(high + margin), [left + 1, top + 1], [width, height]).astype(int).tolist()
    small, scale = shrink(np.ascontiguousarray(image[top:bottom, left:right]), longer_side)
    return outline_words(small, [(polygon - [left, top]) * scale])


def _write(
    canvas: PIL.ImageDraw.ImageDraw,
    polygon: Polygon,
    label: str,
    font: PIL.ImageFont.FreeTypeFont | PIL.ImageFont.ImageFont,
) -> None:
    """Write ``label`` above ``polygon``, or below where there is no room, inside the picture if it fits."""
    left, top, right, bottom = canvas.textbbox((0, 0), label, font=font)
    pad = (bottom - top) // 3 + 2
    width, height = right - left + 2 * pad, bottom - top + 2 * pad
    picture_width, picture_height = canvas.im.size
    x = float(np.clip(polygon[:, 0].min(), 0, max(0, picture_width - width)))
    y = float(polygon[:, 1].min()) - height - pad
    if y < 0:
        y = min(float(polygon[:, 1].max()) + pad, picture_height - height)
    canvas.rectangle((x, y, x + width, y + height), fill=_OUTLINE)
    canvas.text((x + pad - left, y + pad - top), label, fill=_AROUND, font=font)


def cut_word(image: Image, polygon: Polygon, height: int) -> Image:
    """Return the word in ``polygon`` (P, 2), straightened, with a little around it: (``height``, W, 3).

    Args:
        image: (H, W, 3) uint8 RGB; what lies beyond it continues its border.
        polygon: in its pixels, from where reading starts.
        height: of the crop, in pixels; its width follows, and is at most twelve times as much.
    """
    across, along = word_size(polygon)
    margin = 2 * _CROP_MARGIN * across
    ratio = float(np.clip((along + margin) / max(across + margin, 1e-6), 1 / _WIDEST_CROP, _WIDEST_CROP))
    return rectify(image, polygon, (height, max(1, round(height * ratio))), _CROP_MARGIN)
