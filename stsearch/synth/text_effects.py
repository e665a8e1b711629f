"""How lettering looks: fill, outline, shadow, relief, glow, dots and wear, as layers of colour and cover."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stsearch.synth.backgrounds import Backdrops, Colour, fractal_noise, lightness
from stsearch.synth.lettering import Lettering, Mask


@dataclass(frozen=True, eq=False)
class Layer:
    """A flat picture to be laid into a scene."""

    rgb: NDArray[np.uint8]  # (h, w, 3), or (1, 1, 3) for one colour all over
    cover: Mask  # (h, w) opacity
    ink: Mask  # (h, w) where the glyphs are


PLAIN_SHARE = 0.65  # of real words are one flat colour
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
_EFFECT_STEPS = np.cumsum([0.14, 0.14, 0.14, 0.16, 0.1, 0.1, 0.05, 0.05, 0.05, 0.07])
_WORN_SHARE = 0.08


class Stack:
    """Layers laid over each other, bottom first, kept as straight (not premultiplied) colour."""

    def __init__(self, shape: tuple[int, ...], colour: Colour) -> None:
        """Start with nothing that is visible; ``colour`` is what thin edges fade to."""
        self._rgb = np.empty((*shape[:2], 3), np.float32)
        self._rgb[:] = colour
        self._cover = np.zeros(shape[:2], np.float32)

    def lay(self, colour: Colour | NDArray[np.float32], mask: Mask, opacity: float = 1.0) -> None:
        """Lay ``colour``, (3,) or (h, w, 3), where ``mask`` is."""
        alpha = mask.astype(np.float32) * np.float32(opacity / 255)
        self._rgb += (colour - self._rgb) * alpha[..., None]
        self._cover += alpha - self._cover * alpha

    def layer(self, ink: Mask) -> Layer:
        """Return what was laid."""
        cover = (self._cover * 255 + 0.5).astype(np.uint8)
        return Layer(np.clip(self._rgb, 0, 255).astype(np.uint8), cover, ink)


def apply_text_effect(
    rng: Generator,
    lettering: Lettering,
    ink: Colour,
    ground: Colour,
    backdrops: Backdrops,
    plain: float = PLAIN_SHARE,
) -> Layer:
    """Give ``lettering`` a look in the colour ``ink``; ``plain`` is the share of flat fills."""
    mask, size = lettering.mask, lettering.size
    if rng.random() < _WORN_SHARE:
        mask = _wear(rng, mask)
    if rng.random() < plain:
        opacity = 1.0 if rng.random() < 0.7 else rng.uniform(0.75, 1)
        cover = mask if opacity == 1.0 else (mask * np.float32(opacity)).astype(np.uint8)
        return Layer(ink.astype(np.uint8)[None, None], cover, mask)
    effect = _EFFECTS[min(int(np.searchsorted(_EFFECT_STEPS, rng.random())), len(_EFFECTS) - 1)]
    if effect in ("gradient", "texture"):
        stack = Stack(mask.shape, ink)
        fill = (
            _gradient(rng, mask.shape, ink, ground)
            if effect == "gradient"
            else _textured(rng, mask.shape, ink, backdrops)
        )
        stack.lay(fill, mask)
        return stack.layer(mask)
    if effect == "relief":
        return _relief(rng, mask, size, ink, ground)
    if effect == "neon":
        return _neon(rng, mask, size, ink, ground)
    if effect == "hollow":
        rim = _ring(mask, _pixels(rng, size, 0.02, 0.05))
        return Layer(ink.astype(np.uint8)[None, None], rim, mask)
    if effect == "dots":
        dotted = _dots(rng, mask, size)
        return Layer(ink.astype(np.uint8)[None, None], dotted, mask)
    return _backed(rng, mask, size, ink, ground, effect)


def _pixels(rng: Generator, size: float, low: float, high: float) -> int:
    return max(1, round(rng.uniform(low, high) * size))


def _shift(mask: Mask, dx: int, dy: int) -> Mask:
    moved = np.zeros_like(mask)
    height, width = mask.shape
    if abs(dx) < width and abs(dy) < height:
        moved[max(dy, 0) : height + min(dy, 0), max(dx, 0) : width + min(dx, 0)] = mask[
            max(-dy, 0) : height + min(-dy, 0), max(-dx, 0) : width + min(-dx, 0)
        ]
    return moved


def _grown(mask: Mask, radius: int) -> Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.dilate(mask, kernel), np.uint8)


def _ring(mask: Mask, radius: int) -> Mask:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray(cv2.subtract(cv2.dilate(mask, kernel), cv2.erode(mask, kernel)), np.uint8)


def _blurred(mask: Mask, sigma: float) -> Mask:
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), max(sigma, 0.3)), np.uint8)


def _away(rng: Generator, colour: Colour) -> Colour:
    """Return white-ish for a dark colour and black-ish for a light one."""
    tone = rng.uniform(190, 255) if lightness(colour) < 128 else rng.uniform(0, 60)
    return np.clip(tone + rng.normal(0, 12, 3), 0, 255).astype(np.float32)


def _gradient(rng: Generator, shape: tuple[int, ...], ink: Colour, ground: Colour) -> NDArray[np.float32]:
    """Return a fill that runs from ``ink`` to a colour as far from the ground."""
    side = 1.0 if lightness(ink) > lightness(ground) else -1.0
    other = np.clip(ink + side * rng.uniform(0, 90) + rng.normal(0, 40, 3), 0, 255).astype(np.float32)
    step = np.linspace(0, 1, shape[0], dtype=np.float32)[:, None, None]
    if rng.random() < 0.3:
        step = np.linspace(0, 1, shape[1], dtype=np.float32)[None, :, None]
    return np.broadcast_to(ink + (other - ink) * step, (*shape[:2], 3))


def _textured(
    rng: Generator, shape: tuple[int, ...], ink: Colour, backdrops: Backdrops
) -> NDArray[np.float32]:
    piece = backdrops.crop(rng, (shape[0], shape[1])).astype(np.float32)
    return np.asarray(ink + (piece - piece.mean((0, 1))) * np.float32(rng.uniform(0.3, 1.0)), np.float32)


def _wear(rng: Generator, mask: Mask) -> Mask:
    """Rub holes into the paint."""
    # Holes must be finer than characters, or the label would name characters that are gone.
    noise = fractal_noise(rng, mask.shape, int(rng.integers(10, 30)), 2)
    keep = np.clip((noise + rng.uniform(0.45, 0.9)) * 4, rng.uniform(0, 0.5), 1)
    return np.asarray(mask * keep, np.uint8)


def _dots(rng: Generator, mask: Mask, size: float) -> Mask:
    """Show the glyphs with lamps or pixels on a grid."""
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


def _relief(rng: Generator, mask: Mask, size: float, ink: Colour, ground: Colour) -> Layer:
    """Emboss or engrave: a face close to the ground, lit on one edge and dark on the other."""
    depth = _pixels(rng, size, 0.015, 0.05)
    light = 1 if rng.random() < 0.5 else -1
    face = (ground + (ink - ground) * rng.uniform(0.1, 0.6)).astype(np.float32)
    stack = Stack(mask.shape, face)
    stack.lay(
        np.minimum(ground + rng.uniform(40, 110), 255).astype(np.float32),
        _shift(mask, -light * depth, -light * depth),
    )
    stack.lay((ground * rng.uniform(0.1, 0.6)).astype(np.float32), _shift(mask, light * depth, light * depth))
    stack.lay(face, mask)
    return stack.layer(mask)


def _neon(rng: Generator, mask: Mask, size: float, ink: Colour, ground: Colour) -> Layer:
    """Glow around a core that is nearly white."""
    glow = ink * (200 / max(float(ink.max()), 1))
    if rng.random() < 0.5:
        glow = np.array(
            ((255, 40, 40), (60, 120, 255), (60, 255, 120), (255, 60, 220), (255, 160, 30))[
                int(rng.integers(5))
            ]
        )
    glow = glow.astype(np.float32)
    stack = Stack(mask.shape, glow)
    stack.lay(glow, _blurred(_grown(mask, 2), size * rng.uniform(0.06, 0.15)), rng.uniform(0.5, 0.9))
    core = glow + (255 - glow) * rng.uniform(0.3, 0.95) if lightness(ground) < 150 else ink
    stack.lay(core.astype(np.float32), mask)
    return stack.layer(mask)


def _backed(rng: Generator, mask: Mask, size: float, ink: Colour, ground: Colour, effect: str) -> Layer:
    """Put an outline, a shadow or a thickness behind the glyphs."""
    stack = Stack(mask.shape, ink)
    body = mask
    if "outline" in effect:
        body = _grown(mask, _pixels(rng, size, 0.02, 0.07))
    if "shadow" in effect:
        dx, dy = (int(v) for v in np.round(rng.uniform(-0.1, 0.1, 2) * size))
        shade = _shift(body, dx, dy)
        if rng.random() < 0.6:
            shade = _blurred(shade, size * rng.uniform(0.01, 0.06))
        dark = np.full(3, rng.uniform(0, 40), np.float32) if rng.random() < 0.8 else _away(rng, ink)
        stack.lay(dark, shade, rng.uniform(0.4, 1))
    if effect == "extrude":
        steps = _pixels(rng, size, 0.03, 0.12)
        angle = rng.uniform(0, 2 * np.pi)
        solid = mask
        for step in range(1, steps + 1):
            solid = np.maximum(solid, _shift(mask, round(step * np.cos(angle)), round(step * np.sin(angle))))
        side = ink * rng.uniform(0.25, 0.7) if rng.random() < 0.7 else _away(rng, ink)
        stack.lay(side.astype(np.float32), solid)
    if "outline" in effect:
        stack.lay(_away(rng, ink) if rng.random() < 0.7 else (255 - ink).astype(np.float32), body)
    fill: NDArray[np.float32] = ink
    if rng.random() < 0.25:
        fill = _gradient(rng, mask.shape, ink, ground)
    stack.lay(fill, mask)
    return stack.layer(mask)
