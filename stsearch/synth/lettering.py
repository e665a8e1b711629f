"""Fonts to glyph masks: lines of words in one font, spacing, weight, bent baselines, word polygons.

Colours are chosen in ``text_effects``, places in ``scenes`` and ``words``.
"""

from __future__ import annotations

import csv
import string
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from stsearch.errors import DataError
from stsearch.text.charset import strip_accents
from stsearch.types import Polygon

Mask = NDArray[np.uint8]  # (h, w), 255 = ink

_SYSTEM_FONTS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path("/Library/Fonts"),
    Path("C:/Windows/Fonts"),
)
_SUFFIXES = {".ttf", ".otf"}
_MIN_LEGIBILITY = 0.5
_REQUIRED_GLYPHS = string.ascii_uppercase + string.digits
# The empty path is that of the font inside Pillow, for machines without fonts.
BUILTIN_FONT = Path()


@dataclass(frozen=True)
class Face:
    """One font, and whether it has lower case."""

    path: Path
    caps_only: bool

    def drawable(self, text: str) -> str:
        """Return ``text`` with the glyphs the font has: upper-cased, without accents or some characters."""
        if self.caps_only:
            text = text.upper()
        if all(has_glyph(self.path, c) for c in text):
            return text
        folded = strip_accents(text)
        return "".join(c for c in folded if has_glyph(self.path, c) and not c.isspace())


@dataclass(frozen=True, eq=False)
class Lettering:
    """A mask of some words, and their polygons."""

    mask: Mask
    size: float  # height of the face in pixels of the mask
    texts: tuple[str, ...]
    polygons: tuple[Polygon, ...]  # one a word, pixels of the mask


@dataclass(frozen=True)
class Typesetting:
    """How lines are typeset."""

    size: int = 48  # pixels
    tracking: float = 0.0  # extra space between characters, in sizes
    gap: float = 0.3  # space between words, in sizes
    leading: float = 1.2  # distance of baselines, in sizes
    align: float = 0.0  # 0 left, 0.5 centred, 1 right
    margin: float = 0.06  # polygon beyond the ink, in ink heights


def find_fonts(folder: Path | None) -> tuple[Path, ...]:
    """Return the usable font files under ``folder``, or the system's, or the one inside Pillow.

    Raises:
        DataError: ``folder`` is not a folder, or holds no font.
    """
    if folder is None:
        found = [
            p
            for root in _SYSTEM_FONTS
            if root.is_dir()
            for p in root.rglob("*")
            if p.suffix.lower() in _SUFFIXES
        ]
        usable = tuple(p for p in sorted(found) if _is_latin(p))
        return usable or (BUILTIN_FONT,)
    if not folder.is_dir():
        raise DataError(
            f"font folder {folder} does not exist; name a folder with .ttf or .otf files (--fonts)"
        )
    illegible = {
        p for p, row in _font_rows(folder).items() if float(row.get("legibility") or 1) < _MIN_LEGIBILITY
    }
    fonts = tuple(
        p for p in sorted(folder.rglob("*")) if p.suffix.lower() in _SUFFIXES and p not in illegible
    )
    if not fonts:
        raise DataError(f"font folder {folder} holds no .ttf or .otf file; name another one (--fonts)")
    return fonts


def _font_rows(folder: Path) -> dict[Path, dict[str, str]]:
    rows: dict[Path, dict[str, str]] = {}
    for table in sorted(folder.rglob("fonts.csv")):
        with table.open(encoding="utf-8", newline="") as lines:
            rows |= {table.parent / row["file"]: row for row in csv.DictReader(lines) if row.get("file")}
    return rows


@lru_cache(maxsize=64)
def _caps_only_files(folder: Path) -> frozenset[Path]:
    table = folder / "fonts.csv"
    if not table.is_file():
        return frozenset()
    return frozenset(
        p
        for p, row in _font_rows(folder).items()
        if (row.get("caps_only") or "").lower() in {"yes", "true", "1"}
    )


def _is_latin(path: Path) -> bool:
    try:
        return all(has_glyph(path, c) for c in _REQUIRED_GLYPHS)
    except DataError:
        return False


