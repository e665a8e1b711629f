"""Small pictures of one labelled word among its surroundings."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from stsearch.synth.backgrounds import Colour, fractal_noise
from stsearch.synth.camera import Shot
from stsearch.synth.canvas import Canvas, Matrix, apply, scale_by, shift_by, text_height, turn_by
from stsearch.synth.lettering import Lettering
from stsearch.synth.render_context import Bends, RenderContext, bounded_normal, mean_colour
from stsearch.synth.text_effects import apply_text_effect
from stsearch.text.charset import normalize
from stsearch.types import Image, Scene

_BENDS = Bends(arc=0.15, wave=0.03)


def render_word(context: RenderContext, rng: Generator, size: tuple[int, int]) -> Scene:
    """Return a (H, W) picture whose first label is the main word, whole and, mostly, readable.

    The scene is partial when text was drawn that no label covers.
    """
    height, width = size
    text = _main_word(context, rng)
    wanted = height * rng.uniform(0.38, 0.95)
    size_px = min(wanted / 0.72, width / (0.52 * len(text))) * 1.05
    lettering, main = _lettering(context, rng, text, size_px)
    matrix = _place(rng, lettering, main, (height, width), float(wanted))
    canvas = Canvas(_ground(context, rng, size))
    clutter = rng.random() < 0.14
    if clutter:
        _clutter(context, rng, canvas)
    ground = mean_colour(canvas.image)
    ink = context.inks(rng, ground)
    canvas.lay(apply_text_effect(rng, lettering, ink, ground, context.backdrops), matrix)
    order = [main, *(i for i in range(len(lettering.texts)) if i != main)]
    for i in order:
        canvas.add_word(lettering.texts[i], apply(matrix, lettering.polygons[i]))
    if rng.random() < 0.06:
        _streak(rng, canvas, ink)
    tall = text_height(canvas.words[0].polygon)
    shot = Shot(harshness=float(rng.random() ** 1.3), max_blur=0.105 * tall)
    exposure = context.camera.expose(rng, canvas.image, shot)
    labels = canvas.labels(exposure.image, exposure.softness)
    return Scene(exposure.image, labels, partial=clutter)


def _main_word(context: RenderContext, rng: Generator) -> str:
    for _ in range(5):
        text = context.corpus.word(rng)
        if normalize(text):
            return text
    return "OPEN"


def _lettering(context: RenderContext, rng: Generator, text: str, size: float) -> tuple[Lettering, int]:
    """Set the main word, at times within a line or a paragraph; return where it stands among the words."""
    lines, row, place = [[text]], 0, 0
    if rng.random() < 0.4:
        before, after = (int(v) for v in rng.integers(0, 2, 2))
        place = before
        lines = [[*context.corpus.line(rng, before), text, *context.corpus.line(rng, after)]]
    if rng.random() < 0.35:
        above, below = (int(v) for v in rng.integers(0, 2, 2))
        row = above
        lines = [[context.corpus.line(rng, 1)[0]] for _ in range(above)] + lines
        lines += [context.corpus.line(rng, int(rng.integers(1, 3))) for _ in range(below)]
    path = context.font(rng)
    lettering = context.letter(rng, lines, path, size, align=float(rng.choice((0.0, 0.5, 0.5, 1.0))))
    index = sum(len(line) for line in lines[:row]) + place
    if len(lettering.texts) != sum(map(len, lines)) or not normalize(lettering.texts[index]):
        # The face could not draw some word: take one that every face can.
        lettering, index = context.letter(rng, [[normalize(text).upper()]], path, size), 0
    if len(lines) == 1:
        lettering = context.bend(rng, lettering, _BENDS)
    return lettering, index


def _angle(rng: Generator) -> float:
    chance = rng.random()
    if chance < 0.58:
        return float(rng.normal(0, 3))
    if chance < 0.92:
        return float(rng.normal(0, 11))
    return float(rng.uniform(-40, 40))


def _place(rng: Generator, lettering: Lettering, main: int, size: tuple[int, int], wanted: float) -> Matrix:
    """Return the matrix that puts the main word into the picture, ``wanted`` pixels high if it fits."""
    height, width = size
    polygon = lettering.polygons[main]
    middle = (polygon.max(0) + polygon.min(0)) / 2
    extent = polygon.max(0) - polygon.min(0)
    tilt = np.eye(3)
    if rng.random() < 0.6:
        tilt[2, 0] = bounded_normal(rng, 0.12, 0.35) / max(extent[0], 1)
        tilt[2, 1] = bounded_normal(rng, 0.08, 0.25) / max(extent[1], 1)
    shear = np.eye(3)
    if rng.random() < 0.4:
        shear[0, 1], shear[1, 0] = bounded_normal(rng, 0.14, 0.4), bounded_normal(rng, 0.04, 0.4)
    squeeze = scale_by(float(np.exp(rng.normal(-0.02, 0.16))), 1)
    matrix = turn_by(np.deg2rad(_angle(rng))) @ shear @ tilt @ squeeze @ shift_by(-middle[0], -middle[1])
    flat = apply(matrix, polygon)
    low, high = flat.min(0), flat.max(0)
    room = np.array([width, height]) * rng.uniform(0.86, 0.99)
    scale = min(wanted / max(text_height(flat), 1), *(room / np.maximum(high - low, 1)))
    slack = np.maximum(np.array([width, height]) - (high - low) * scale, 0)
    corner = slack * (0.5 + bounded_normal(rng, 0.25, 0.5), 0.5 + bounded_normal(rng, 0.25, 0.5))
    return shift_by(*(corner - low * scale)) @ scale_by(scale, scale) @ matrix


def _ground(context: RenderContext, rng: Generator, size: tuple[int, int]) -> Image:
    """Return what the word stands on: a plain or shaded plane, a calm piece of a photograph, or any piece."""
    chance = rng.random()
    if chance < 0.3:
        return context.backdrops.calm_crop(rng, size, float(rng.uniform(0.5, 3.0)))
    if chance < 0.45:
        return context.backdrops.crop(rng, size, float(rng.uniform(0.3, 2.0)))
    plane = np.empty((*size, 3), np.float32)
    plane[:] = context.backdrops.sign_colour(rng)
    if rng.random() < 0.4:
        plane *= 1 + fractal_noise(rng, size, 2, int(rng.integers(1, 5)))[..., None] * np.float32(
            rng.uniform(0.02, 0.15)
        )
    if rng.random() < 0.25:
        piece = context.backdrops.crop(rng, size, 1.0).astype(np.float32)
        plane += (piece - piece.mean((0, 1))) * np.float32(rng.uniform(0.05, 0.35))
    if rng.random() < 0.22:
        _edge(rng, plane, context.backdrops.sign_colour(rng))
    return np.clip(plane, 0, 255).astype(np.uint8)


def _edge(rng: Generator, plane: np.ndarray[tuple[int, ...], np.dtype[np.float32]], colour: Colour) -> None:
    """Let another plane, or a border line, begin near one side of the picture."""
    height, width = plane.shape[:2]
    thick = max(1, round(height * rng.uniform(0.03, 0.2)))
    side = int(rng.integers(4))
    if side == 0:
        plane[:thick] = colour
    elif side == 1:
        plane[height - thick :] = colour
    elif side == 2:
        plane[:, :thick] = colour
    else:
        plane[:, width - thick :] = colour


def _clutter(context: RenderContext, rng: Generator, canvas: Canvas) -> None:
    """Draw other text, faintly or at the rim, as lies behind and beside the words of real crops."""
    height, width = canvas.image.shape[:2]
    lettering = context.letter(
        rng, [context.corpus.line(rng, 1)], context.font(rng), height * rng.uniform(0.3, 0.9)
    )
    rows, _columns = lettering.mask.shape
    scale = height * rng.uniform(0.6, 2.2) / rows
    x, y = rng.uniform(-0.3, 1.1) * width, rng.uniform(-0.9, 1.0) * height
    angle = turn_by(float(rng.normal(0, 0.15)))
    ground = mean_colour(canvas.image)
    layer = apply_text_effect(rng, lettering, context.inks(rng, ground), ground, context.backdrops, plain=0.9)
    canvas.lay(layer, shift_by(x, y) @ angle @ scale_by(scale, scale), float(rng.uniform(0.15, 0.7)))
    canvas.ink[:] = 0


def _streak(rng: Generator, canvas: Canvas, ink: Colour) -> None:
    """Draw an underline, a frame line or a wire near or through the word."""
    height, _width = canvas.image.shape[:2]
    thick = max(1, round(height * rng.uniform(0.02, 0.07)))
    top = int(rng.integers(0, height))
    canvas.image[top : top + thick] = ink.astype(np.uint8)
