"""Surfaces of streets and gardens: brick, plaster, wood, paving, leaves, and paint with letters on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stsearch.synth.lettering import Typesetting, typeset_lines
from stsearch.types import Polygon

Map = NDArray[np.float32]  # (H, W)
Colour = tuple[float, float, float]  # sRGB in [0, 1]


@dataclass(frozen=True, eq=False)
class Texture:
    """The colours of a surface, the slopes of its relief, its shape, and the words on it."""

    colour: NDArray[np.float32]  # (H, W, 3) linear
    metres: float = 1.0  # that its width covers where it is tiled
    slope: NDArray[np.float32] | None = None  # (H, W, 2) rise to the right and upwards
    alpha: Map | None = None
    words: tuple[tuple[str, Polygon], ...] = ()  # polygons in shares of width and height

    def is_opaque(self, u: Map, v: Map) -> NDArray[np.bool_]:
        """Return whether there is anything at places in [0, 1)."""
        assert self.alpha is not None
        rows, columns = self.alpha.shape
        return np.asarray(self.alpha[(v * rows).astype(int), (u * columns).astype(int)] > 0.5)

    def tiled(self, x: Map, y: Map) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the (3, N) colours and (2, N) slopes at metres."""
        rows, columns = self.colour.shape[:2]
        scale = columns / self.metres
        return self._at(np.floor(-y * scale).astype(int) % rows, np.floor(x * scale).astype(int) % columns)

    def stretched(self, u: Map, v: Map) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the (3, N) colours and (2, N) slopes at places in [0, 1]."""
        rows, columns = self.colour.shape[:2]
        row = np.clip((v * rows).astype(int), 0, rows - 1)
        return self._at(row, np.clip((u * columns).astype(int), 0, columns - 1))

    def _at(
        self, row: NDArray[np.int_], column: NDArray[np.int_]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        colour = np.ascontiguousarray(self.colour[row, column].T)
        if self.slope is None:
            return colour, np.zeros((2, len(row)), np.float32)
        return colour, np.ascontiguousarray(self.slope[row, column].T)


def linear(colour: Colour) -> NDArray[np.float32]:
    """Return a screen colour as light."""
    return np.asarray(colour, np.float32) ** np.float32(2.2)


def noise(
    rng: Generator, shape: tuple[int, int], coarse: tuple[float, float], octaves: int = 5, fall: float = 0.55
) -> Map:
    """Return noise that tiles, mean 0, deviation 1, its blobs ``coarse`` (rows, columns) pixels."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        cells = [max(1, round(s / c * 2**octave)) for s, c in zip(shape, coarse, strict=True)]
        if cells[0] > shape[0] or cells[1] > shape[1]:
            break
        grid = rng.normal(0, 1, cells).astype(np.float32)
        padded = np.pad(grid, 2, mode="wrap")
        scale = (shape[0] / cells[0], shape[1] / cells[1])
        large = cv2.resize(
            padded,
            (round(padded.shape[1] * scale[1]), round(padded.shape[0] * scale[0])),
            interpolation=cv2.INTER_CUBIC,
        )
        top, left = round(2 * scale[0]), round(2 * scale[1])
        total += np.float32(fall**octave) * large[top : top + shape[0], left : left + shape[1]]
    return np.asarray((total - total.mean()) / total.std(), np.float32)


def relief(height: Map, metres: float) -> NDArray[np.float32]:
    """Return the slopes of a height map in metres."""
    pixel = metres / height.shape[1]
    across = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / (2 * pixel)
    upwards = (np.roll(height, 1, 0) - np.roll(height, -1, 0)) / (2 * pixel)
    return np.stack([across, upwards], -1).astype(np.float32)


def plain(colour: Colour, rng: Generator, wear: float = 0.04, metres: float = 1.0) -> Texture:
    """Return paint, metal or stone of one colour, with faint stains."""
    side = 512
    stains = 1 + wear * noise(rng, (side, side), (160, 160))
    return Texture(linear(colour) * np.maximum(stains, 0.2)[..., None], metres)


@dataclass(frozen=True)
class Masonry:
    """How stones are laid in running bond."""

    rows: int
    columns: int
    unit: tuple[float, float]  # width and height of a stone with its joint, metres
    joint: float = 0.010  # metres
    depth: float = 0.006  # of the joints, metres
    spread: float = 0.16  # of the tones of the stones, as a logarithm


BRICKS = Masonry(rows=36, columns=12, unit=(0.225, 0.075))
BLOCKS = Masonry(rows=12, columns=8, unit=(0.42, 0.22), joint=0.014, depth=0.012, spread=0.12)
SLABS = Masonry(rows=8, columns=6, unit=(0.6, 0.45), joint=0.012, depth=0.004, spread=0.08)
SETTS = Masonry(rows=10, columns=8, unit=(0.3, 0.3), depth=0.004, spread=0.10)
TURF = Masonry(rows=40, columns=40, unit=(0.05, 0.05), depth=0.02, spread=0.3)