# A cached font may hold its file open, and a process may hold 1,024 files.
@lru_cache(maxsize=600)
def load_font(path: Path, size: int) -> ImageFont.FreeTypeFont:
    """Return the font of ``path`` at ``size`` pixels.

    Raises:
        DataError: the file is no font.
    """
    if path == BUILTIN_FONT:
        font = ImageFont.load_default(size)
        if not isinstance(font, ImageFont.FreeTypeFont):
            raise DataError(
                "Pillow was built without FreeType, so no text can be rendered; install its wheel"
            )
        return font
    try:
        return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    except OSError as error:
        raise DataError(f"font {path} cannot be read ({error}); remove it from the folder") from error


@cache
def load_face(path: Path) -> Face:
    """Return the face of the font file ``path``."""
    caps_only = path in _caps_only_files(path.parent) or not all(has_glyph(path, c) for c in "aegnz")
    return Face(path, caps_only)


@cache
def has_glyph(path: Path, character: str) -> bool:
    """Return whether the font has a glyph for ``character``: not empty, and not its missing-glyph box."""
    drawn = bytes(load_font(path, 16).getmask(character))
    return any(drawn) and drawn not in _missing_glyphs(path)


@cache
def _missing_glyphs(path: Path) -> frozenset[bytes]:
    return frozenset(bytes(load_font(path, 16).getmask(c)) for c in ("\uffff", "\u0378"))


def typeset_lines(lines: Sequence[Sequence[str]], path: Path, setting: Typesetting) -> Lettering:
    """Typeset ``lines`` of words in the font of ``path``; half a size is empty around the ink."""
    font = load_font(path, setting.size)
    size = setting.size
    pad = size // 2
    words: list[tuple[str, float, int, tuple[float, float, float, float]]] = []
    spans: list[tuple[int, int, float]] = []
    for row, line in enumerate(lines):
        x, first = 0.0, len(words)
        for word in line:
            advance, box = _measure_word(font, word, setting.tracking * size)
            words.append((word, x, round(row * setting.leading * size), box))
            x += advance + setting.gap * size
        spans.append((first, len(words), x - setting.gap * size))
    widest = max(width for _, _, width in spans)
    aligned: list[tuple[str, float, int, tuple[float, float, float, float]]] = []
    for first, last, width in spans:
        shift = round((widest - width) * setting.align)
        aligned += [(text, x + shift, y, box) for text, x, y, box in words[first:last]]
    left = int(min(x + box[0] for _, x, _, box in aligned)) - pad
    top = int(min(y + box[1] for _, _, y, box in aligned)) - pad
    right = int(max(x + box[2] for _, x, _, box in aligned)) + pad + 1
    bottom = int(max(y + box[3] for _, _, y, box in aligned)) + pad + 1
    image = PilImage.new("L", (right - left, bottom - top))
    draw = ImageDraw.Draw(image)
    polygons = []
    for text, x, y, box in aligned:
        _draw_word(draw, font, text, (round(x) - left, y - top), setting.tracking * size)
        margin = setting.margin * max(box[3] - box[1], 0.3 * size)
        x0, y0 = round(x) - left + box[0] - margin, y - top + box[1] - margin
        x1, y1 = round(x) - left + box[2] + margin, y - top + box[3] + margin
        polygons.append(np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32))
    return Lettering(np.asarray(image), float(size), tuple(text for text, *_ in aligned), tuple(polygons))


def _measure_word(
    font: ImageFont.FreeTypeFont, word: str, tracking: float
) -> tuple[float, tuple[float, float, float, float]]:
    """Return the advance and the ink box of ``word`` about the start of its baseline."""
    box = font.getbbox(word, anchor="ls")
    if tracking == 0:
        return font.getlength(word), box
    places = [font.getlength(c) + tracking for c in word[:-1]]
    start = round(sum(places))
    last = font.getbbox(word[-1], anchor="ls")
    return start + font.getlength(word[-1]), (min(box[0], 0), box[1], start + last[2], box[3])


def _draw_word(
    draw: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont,
    word: str,
    place: tuple[int, int],
    tracking: float,
) -> None:
    if tracking == 0:
        draw.text(place, word, fill=255, font=font, anchor="ls")
        return
    x = float(place[0])
    for character in word:
        draw.text((round(x), place[1]), character, fill=255, font=font, anchor="ls")
        x += font.getlength(character) + tracking


