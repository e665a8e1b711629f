"""Blocks of text on one plane: bare lettering, boards with several lines, and posters that fill a frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stsearch.synth.backgrounds import Colour, fractal_noise
from stsearch.synth.canvas import Canvas, Matrix, apply, scale_by, shift_by, text_height
from stsearch.synth.lettering import Lettering, Mask, bend_arc
from stsearch.synth.render_context import Bends, RenderContext
from stsearch.synth.text_effects import Layer, apply_text_effect
from stsearch.types import Image, Polygon

_BARE_BENDS = Bends(arc=0.22, wave=0.05)
_BOARD_BENDS = Bends(arc=0.16, wave=0.02)
_TALLEST = (
    110.0  # pixels of lettering on a plane; larger text is enlarged, which a blurred edge does not betray
)


@dataclass(frozen=True)
class Wish:
    """What a block is to be like."""

    height: float  # of the text, in pixels of the scene
    room: float  # width there is, in text heights
    difficulty: float
    weak: float  # share of text with little contrast


@dataclass(frozen=True, eq=False)
class Block:
    """Text on a plane, coloured once its ground is known."""

    extent: tuple[int, int]  # (rows, columns) of the plane
    outline: NDArray[np.float32]  # (4, 2) the part of the plane that must stay free of other text
    texts: tuple[str, ...]
    polygons: tuple[Polygon, ...]
    layer: Callable[[Generator, RenderContext, Colour], Layer]

    @property
    def text_height(self) -> float:
        """Return the median height of the words in pixels of the plane."""
        return max(2.0, float(np.median([text_height(p) for p in self.polygons])))


def _lines(context: RenderContext, rng: Generator, room: float, most: int) -> list[list[str]]:
    """Return lines of words, most often one or two, no wider than ``room`` text heights."""
    count = 1 + min(int(rng.geometric(0.55)) - 1, most - 1)
    lines = []
    width = int(np.clip(rng.geometric(0.4), 1, 6))
    for _ in range(count):
        words = context.corpus.line(rng, max(1, width + int(rng.integers(-1, 2))))
        kept: list[str] = []
        used = 0.0
        for word in words:
            used += 0.75 * len(word) + 0.4
            if kept and used > room:
                break
            kept.append(word)
        lines.append(kept)
    return lines


def _plane_size(wanted: float) -> float:
    return float(np.clip(wanted / 0.72, 14, _TALLEST))


def bare_block(context: RenderContext, rng: Generator, wish: Wish) -> Block:
    """Return lettering without a board of its own."""
    lines = _lines(context, rng, wish.room, 3 if rng.random() < 0.8 else 6)
    align = float(rng.choice((0.0, 0.5, 0.5, 1.0)))
    lettering = context.letter(rng, lines, context.font(rng), _plane_size(wish.height), align)
    if len(lines) == 1:
        lettering = context.bend(rng, lettering, _BARE_BENDS)
    plain = 0.9 - 0.3 * wish.difficulty

    def layer(rng: Generator, context: RenderContext, ground: Colour) -> Layer:
        return apply_text_effect(
            rng, lettering, context.inks(rng, ground, wish.weak), ground, context.backdrops, plain
        )

    points = np.concatenate(lettering.polygons)
    slack = 0.15 * lettering.size
    low, high = points.min(0) - slack, points.max(0) + slack
    outline = np.array([low, (high[0], low[1]), high, (low[0], high[1])], np.float32)
    return Block(
        (lettering.mask.shape[0], lettering.mask.shape[1]),
        outline,
        lettering.texts,
        lettering.polygons,
        layer,
    )


def board_block(context: RenderContext, rng: Generator, wish: Wish) -> Block:
    """Return a sign board or label: a plane with one or two pieces of lettering."""
    size = _plane_size(wish.height)
    font = context.font(rng)
    align = float(rng.choice((0.0, 0.5, 0.5, 0.5)))
    pieces = [context.letter(rng, _lines(context, rng, wish.room, 5), font, size, align)]
    if len(pieces[0].polygons) < 5:
        pieces[0] = context.bend(rng, pieces[0], _BOARD_BENDS) if _is_one_line(pieces[0]) else pieces[0]
    if rng.random() < 0.35:
        other = font if rng.random() < 0.5 else context.font(rng)
        small = size * float(rng.uniform(0.4, 0.9))
        extra = context.letter(rng, _lines(context, rng, wish.room * size / small, 3), other, small, align)
        pieces.insert(int(rng.integers(2)), extra)
    return _board(context, rng, pieces, wish.weak, 0.92 - 0.25 * wish.difficulty)


def badge_block(context: RenderContext, rng: Generator, wish: Wish) -> Block:
    """Return a round seal: words along the upper rim, often along the lower one, and one in the middle."""
    size = min(_plane_size(wish.height), 56.0)
    font = context.font(rng)
    upper = context.letter(rng, [context.corpus.line(rng, int(rng.integers(1, 4)))], font, size)
    rims = [upper]
    if rng.random() < 0.6:
        rims.append(context.letter(rng, [context.corpus.line(rng, int(rng.integers(1, 3)))], font, size))
    longest = max(piece.mask.shape[1] for piece in rims)
    radius = max(longest / rng.uniform(1.9, 2.9), 1.6 * upper.size)
    reach = radius + upper.mask.shape[0] / 2
    side = int(2 * reach) + 2
    colour = context.backdrops.sign_colour(rng)
    canvas = Canvas(_painted(context, rng, (side, side), colour))
    ink = context.inks(rng, colour, wish.weak)
    for piece, sign in zip(rims, (1, -1), strict=False):
        bent = bend_arc(piece, sign * piece.mask.shape[1] / radius, int(rng.integers(5, 8)))
        rows, columns = bent.mask.shape
        matrix = shift_by(side / 2 - columns / 2, 0 if sign > 0 else side - rows)
        _write(rng, context, canvas, bent, matrix, (ink, colour))
    if rng.random() < 0.7:
        middle = context.letter(rng, [context.corpus.line(rng, 1)], font, size)
        low, high = _ink_box(middle)
        scale = float(
            min(1.2 * (radius - upper.size) / (high - low)[0], (radius - upper.size) / (high - low)[1], 1.5)
        )
        centre = (low + high) / 2
        matrix = shift_by(side / 2, side / 2) @ scale_by(scale, scale) @ shift_by(-centre[0], -centre[1])
        _write(rng, context, canvas, middle, matrix, (ink, colour))
    mask = np.zeros((side, side), np.uint8)
    hub = (side // 2, side // 2)
    cv2.circle(mask, hub, side // 2, 255, -1, cv2.LINE_AA)
    if rng.random() < 0.5:
        paint = [int(v) for v in ink]
        cv2.circle(canvas.image, hub, side // 2 - 2, paint, max(1, side // 60), cv2.LINE_AA)
        cv2.circle(
            canvas.image,
            hub,
            max(2, int(radius - 0.75 * upper.size)),
            paint,
            max(1, side // 120),
            cv2.LINE_AA,
        )
    return _finished(canvas, mask)


def _write(
    rng: Generator,
    context: RenderContext,
    canvas: Canvas,
    piece: Lettering,
    matrix: Matrix,
    paints: tuple[Colour, Colour],
    plain: float = 0.95,
) -> None:
    """Lay ``piece``, ``paints`` being its ink and its ground, and note its words."""
    canvas.lay(apply_text_effect(rng, piece, *paints, context.backdrops, plain), matrix)
    for text, polygon in zip(piece.texts, piece.polygons, strict=True):
        canvas.add_word(text, apply(matrix, polygon))


def _finished(canvas: Canvas, cut: Mask) -> Block:
    """Return the plane ``canvas`` of the shape ``cut`` as a block."""
    rows, columns = cut.shape
    flat = Layer(canvas.image, cut, canvas.ink)
    outline = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float32)
    texts = tuple(word.text for word in canvas.words)
    return Block((rows, columns), outline, texts, tuple(w.polygon for w in canvas.words), lambda *_: flat)


def poster_block(context: RenderContext, rng: Generator, frame: tuple[int, int], difficulty: float) -> Block:
    """Return a board of about the shape of ``frame`` (H, W): headlines, lines and small print."""
    fonts = [context.font(rng) for _ in range(int(rng.integers(1, 4)))]
    pieces: list[Lettering] = []
    width = frame[1] / max(frame) * 640
    used = 0.0
    limit = frame[0] / max(frame) * 640
    while used < limit * 0.85 and len(pieces) < 9:
        height = float(np.exp(rng.uniform(np.log(14 + 16 * (1 - difficulty)), np.log(130))))
        lines = _lines(context, rng, width / height * 1.3, 1 if height > 60 else 4)
        lettering = context.letter(
            rng, lines, fonts[int(rng.integers(len(fonts)))], min(height, _TALLEST), 0.5
        )
        if _is_one_line(lettering) and rng.random() < 0.3:
            lettering = context.bend(rng, lettering, Bends(0.4, 0.05))
        pieces.append(lettering)
        used += lettering.mask.shape[0]
    return _board(context, rng, pieces, 0.15 * difficulty, 0.92 - 0.25 * difficulty)


def _is_one_line(lettering: Lettering) -> bool:
    return bool(lettering.mask.shape[0] < 2.5 * lettering.size)


def _board(
    context: RenderContext, rng: Generator, pieces: list[Lettering], weak: float, plain: float
) -> Block:
    """Lay ``pieces`` under each other on a plane of one paint."""
    boxes = [_ink_box(piece) for piece in pieces]
    gap = float(rng.uniform(0.15, 0.5)) * min(piece.size for piece in pieces)
    # One wide line must not make a huge plane: wider pieces are scaled down to a common width.
    widths = [float(high[0] - low[0]) for low, high in boxes]
    most = max(min(widths) * 2.5, min(max(widths), 900.0))
    scales = [min(1.0, most / width) for width in widths]
    inner = max(w * s for w, s in zip(widths, scales, strict=True))
    margin = rng.uniform(0.15, 0.9, 2) * min(pieces[0].size, 90)
    heights = [float(high[1] - low[1]) * s for (low, high), s in zip(boxes, scales, strict=True)]
    rows = int(sum(heights) + gap * (len(pieces) - 1) + 2 * margin[1]) + 2
    columns = int(inner + 2 * margin[0]) + 2
    colour = context.backdrops.sign_colour(rng)
    canvas = Canvas(_painted(context, rng, (rows, columns), colour))
    align = float(rng.choice((0.0, 0.5, 0.5, 0.5)))
    y = float(margin[1])
    ink = context.inks(rng, colour, weak)
    for piece, (low, _), scale, width, height in zip(pieces, boxes, scales, widths, heights, strict=True):
        x = margin[0] + (inner - width * scale) * align
        matrix = shift_by(x, y) @ scale_by(scale, scale) @ shift_by(-low[0], -low[1])
        if rng.random() < 0.3:
            ink = context.inks(rng, colour, weak)
        _write(rng, context, canvas, piece, matrix, (ink, colour), plain)
        y += height + gap
    _border(rng, canvas.image, ink)
    return _finished(canvas, _cut(rng, (rows, columns)))


def _ink_box(lettering: Lettering) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    points = np.concatenate(lettering.polygons)
    return points.min(0), points.max(0)


def _painted(context: RenderContext, rng: Generator, size: tuple[int, int], colour: Colour) -> Image:
    """Return a plane of ``colour`` with the shading and the dirt of a real one."""
    chance = rng.random()
    # Shading is soft: it is made at a third of the size and enlarged.
    coarse = (size[0] // 3 + 1, size[1] // 3 + 1)
    plane = np.empty((*coarse, 3), np.float32)
    plane[:] = colour
    if chance < 0.35:
        shade = fractal_noise(rng, coarse, 2, int(rng.integers(1, 6)))[..., None]
        plane *= 1 + shade * np.float32(rng.uniform(0.02, 0.15))
    elif chance < 0.55:
        piece = context.backdrops.crop(rng, coarse).astype(np.float32)
        plane += (piece - np.array(cv2.mean(piece)[:3], np.float32)) * np.float32(rng.uniform(0.1, 0.45))
    elif chance < 0.65:
        plane *= np.linspace(rng.uniform(0.6, 1), rng.uniform(0.9, 1.25), coarse[0], dtype=np.float32)[
            :, None, None
        ]
    small = np.clip(plane, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(small, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.uint8)


def _border(rng: Generator, image: Image, colour: Colour) -> None:
    if rng.random() < 0.35:
        height, width = image.shape[:2]
        inset = int(rng.integers(0, max(1, height // 16) + 1))
        thick = int(rng.integers(1, max(2, height // 20) + 1))
        paint = [int(v) for v in colour]
        cv2.rectangle(image, (inset, inset), (width - 1 - inset, height - 1 - inset), paint, thick)


def _cut(rng: Generator, size: tuple[int, int]) -> Mask:
    """Return the shape of a board: a rectangle, at times with round corners, or an oval."""
    height, width = size
    chance = rng.random()
    if chance < 0.7:
        return np.full(size, 255, np.uint8)
    mask = np.zeros(size, np.uint8)
    radius = int(min(size) * rng.uniform(0.08, 0.3))
    cv2.rectangle(mask, (radius, 0), (width - 1 - radius, height - 1), 255, -1)
    cv2.rectangle(mask, (0, radius), (width - 1, height - 1 - radius), 255, -1)
    for x in (radius, width - 1 - radius):
        for y in (radius, height - 1 - radius):
            cv2.circle(mask, (x, y), radius, 255, -1, cv2.LINE_AA)
    return mask