def courses(rng: Generator, colours: tuple[Colour, ...], mortar: Colour, masonry: Masonry) -> Texture:
    """Return a wall or a pavement."""
    unit, rows, columns = masonry.unit, masonry.rows, masonry.columns
    scale = 420 if unit[0] < 0.4 else 260  # pixels a metre
    width, height = round(columns * unit[0] * scale), round(rows * unit[1] * scale)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x += 0.7 * noise(rng, (height, width), (14, 14), 3)
    y += 0.6 * noise(rng, (height, width), (14, 14), 3)
    row = np.floor(y / (unit[1] * scale)).astype(int)
    shifted = x / (unit[0] * scale) + 0.5 * (row % 2)
    column = np.floor(shifted).astype(int)
    inside_x, inside_y = (shifted - column) * unit[0], (y / (unit[1] * scale) - row) * unit[1]
    edge = (
        np.minimum(np.minimum(inside_x, unit[0] - inside_x), np.minimum(inside_y, unit[1] - inside_y))
        - masonry.joint / 2
    )
    stone = np.clip(edge / 0.004 + 0.5, 0, 1)
    palette = np.array([linear(c) for c in colours])
    pick = rng.integers(0, len(palette), (rows, columns))
    tone = np.exp(rng.normal(0, masonry.spread, (rows, columns, 1)))
    tinted = (palette[pick] * tone)[row % rows, column % columns]
    grain = noise(rng, (height, width), (60, 60), 7, 0.75)
    stains = noise(rng, (height, width), (height / 2, width / 3), 5)
    tinted = tinted * np.clip(1 + 0.12 * grain + 0.10 * stains, 0.3, 1.9)[..., None]
    filled = linear(mortar) * np.clip(0.8 + 0.12 * grain + 0.1 * stains, 0.3, 1.9)[..., None]
    colour = tinted * stone[..., None] + filled * (1 - stone[..., None])
    rise = masonry.depth * np.clip(edge / 0.006 + 0.5, 0, 1) + 0.0006 * grain
    metres = columns * unit[0]
    return Texture(colour.astype(np.float32), metres, relief(rise.astype(np.float32), metres))


def brick(rng: Generator, colours: tuple[Colour, ...], mortar: Colour = (0.68, 0.64, 0.58)) -> Texture:
    """Return a brick wall."""
    return courses(rng, colours, mortar, BRICKS)


def plaster(rng: Generator, colour: Colour, stains: float = 0.07, rough: float = 0.0007) -> Texture:
    """Return rendered masonry, 3 metres of it, with water stains that run down."""
    side = 1200
    clouds = noise(rng, (side, side), (400, 400), 6)
    runs = noise(rng, (side, side), (900, 22), 4)
    grain = noise(rng, (side, side), (9, 9), 4, 0.8)
    tone = np.clip(1 + stains * clouds + 0.5 * stains * runs + 0.025 * grain, 0.3, 1.5)
    rise = rough * grain + 0.004 * noise(rng, (side, side), (220, 220), 3)
    return Texture((linear(colour) * tone[..., None]).astype(np.float32), 3.0, relief(rise, 3.0))


def planks(
    rng: Generator,
    colour: Colour,
    across: int = 8,
    plank_m: float = 0.14,
    upright: bool = False,
    gap: float = 0.004,
) -> Texture:
    """Return boards with their grain, lying or upright."""
    scale = 400
    width, height = 2 * scale, round(across * plank_m * scale)
    y, _ = np.mgrid[0:height, 0:width].astype(np.float32)
    board = np.minimum((y / (plank_m * scale)).astype(int), across - 1)
    wave = noise(rng, (height, width), (30, 500), 3)
    rings = np.sin(0.9 * y / 4 + 3 * wave + rng.uniform(0, 9, across)[board])
    fibres = noise(rng, (height, width), (3, 160), 3, 0.8)
    tone = np.exp(rng.normal(0, 0.16, across))[board] * (1 + 0.10 * rings + 0.12 * fibres)
    inside = y / scale - board * plank_m
    edge = np.minimum(inside, plank_m - inside) - gap / 2
    solid = np.clip(edge / 0.003 + 0.5, 0.08, 1)
    tint = linear(colour) * np.clip(tone * solid, 0.03, 1.8)[..., None]
    rise = 0.0005 * fibres + 0.004 * np.clip(edge / 0.005 + 0.5, 0, 1)
    slope = relief(rise.astype(np.float32), 2.0)
    if not upright:
        return Texture(tint.astype(np.float32), 2.0, slope)
    turned = np.ascontiguousarray(-slope.transpose(1, 0, 2)[..., ::-1])
    return Texture(np.ascontiguousarray(tint.transpose(1, 0, 2)).astype(np.float32), across * plank_m, turned)