def embolden(lettering: Lettering, amount: float) -> Lettering:
    """Thicken (amount > 0) or thin the strokes by ``amount`` sizes on every side."""
    radius = max(1, round(abs(amount) * lettering.size))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    change = cv2.dilate if amount > 0 else cv2.erode
    return replace(lettering, mask=np.asarray(change(lettering.mask, kernel), np.uint8))


def bend_arc(lettering: Lettering, sweep: float, points: int = 6) -> Lettering:
    """Bend the lettering along a circle; ``sweep`` radians in all, > 0 arched upwards, < 0 arched downwards.

    Polygons become ``(2 * points, 2)``: the top edge in reading order, then the bottom edge backwards.
    """
    height, width = lettering.mask.shape
    sign = 1.0 if sweep > 0 else -1.0
    # The side nearer to the centre is squeezed and the outer one stretched: the circle runs midway.
    radius = max(width / abs(sweep), 0.6 * height)
    half = width / radius / 2
    middle = np.array([width / 2, height / 2])

    def forward(flat: NDArray[np.float32]) -> NDArray[np.float64]:
        angle = (flat[:, 0] - middle[0]) / radius
        reach = radius - sign * (flat[:, 1] - middle[1])
        return np.stack([reach * np.sin(angle), -sign * reach * np.cos(angle)], 1)

    rim = np.linspace(0, width, 25, dtype=np.float32)
    edge = np.concatenate([np.stack([rim, np.full_like(rim, y)], 1) for y in (0, height)])
    outline = forward(edge)
    low, high = outline.min(0), outline.max(0)
    shape = np.ceil(high - low).astype(int)
    xs = np.arange(shape[0], dtype=np.float32)[None, :] + np.float32(low[0])
    ys = -sign * (np.arange(shape[1], dtype=np.float32)[:, None] + np.float32(low[1]))
    reach, angle = cv2.cartToPolar(
        np.broadcast_to(ys, shape[::-1]).copy(), np.broadcast_to(xs, shape[::-1]).copy()
    )
    angle = np.where(angle > np.pi, angle - 2 * np.pi, angle)
    from_x = (angle * radius + middle[0]).astype(np.float32)
    from_y = (middle[1] + sign * (radius - reach)).astype(np.float32)
    from_x[np.abs(angle) > half] = -10
    mask = cv2.remap(lettering.mask, from_x, from_y, cv2.INTER_LINEAR)
    polygons = tuple((forward(_subdivide(p, points)) - low).astype(np.float32) for p in lettering.polygons)
    return replace(lettering, mask=np.asarray(mask, np.uint8), polygons=polygons)


def bend_wave(lettering: Lettering, height: float, phase: float, waves: float, points: int = 6) -> Lettering:
    """Shift columns along a sine of ``height`` sizes and ``waves`` periods over the width."""
    rows, width = lettering.mask.shape
    amplitude_px = height * lettering.size
    pad = int(np.ceil(abs(amplitude_px)))

    def shift(x: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(amplitude_px * np.sin(phase + 2 * np.pi * waves * x / width), np.float32)

    xs = np.arange(width, dtype=np.float32)
    from_y = np.arange(rows + 2 * pad, dtype=np.float32)[:, None] - pad - shift(xs)[None, :]
    mask = cv2.remap(lettering.mask, np.broadcast_to(xs, from_y.shape).copy(), from_y, cv2.INTER_LINEAR)
    polygons = []
    for polygon in lettering.polygons:
        bent = _subdivide(polygon, points)
        bent[:, 1] += pad + shift(bent[:, 0])
        polygons.append(bent)
    return replace(lettering, mask=np.asarray(mask, np.uint8), polygons=tuple(polygons))


def _subdivide(quad: Polygon, points: int) -> Polygon:
    """Return the quad with ``points`` on its top and on its bottom edge."""
    steps = np.linspace(0, 1, points, dtype=np.float32)[:, None]
    top = quad[0] + (quad[1] - quad[0]) * steps
    bottom = quad[2] + (quad[3] - quad[2]) * steps
    return np.concatenate([top, bottom]).astype(np.float32)
