"""Small pictures of one labelled word and its surroundings."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from stsearch.synth.backgrounds import Colour, fractal_noise
from stsearch.synth.camera import CaptureConditions
from stsearch.synth.canvas import Canvas, Matrix, apply, scale_by, shift_by, text_height, turn_by
from stsearch.synth.lettering import Lettering
from stsearch.synth.render_context import Bends, RenderContext, mean_colour, sample_clipped_normal
from stsearch.synth.text_effects import apply_text_effect
from stsearch.text.charset import normalize
from stsearch.types import Image, Scene

_BENDS = Bends(arc=0.15, wave=0.03)


def render_word(context: RenderContext, rng: Generator, size: tuple[int, int]) -> Scene:
    """Return a (H, W) picture whose first label is the main word, whole and, mostly, readable.

    The scene is partial when text was drawn that no label covers.
    """
    height, width = size
    text = _choose_main_word(context, rng)
    height_px = height * rng.uniform(0.38, 0.95)
    size_px = min(height_px / 0.72, width / (0.52 * len(text))) * 1.05
    lettering, main = _typeset_main_word(context, rng, text, size_px)
    matrix = _sample_transform(rng, lettering, main, (height, width), float(height_px))
    canvas = Canvas(_make_background(context, rng, size))
    has_other_text = rng.random() < 0.14
    if has_other_text:
        _draw_other_text(context, rng, canvas)
    background = mean_colour(canvas.image)
    text_colour = context.choose_text_colour(rng, background)
    canvas.blend(apply_text_effect(rng, lettering, text_colour, background, context.backgrounds), matrix)
    order = [main, *(i for i in range(len(lettering.texts)) if i != main)]
    for i in order:
        canvas.add_word(lettering.texts[i], apply(matrix, lettering.polygons[i]))
    if rng.random() < 0.06:
        _draw_line(rng, canvas, text_colour)
    word_height = text_height(canvas.words[0].polygon)
    conditions = CaptureConditions(severity=float(rng.random() ** 1.3), max_blur=0.105 * word_height)
    exposure = context.camera.expose(rng, canvas.image, conditions)
    labels = canvas.labels(exposure.image, exposure.blur_sigma)
    return Scene(exposure.image, labels, partial=has_other_text)


def _choose_main_word(context: RenderContext, rng: Generator) -> str:
    for _ in range(5):
        text = context.corpus.word(rng)
        if normalize(text):
            return text
    return "OPEN"


def _typeset_main_word(
    context: RenderContext, rng: Generator, text: str, size: float
) -> tuple[Lettering, int]:
    """Typeset the main word, at times within a line or a paragraph; return its index among the words, too."""
    lines, row, column = [[text]], 0, 0
    if rng.random() < 0.4:
        before, after = (int(v) for v in rng.integers(0, 2, 2))
        column = before
        lines = [[*context.corpus.line(rng, before), text, *context.corpus.line(rng, after)]]
    if rng.random() < 0.35:
        above, below = (int(v) for v in rng.integers(0, 2, 2))
        row = above
        lines = [[context.corpus.line(rng, 1)[0]] for _ in range(above)] + lines
        lines += [context.corpus.line(rng, int(rng.integers(1, 3))) for _ in range(below)]
    path = context.font(rng)
    lettering = context.typeset(rng, lines, path, size, align=float(rng.choice((0.0, 0.5, 0.5, 1.0))))
    index = sum(len(line) for line in lines[:row]) + column
    if len(lettering.texts) != sum(map(len, lines)) or not normalize(lettering.texts[index]):
        # The font lacks glyphs of some word: take one that every font can draw.
        lettering, index = context.typeset(rng, [[normalize(text).upper()]], path, size), 0
    if len(lines) == 1:
        lettering = context.bend(rng, lettering, _BENDS)
    return lettering, index


def _sample_angle(rng: Generator) -> float:
    chance = rng.random()
    if chance < 0.58:
        return float(rng.normal(0, 3))
    if chance < 0.92:
        return float(rng.normal(0, 11))
    return float(rng.uniform(-40, 40))


def _sample_transform(
    rng: Generator, lettering: Lettering, main: int, size: tuple[int, int], height_px: float
) -> Matrix:
    """Return the matrix that puts the main word into the picture, ``height_px`` pixels high if it fits."""
    height, width = size
    polygon = lettering.polygons[main]
    middle = (polygon.max(0) + polygon.min(0)) / 2
    extent = polygon.max(0) - polygon.min(0)
    tilt = np.eye(3)
    if rng.random() < 0.6:
        tilt[2, 0] = sample_clipped_normal(rng, 0.12, 0.35) / max(extent[0], 1)
        tilt[2, 1] = sample_clipped_normal(rng, 0.08, 0.25) / max(extent[1], 1)
    shear = np.eye(3)
    if rng.random() < 0.4:
        shear[0, 1], shear[1, 0] = (
            sample_clipped_normal(rng, 0.14, 0.4),
            sample_clipped_normal(rng, 0.04, 0.4),
        )
    squeeze = scale_by(float(np.exp(rng.normal(-0.02, 0.16))), 1)
    matrix = (
        turn_by(np.deg2rad(_sample_angle(rng))) @ shear @ tilt @ squeeze @ shift_by(-middle[0], -middle[1])
    )
    flat = apply(matrix, polygon)
    low, high = flat.min(0), flat.max(0)
    max_extent = np.array([width, height]) * rng.uniform(0.86, 0.99)
    scale = min(height_px / max(text_height(flat), 1), *(max_extent / np.maximum(high - low, 1)))
    free = np.maximum(np.array([width, height]) - (high - low) * scale, 0)
    corner = free * (0.5 + sample_clipped_normal(rng, 0.25, 0.5), 0.5 + sample_clipped_normal(rng, 0.25, 0.5))
    return shift_by(*(corner - low * scale)) @ scale_by(scale, scale) @ matrix


def _make_background(context: RenderContext, rng: Generator, size: tuple[int, int]) -> Image:
    """Return a plain or shaded plane, a smooth crop of a photograph, or any crop."""
    chance = rng.random()
    if chance < 0.3:
        return context.backgrounds.smooth_crop(rng, size, float(rng.uniform(0.5, 3.0)))
    if chance < 0.45:
        return context.backgrounds.crop(rng, size, float(rng.uniform(0.3, 2.0)))
    plane = np.empty((*size, 3), np.float32)
    plane[:] = context.backgrounds.choose_sign_colour(rng)
    if rng.random() < 0.4:
        plane *= 1 + fractal_noise(rng, size, 2, int(rng.integers(1, 5)))[..., None] * np.float32(
            rng.uniform(0.02, 0.15)
        )
    if rng.random() < 0.25:
        piece = context.backgrounds.crop(rng, size, 1.0).astype(np.float32)
        plane += (piece - piece.mean((0, 1))) * np.float32(rng.uniform(0.05, 0.35))
    if rng.random() < 0.22:
        _draw_edge(rng, plane, context.backgrounds.choose_sign_colour(rng))
    return np.clip(plane, 0, 255).astype(np.uint8)


def _draw_edge(
    rng: Generator, plane: np.ndarray[tuple[int, ...], np.dtype[np.float32]], colour: Colour
) -> None:
    """Draw another plane, or a line, along one side of the picture."""
    height, width = plane.shape[:2]
    thickness = max(1, round(height * rng.uniform(0.03, 0.2)))
    side = int(rng.integers(4))
    if side == 0:
        plane[:thickness] = colour
    elif side == 1:
        plane[height - thickness :] = colour
    elif side == 2:
        plane[:, :thickness] = colour
    else:
        plane[:, width - thickness :] = colour


def _draw_other_text(context: RenderContext, rng: Generator, canvas: Canvas) -> None:
    """Draw other text, faintly or at the border, as there is behind and beside the words of real crops."""
    height, width = canvas.image.shape[:2]
    lettering = context.typeset(
        rng, [context.corpus.line(rng, 1)], context.font(rng), height * rng.uniform(0.3, 0.9)
    )
    rows, _columns = lettering.mask.shape
    scale = height * rng.uniform(0.6, 2.2) / rows
    x, y = rng.uniform(-0.3, 1.1) * width, rng.uniform(-0.9, 1.0) * height
    angle = turn_by(float(rng.normal(0, 0.15)))
    background = mean_colour(canvas.image)
    layer = apply_text_effect(
        rng,
        lettering,
        context.choose_text_colour(rng, background),
        background,
        context.backgrounds,
        plain=0.9,
    )
    canvas.blend(layer, shift_by(x, y) @ angle @ scale_by(scale, scale), float(rng.uniform(0.15, 0.7)))
    canvas.ink[:] = 0


def _draw_line(rng: Generator, canvas: Canvas, text_colour: Colour) -> None:
    """Draw a horizontal line, like an underline or a wire, near or through the word."""
    height, _width = canvas.image.shape[:2]
    thickness = max(1, round(height * rng.uniform(0.02, 0.07)))
    top = int(rng.integers(0, height))
    canvas.image[top : top + thickness] = text_colour.astype(np.uint8)
