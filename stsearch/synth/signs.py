"""Blocks of text on a plane: text alone, boards with several lines, round seals, and posters."""

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

_TEXT_BENDS = Bends(arc=0.22, wave=0.05)
_BOARD_BENDS = Bends(arc=0.16, wave=0.02)
# pixels of lettering on a plane; larger text is enlarged, which a blurred edge does not betray
_MAX_TEXT_HEIGHT = 110.0


@dataclass(frozen=True)
class BlockSpec:
    """The properties of a block to make."""

    height: float  # of the text, in pixels of the scene
    max_width: float  # of the block, in text heights
    difficulty: float
    low_contrast: float  # share of text that is close to its background in colour


@dataclass(frozen=True, eq=False)
class Block:
    """Text on a plane; its colours are chosen once its background is known."""

    extent: tuple[int, int]  # (rows, columns) of the plane
    outline: NDArray[np.float32]  # (4, 2) the part of the plane that no other text may overlap
    texts: tuple[str, ...]
    polygons: tuple[Polygon, ...]
    layer: Callable[[Generator, RenderContext, Colour], Layer]

    @property
    def text_height(self) -> float:
        """Return the median height of the words in pixels of the plane."""
        return max(2.0, float(np.median([text_height(p) for p in self.polygons])))


def _sample_lines(
    context: RenderContext, rng: Generator, max_width: float, max_lines: int
) -> list[list[str]]:
    """Return lines of words, most often one or two, no wider than ``max_width`` text heights."""
    count = 1 + min(int(rng.geometric(0.55)) - 1, max_lines - 1)
    lines = []
    width = int(np.clip(rng.geometric(0.4), 1, 6))
    for _ in range(count):
        words = context.corpus.line(rng, max(1, width + int(rng.integers(-1, 2))))
        kept: list[str] = []
        used = 0.0
        for word in words:
            used += 0.75 * len(word) + 0.4
            if kept and used > max_width:
                break
            kept.append(word)
        lines.append(kept)
    return lines


def _plane_size(text_height_px: float) -> float:
    return float(np.clip(text_height_px / 0.72, 14, _MAX_TEXT_HEIGHT))


def make_text_block(context: RenderContext, rng: Generator, spec: BlockSpec) -> Block:
    """Return text without a board."""
    lines = _sample_lines(context, rng, spec.max_width, 3 if rng.random() < 0.8 else 6)
    align = float(rng.choice((0.0, 0.5, 0.5, 1.0)))
    lettering = context.typeset(rng, lines, context.font(rng), _plane_size(spec.height), align)
    if len(lines) == 1:
        lettering = context.bend(rng, lettering, _TEXT_BENDS)
    plain = 0.9 - 0.3 * spec.difficulty

    def layer(rng: Generator, context: RenderContext, background: Colour) -> Layer:
        return apply_text_effect(
            rng,
            lettering,
            context.choose_text_colour(rng, background, spec.low_contrast),
            background,
            context.backgrounds,
            plain,
        )

    points = np.concatenate(lettering.polygons)
    margin = 0.15 * lettering.size
    low, high = points.min(0) - margin, points.max(0) + margin
    outline = np.array([low, (high[0], low[1]), high, (low[0], high[1])], np.float32)
    return Block(
        (lettering.mask.shape[0], lettering.mask.shape[1]),
        outline,
        lettering.texts,
        lettering.polygons,
        layer,
    )


def make_board_block(context: RenderContext, rng: Generator, spec: BlockSpec) -> Block:
    """Return a sign board or label: a plane with one or two pieces of text."""
    size = _plane_size(spec.height)
    font = context.font(rng)
    align = float(rng.choice((0.0, 0.5, 0.5, 0.5)))
    pieces = [context.typeset(rng, _sample_lines(context, rng, spec.max_width, 5), font, size, align)]
    if len(pieces[0].polygons) < 5:
        pieces[0] = context.bend(rng, pieces[0], _BOARD_BENDS) if _is_one_line(pieces[0]) else pieces[0]
    if rng.random() < 0.35:
        other = font if rng.random() < 0.5 else context.font(rng)
        small = size * float(rng.uniform(0.4, 0.9))
        extra = context.typeset(
            rng, _sample_lines(context, rng, spec.max_width * size / small, 3), other, small, align
        )
        pieces.insert(int(rng.integers(2)), extra)
    return _make_board(context, rng, pieces, spec.low_contrast, 0.92 - 0.25 * spec.difficulty)


