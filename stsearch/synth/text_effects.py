"""Text effects: fill, outline, shadow, relief, glow, dots and wear, as layers of colour and opacity."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stsearch.synth.backgrounds import Backgrounds, Colour, fractal_noise, lightness
from stsearch.synth.lettering import Lettering, Mask


@dataclass(frozen=True, eq=False)
class Layer:
    """A flat picture to be blended into a scene."""

    rgb: NDArray[np.uint8]  # (h, w, 3), or (1, 1, 3) for one colour all over
    alpha: Mask  # (h, w) opacity, 255: opaque
    ink: Mask  # (h, w) where the glyphs are


PLAIN_SHARE = 0.65  # of words are filled with one flat colour, as real ones are
_EFFECTS = (
    "gradient",
    "texture",
    "outline",
    "shadow",
    "extrude",
    "relief",
    "neon",
    "hollow",
    "dots",
    "outline+shadow",
)
_CUMULATIVE_SHARES = np.cumsum([0.14, 0.14, 0.14, 0.16, 0.1, 0.1, 0.05, 0.05, 0.05, 0.07])
_WORN_SHARE = 0.08  # of words have holes in their strokes


class LayerStack:
    """Layers composited bottom first, kept as straight (not premultiplied) colour."""

    def __init__(self, shape: tuple[int, ...], colour: Colour) -> None:
        """Start fully transparent; thin edges fade to ``colour``."""
        self._rgb = np.empty((*shape[:2], 3), np.float32)
        self._rgb[:] = colour
        self._alpha = np.zeros(shape[:2], np.float32)

    def blend(self, colour: Colour | NDArray[np.float32], mask: Mask, opacity: float = 1.0) -> None:
        """Composite ``colour``, (3,) or (h, w, 3), over the others with ``mask`` for its opacity."""
        weight = mask.astype(np.float32) * np.float32(opacity / 255)
        self._rgb += (colour - self._rgb) * weight[..., None]
        self._alpha += weight - self._alpha * weight

    def flatten(self, ink: Mask) -> Layer:
        """Return all layers as one, with the glyphs in ``ink``."""
        alpha = (self._alpha * 255 + 0.5).astype(np.uint8)
        return Layer(np.clip(self._rgb, 0, 255).astype(np.uint8), alpha, ink)


def apply_text_effect(
    rng: Generator,
    lettering: Lettering,
    text_colour: Colour,
    background: Colour,
    backgrounds: Backgrounds,
    plain: float = PLAIN_SHARE,
) -> Layer:
    """Draw ``lettering`` in ``text_colour`` with a random effect; a share ``plain`` is filled flat."""
    mask, size = lettering.mask, lettering.size
    if rng.random() < _WORN_SHARE:
        mask = _wear(rng, mask)
    if rng.random() < plain:
        opacity = 1.0 if rng.random() < 0.7 else rng.uniform(0.75, 1)
        alpha = mask if opacity == 1.0 else (mask * np.float32(opacity)).astype(np.uint8)
        return Layer(text_colour.astype(np.uint8)[None, None], alpha, mask)
    effect = _EFFECTS[min(int(np.searchsorted(_CUMULATIVE_SHARES, rng.random())), len(_EFFECTS) - 1)]
    if effect in ("gradient", "texture"):
        stack = LayerStack(mask.shape, text_colour)
        fill = (
            _make_gradient(rng, mask.shape, text_colour, background)
            if effect == "gradient"
            else _make_texture_fill(rng, mask.shape, text_colour, backgrounds)
        )
        stack.blend(fill, mask)
        return stack.flatten(mask)
    if effect == "relief":
        return _emboss(rng, mask, size, text_colour, background)
    if effect == "neon":
        return _draw_neon(rng, mask, size, text_colour, background)
    if effect == "hollow":
        outline = _outline_strokes(mask, _to_pixels(rng, size, 0.02, 0.05))
        return Layer(text_colour.astype(np.uint8)[None, None], outline, mask)
    if effect == "dots":
        dotted = _draw_dots(rng, mask, size)
        return Layer(text_colour.astype(np.uint8)[None, None], dotted, mask)
    return _draw_with_backing(rng, mask, size, text_colour, background, effect)


def _to_pixels(rng: Generator, size: float, low: float, high: float) -> int:
    return max(1, round(rng.uniform(low, high) * size))


def _shift(mask: Mask, dx: int, dy: int) -> Mask:
    moved = np.zeros_like(mask)
    height, width = mask.shape
    if abs(dx) < width and abs(dy) < height:
        moved[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = mask[
            max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)
        ]
    return moved


def _dilate(mask: Mask, radius: int) -> Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(mask, kernel), np.uint8)


def _outline_strokes(mask: Mask, radius: int) -> Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.subtract(cv2.dilate(mask, kernel), cv2.erode(mask, kernel)), np.uint8)


def _blur(mask: Mask, sigma: float) -> Mask:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(sigma, 0.3)), np.uint8)


def _choose_opposite_tone(rng: Generator, colour: Colour) -> Colour:
    """Return a colour near white for a dark ``colour``, and one near black for a light one."""
    tone = rng.uniform(190, 255) if lightness(colour) < 128 else rng.uniform(0, 60)
    return np.clip(tone + rng.normal(0, 12, 3), 0, 255).astype(np.float32)


def _make_gradient(
    rng: Generator, shape: tuple[int, ...], text_colour: Colour, background: Colour
) -> NDArray[np.float32]:
    """Return a fill that runs from ``text_colour`` to one that is as far from the background."""
    side = 1.0 if lightness(text_colour) > lightness(background) else -1.0
    other = np.clip(text_colour + side * rng.uniform(0, 90) + rng.normal(0, 40, 3), 0, 255).astype(np.float32)
    step = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    if rng.random() < 0.3:
        step = np.linspace(0, 1, shape[1], dtype=np.float32)[None, :, None]
    return np.broadcast_to(text_colour + (other - text_colour) * step, (*shape[:2], 3))


def _make_texture_fill(
    rng: Generator, shape: tuple[int, ...], text_colour: Colour, backgrounds: Backgrounds
) -> NDArray[np.float32]:
    piece = backgrounds.crop(rng, (shape[0], shape[1])).astype(np.float32)
    return np.asarray(
        text_colour + (piece - piece.mean((0, 1))) * np.float32(rng.uniform(0.3, 1.0)), np.float32
    )


def _wear(rng: Generator, mask: Mask) -> Mask:
    """Make holes in the strokes, as worn paint has them."""
    # Holes must be finer than characters, or the label would name characters that are gone.
    noise = fractal_noise(rng, mask.shape, int(rng.integers(10, 30)), 2)
    keep = np.clip((noise + rng.uniform(0.45, 0.9)) * 4, rng.uniform(0, 0.5), 1)
    return np.asarray(mask * keep, np.uint8)


def _draw_dots(rng: Generator, mask: Mask, size: float) -> Mask:
    """Draw the glyphs as dots on a grid, like a display of lamps."""
    cell = max(2, round(size / rng.uniform(9, 16)))
    height, width = mask.shape
    grid = (max(1, width // cell), max(1, height // cell))
    coarse = np.asarray(cv2.resize(mask, grid, interpolation=cv2.INTER_AREA))
    lit = np.where(coarse > 90, 255, 0).astype(np.uint8)
    full = np.asarray(cv2.resize(lit, (width, height), interpolation=cv2.INTER_NEAREST))
    ys = np.abs(np.linspace(0, grid[1], height, endpoint=False) % 1 - 0.5)[:, None]
    xs = np.abs(np.linspace(0, grid[0], width, endpoint=False) % 1 - 0.5)[None, :]
    lamp = np.clip((rng.uniform(0.45, 0.62) - np.hypot(xs, ys)) * cell, 0, 1)
    return (full * lamp).astype(np.uint8)


def _emboss(rng: Generator, mask: Mask, size: float, text_colour: Colour, background: Colour) -> Layer:
    """Emboss or engrave: strokes close to the background in colour, one edge light and the other dark."""
    depth = _to_pixels(rng, size, 0.015, 0.05)
    light = 1 if rng.random() < 0.5 else -1
    strokes = (background + (text_colour - background) * rng.uniform(0.1, 0.6)).astype(np.float32)
    stack = LayerStack(mask.shape, strokes)
    stack.blend(
        np.minimum(background + rng.uniform(40, 110), 255).astype(np.float32),
        _shift(mask, -light * depth, -light * depth),
    )
    stack.blend(
        (background * rng.uniform(0.1, 0.6)).astype(np.float32), _shift(mask, light * depth, light * depth)
    )
    stack.blend(strokes, mask)
    return stack.flatten(mask)


def _draw_neon(rng: Generator, mask: Mask, size: float, text_colour: Colour, background: Colour) -> Layer:
    """Return nearly white strokes with a glow around them, like a neon sign."""
    glow = text_colour * (200 / max(float(text_colour.max()), 1))
    if rng.random() < 0.5:
        glow = np.array(
            ((255, 40, 40), (60, 120, 255), (60, 255, 120), (255, 60, 220), (255, 160, 30))[
                int(rng.integers(5))
            ]
        )
    glow = glow.astype(np.float32)
    stack = LayerStack(mask.shape, glow)
    stack.blend(glow, _blur(_dilate(mask, 2), size * rng.uniform(0.06, 0.15)), rng.uniform(0.5, 0.9))
    core = glow + (255 - glow) * rng.uniform(0.3, 0.95) if lightness(background) < 150 else text_colour
    stack.blend(core.astype(np.float32), mask)
    return stack.flatten(mask)


def _draw_with_backing(
    rng: Generator, mask: Mask, size: float, text_colour: Colour, background: Colour, effect: str
) -> Layer:
    """Put an outline, a shadow or a thickness behind the glyphs."""
    stack = LayerStack(mask.shape, text_colour)
    body = mask
    if "outline" in effect:
        body = _dilate(mask, _to_pixels(rng, size, 0.02, 0.07))
    if "shadow" in effect:
        dx, dy = (int(v) for v in np.round(rng.uniform(-0.1, 0.1, 2) * size))
        shade = _shift(body, dx, dy)
        if rng.random() < 0.6:
            shade = _blur(shade, size * rng.uniform(0.01, 0.06))
        dark = (
            np.full(3, rng.uniform(0, 40), np.float32)
            if rng.random() < 0.8
            else _choose_opposite_tone(rng, text_colour)
        )
        stack.blend(dark, shade, rng.uniform(0.4, 1))
    if effect == "extrude":
        steps = _to_pixels(rng, size, 0.03, 0.12)
        angle = rng.uniform(0, 2 * np.pi)
        solid = mask
        for step in range(1, steps + 1):
            solid = np.maximum(solid, _shift(mask, round(step * np.cos(angle)), round(step * np.sin(angle))))
        side = (
            text_colour * rng.uniform(0.25, 0.7)
            if rng.random() < 0.7
            else _choose_opposite_tone(rng, text_colour)
        )
        stack.blend(side.astype(np.float32), solid)
    if "outline" in effect:
        stack.blend(
            _choose_opposite_tone(rng, text_colour)
            if rng.random() < 0.7
            else (255 - text_colour).astype(np.float32),
            body,
        )
    fill: NDArray[np.float32] = text_colour
    if rng.random() < 0.25:
        fill = _make_gradient(rng, mask.shape, text_colour, background)
    stack.blend(fill, mask)
    return stack.flatten(mask)