def foliage(
    rng: Generator,
    size: tuple[int, int],
    leaves: int,
    length: float,
    colours: tuple[Colour, ...],
    tone: float = 1.0,
) -> Texture:
    """Return a card of ``leaves`` of ``length`` pixels, brighter the nearer they hang."""
    height, width = size
    colour = np.zeros((height, width, 3), np.float32)
    alpha = np.zeros((height, width), np.float32)
    slope = np.zeros((height, width, 2), np.float32)
    clumps = noise(rng, size, (6 * length, 6 * length), 3)
    for number in range(leaves):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        long = length * rng.uniform(0.6, 1.3)
        angle = rng.normal(np.pi / 2, 0.9)
        along = np.array([np.cos(angle), np.sin(angle)])
        side = np.array([-along[1], along[0]]) * rng.uniform(0.22, 0.4)
        t = np.linspace(0, 1, 9)[:, None]
        bulge = np.sin(np.pi * t**0.8)
        middle = np.array([x, y]) + along * long * t
        left, right = middle + side * long * bulge, middle - side * long * bulge
        depth = 0.45 + 0.55 * number / leaves
        clump = 1 + 0.25 * clumps[int(y), int(x)]
        tint = (
            linear(colours[int(rng.integers(len(colours)))])
            * depth
            * clump
            * np.exp(rng.normal(0, 0.25))
            * tone
        )
        lean = rng.normal(0, 0.5, 2)
        for half, shade in ((left, 1.0), (right, 0.8)):
            outline = np.round(np.concatenate([middle, half[::-1]]) * 8).astype(np.int32)
            cv2.fillPoly(colour, [outline], (tint * shade).tolist(), cv2.LINE_8, 3)
            cv2.fillPoly(alpha, [outline], 1.0, cv2.LINE_8, 3)
            cv2.fillPoly(slope, [outline], (lean + (shade - 0.9)).tolist(), cv2.LINE_8, 3)
    return Texture(colour, alpha=alpha, slope=slope)


@dataclass(frozen=True)
class Writing:
    """Lines of words on a face: the font, and the share of the face's height and width that they fill."""

    lines: tuple[str, ...]
    font: Path
    colour: Colour
    middle: tuple[float, float] = (0.5, 0.5)  # of the face
    width: float = 0.8  # at most
    height: float = 0.6  # at most
    tracking: float = 0.04
    leading: float = 1.15


def write(base: Texture, writing: Writing, wear: Map | None = None) -> Texture:
    """Paint words on a face; where ``wear`` is above 1 the paint is gone."""
    mask, words = letters(base.colour.shape[:2], writing)
    if wear is not None:
        mask = mask * np.clip(3 - 2 * wear, 0, 1)
    colour = base.colour * (1 - mask[..., None]) + linear(writing.colour) * mask[..., None]
    return replace(base, colour=colour.astype(np.float32), words=base.words + words)


def letters(shape: tuple[int, ...], writing: Writing) -> tuple[Map, tuple[tuple[str, Polygon], ...]]:
    """Return the (H, W) mask of the words on a face of ``shape``, and their polygons in shares of it."""
    setting = Typesetting(size=160, tracking=writing.tracking, gap=0.34, leading=writing.leading, align=0.5)
    typeset = typeset_lines([line.split() for line in writing.lines], writing.font, setting)
    rows, columns = np.nonzero(typeset.mask)
    top, left = rows.min(), columns.min()
    ink = typeset.mask[top : rows.max() + 1, left : columns.max() + 1]
    scale = min(writing.width * shape[1] / ink.shape[1], writing.height * shape[0] / ink.shape[0])
    x = writing.middle[0] * shape[1] - ink.shape[1] * scale / 2
    y = writing.middle[1] * shape[0] - ink.shape[0] * scale / 2
    interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(ink, None, fx=scale, fy=scale, interpolation=interpolation)
    move = np.array([(1, 0, x), (0, 1, y)], np.float64)
    mask = cv2.warpAffine(small, move, (shape[1], shape[0])).astype(np.float32) / 255
    origin = np.array([left, top])
    shares = [
        np.asarray(((polygon - origin) * scale + (x, y)) / (shape[1], shape[0]), np.float32)
        for polygon in typeset.polygons
    ]
    return np.asarray(mask, np.float32), tuple(zip(typeset.texts, shares, strict=True))