def make_badge_block(context: RenderContext, rng: Generator, spec: BlockSpec) -> Block:
    """Return a round seal: words along the upper rim, often along the lower one, and one in the middle."""
    size = min(_plane_size(spec.height), 56.0)
    font = context.font(rng)
    upper = context.typeset(rng, [context.corpus.line(rng, int(rng.integers(1, 4)))], font, size)
    arcs = [upper]
    if rng.random() < 0.6:
        arcs.append(context.typeset(rng, [context.corpus.line(rng, int(rng.integers(1, 3)))], font, size))
    longest = max(piece.mask.shape[1] for piece in arcs)
    radius = max(longest / rng.uniform(1.9, 2.9), 1.6 * upper.size)
    outer_radius = radius + upper.mask.shape[0] / 2
    side = int(2 * outer_radius) + 2
    colour = context.backgrounds.choose_sign_colour(rng)
    canvas = Canvas(_paint_plane(context, rng, (side, side), colour))
    text_colour = context.choose_text_colour(rng, colour, spec.low_contrast)
    for piece, sign in zip(arcs, (1, -1), strict=False):
        bent = bend_arc(piece, sign * piece.mask.shape[1] / radius, int(rng.integers(5, 8)))
        rows, columns = bent.mask.shape
        matrix = shift_by(side / 2 - columns / 2, 0 if sign > 0 else side - rows)
        _draw_text(rng, context, canvas, bent, matrix, (text_colour, colour))
    if rng.random() < 0.7:
        middle = context.typeset(rng, [context.corpus.line(rng, 1)], font, size)
        low, high = _ink_box(middle)
        scale = float(
            min(1.2 * (radius - upper.size) / (high - low)[0], (radius - upper.size) / (high - low)[1], 1.5)
        )
        centre = (low + high) / 2
        matrix = shift_by(side / 2, side / 2) @ scale_by(scale, scale) @ shift_by(-centre[0], -centre[1])
        _draw_text(rng, context, canvas, middle, matrix, (text_colour, colour))
    mask = np.zeros((side, side), np.uint8)
    centre_px = (side // 2, side // 2)
    cv2.circle(mask, centre_px, side // 2, 255, -1, cv2.LINE_AA)
    if rng.random() < 0.5:
        line_colour = [int(v) for v in text_colour]
        cv2.circle(canvas.image, centre_px, side // 2 - 2, line_colour, max(1, side // 60), cv2.LINE_AA)
        cv2.circle(
            canvas.image,
            centre_px,
            max(2, int(radius - 0.75 * upper.size)),
            line_colour,
            max(1, side // 120),
            cv2.LINE_AA,
        )
    return _to_block(canvas, mask)


def _draw_text(
    rng: Generator,
    context: RenderContext,
    canvas: Canvas,
    piece: Lettering,
    matrix: Matrix,
    colours: tuple[Colour, Colour],
    plain: float = 0.95,
) -> None:
    """Draw ``piece`` and record its words; ``colours`` are those of the text and of its background."""
    canvas.blend(apply_text_effect(rng, piece, *colours, context.backgrounds, plain), matrix)
    for text, polygon in zip(piece.texts, piece.polygons, strict=True):
        canvas.add_word(text, apply(matrix, polygon))


def _to_block(canvas: Canvas, mask: Mask) -> Block:
    """Return ``canvas``, cut out along ``mask``, as a block."""
    rows, columns = mask.shape
    flat = Layer(canvas.image, mask, canvas.ink)
    outline = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float32)
    texts = tuple(word.text for word in canvas.words)
    return Block((rows, columns), outline, texts, tuple(w.polygon for w in canvas.words), lambda *_: flat)


def make_poster_block(
    context: RenderContext, rng: Generator, frame: tuple[int, int], difficulty: float
) -> Block:
    """Return a board of about the shape of ``frame`` (H, W): headlines, lines and small print."""
    fonts = [context.font(rng) for _ in range(int(rng.integers(1, 4)))]
    pieces: list[Lettering] = []
    width = frame[1] / max(frame) * 640
    used = 0.0
    limit = frame[0] / max(frame) * 640
    while used < limit * 0.85 and len(pieces) < 9:
        height = float(np.exp(rng.uniform(np.log(14 + 16 * (1 - difficulty)), np.log(130))))
        lines = _sample_lines(context, rng, width / height * 1.3, 1 if height > 60 else 4)
        lettering = context.typeset(
            rng, lines, fonts[int(rng.integers(len(fonts)))], min(height, _MAX_TEXT_HEIGHT), 0.5
        )
        if _is_one_line(lettering) and rng.random() < 0.3:
            lettering = context.bend(rng, lettering, Bends(0.4, 0.05))
        pieces.append(lettering)
        used += lettering.mask.shape[0]
    return _make_board(context, rng, pieces, 0.15 * difficulty, 0.92 - 0.25 * difficulty)


def _is_one_line(lettering: Lettering) -> bool:
    return bool(lettering.mask.shape[0] < 2.5 * lettering.size)


def _make_board(
    context: RenderContext, rng: Generator, pieces: list[Lettering], low_contrast: float, plain: float
) -> Block:
    """Stack ``pieces`` vertically on a plane of one colour."""
    boxes = [_ink_box(piece) for piece in pieces]
    gap = float(rng.uniform(0.15, 0.5)) * min(piece.size for piece in pieces)
    # One wide line must not make a huge plane: wider pieces are scaled down to a common width.
    widths = [float(high[0] - low[0]) for low, high in boxes]
    widest = max(min(widths) * 2.5, min(max(widths), 900.0))
    scales = [min(1.0, widest / width) for width in widths]
    inner = max(w * s for w, s in zip(widths, scales, strict=True))
    margin = rng.uniform(0.15, 0.9, 2) * min(pieces[0].size, 90)
    heights = [float(high[1] - low[1]) * s for (low, high), s in zip(boxes, scales, strict=True)]
    rows = int(sum(heights) + gap * (len(pieces) - 1) + 2 * margin[1]) + 2
    columns = int(inner + 2 * margin[0]) + 2
    colour = context.backgrounds.choose_sign_colour(rng)
    canvas = Canvas(_paint_plane(context, rng, (rows, columns), colour))
    align = float(rng.choice((0.0, 0.5, 0.5, 0.5)))
    y = float(margin[1])
    text_colour = context.choose_text_colour(rng, colour, low_contrast)
    for piece, (low, _), scale, width, height in zip(pieces, boxes, scales, widths, heights, strict=True):
        x = margin[0] + (inner - width * scale) * align
        matrix = shift_by(x, y) @ scale_by(scale, scale) @ shift_by(-low[0], -low[1])
        if rng.random() < 0.3:
            text_colour = context.choose_text_colour(rng, colour, low_contrast)
        _draw_text(rng, context, canvas, piece, matrix, (text_colour, colour), plain)
        y += height + gap
    _draw_border(rng, canvas.image, text_colour)
    return _to_block(canvas, _draw_board_mask(rng, (rows, columns)))


def _ink_box(lettering: Lettering) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    points = np.concatenate(lettering.polygons)
    return points.min(0), points.max(0)


def _paint_plane(context: RenderContext, rng: Generator, size: tuple[int, int], colour: Colour) -> Image:
    """Return a plane of ``colour`` with random shading and texture."""
    chance = rng.random()
    # Shading is smooth: it is computed at a third of the size and enlarged.
    coarse = (size[0] // 3 + 1, size[1] // 3 + 1)
    plane = np.empty((*coarse, 3), np.float32)
    plane[:] = colour
    if chance < 0.35:
        shade = fractal_noise(rng, coarse, 2, int(rng.integers(1, 6)))[..., None]
        plane *= 1 + shade * np.float32(rng.uniform(0.02, 0.15))
    elif chance < 0.55:
        piece = context.backgrounds.crop(rng, coarse).astype(np.float32)
        plane += (piece - np.array(cv2.mean(piece)[:3], np.float32)) * np.float32(rng.uniform(0.1, 0.45))
    elif chance < 0.65:
        plane *= np.linspace(rng.uniform(0.6, 1), rng.uniform(0.9, 1.25), coarse[0], dtype=np.float32)[
            :, None, None
        ]
    small = np.clip(plane, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(small, (size[1], size[0]), interpolation=cv2.INTER_LINEAR), np.uint8)


def _draw_border(rng: Generator, image: Image, colour: Colour) -> None:
    if rng.random() < 0.35:
        height, width = image.shape[:2]
        inset = int(rng.integers(0, max(1, height // 16) + 1))
        thick = int(rng.integers(1, max(2, height // 20) + 1))
        line_colour = [int(v) for v in colour]
        cv2.rectangle(image, (inset, inset), (width - 1 - inset, height - 1 - inset), line_colour, thick)


def _draw_board_mask(rng: Generator, size: tuple[int, int]) -> Mask:
    """Return the mask of a board: a rectangle, at times with round corners."""
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
