"""Patterns that resemble text: stripes, bricks, windows, fences, leaves, bar codes, pictograms."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from stsearch.synth.backgrounds import Backgrounds
from stsearch.synth.lettering import Mask
from stsearch.synth.text_effects import Layer

Pattern = Callable[[Generator, int, int], Mask]


def draw_distractor(rng: Generator, backgrounds: Backgrounds, size: tuple[int, int]) -> Layer:
    """Return a layer of (h, w) ``size`` with a pattern and no text; its ink is empty."""
    height, width = size
    pattern = _PATTERNS[int(rng.integers(len(_PATTERNS)))]
    mask = pattern(rng, height, width)
    colour = backgrounds.choose_sign_colour(rng)
    no_ink = np.zeros_like(mask)
    if rng.random() < 0.5:
        return Layer(colour.astype(np.uint8)[None, None], mask, no_ink)
    background = backgrounds.choose_sign_colour(rng)
    if rng.random() < 0.3:
        plane = backgrounds.crop(rng, size).astype(np.float32)
    else:
        plane = np.broadcast_to(background, (height, width, 3)).astype(np.float32)
    plane = (plane + (colour - plane) * (mask.astype(np.float32) / 255)[..., None]).astype(np.float32)
    return Layer(plane.astype(np.uint8), np.full_like(mask, 255), no_ink)


def draw_occluder(rng: Generator, backgrounds: Backgrounds, size: tuple[int, int]) -> Layer:
    """Return an occluder: an opaque patch, leaves or twigs; its ink is empty."""
    _height, _width = size
    mask = np.zeros(size, np.uint8)
    kind = rng.random()
    if kind < 0.4:
        mask[:] = 255
    elif kind < 0.75:
        _draw_ellipses(rng, mask, int(rng.integers(8, 40)), 0.06, 0.2)
    else:
        _draw_twigs(rng, mask)
    rgb: NDArray[np.uint8] = backgrounds.crop(rng, size)
    if rng.random() < 0.4:
        rgb = backgrounds.choose_sign_colour(rng).astype(np.uint8)[None, None]
    return Layer(rgb, mask, np.zeros_like(mask))


def _stripes(rng: Generator, height: int, width: int) -> Mask:
    period = rng.uniform(3, max(4.0, width / 4))
    xs = np.arange(width) / period + rng.uniform(-0.5, 0.5) * np.arange(height)[:, None] / period
    return np.where(xs % 1 < rng.uniform(0.2, 0.8), 255, 0).astype(np.uint8)


def _fence(rng: Generator, height: int, width: int) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    step, thickness = int(rng.integers(5, 24)), int(rng.integers(1, 5))
    for x in range(0, width, step):
        mask[:, x : x + thickness] = 255
    for y in rng.integers(0, height, 2):
        mask[y : y + thickness] = 255
    return mask


def _bricks(rng: Generator, height: int, width: int) -> Mask:
    rows, columns = int(rng.integers(5, 24)), int(rng.integers(10, 60))
    ys, xs = np.mgrid[0:height, 0:width]
    xs = xs + (ys // rows % 2) * (columns // 2)
    joint = max(1, rows // 8)
    return np.where((ys % rows < joint) | (xs % columns < joint), 0, 255).astype(np.uint8)


def _windows(rng: Generator, height: int, width: int) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    rows, columns = int(rng.integers(8, 50)), int(rng.integers(8, 40))
    fill_y, fill_x = rng.uniform(0.3, 0.85, 2)
    for y in range(2, height, rows):
        for x in range(2, width, columns):
            mask[y : y + max(2, int(rows * fill_y)), x : x + max(2, int(columns * fill_x))] = 255
    return mask


def _draw_ellipses(rng: Generator, mask: Mask, count: int, low: float, high: float) -> None:
    height, width = mask.shape
    for _ in range(count):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (
            max(1, int(rng.uniform(low, high) * height)),
            max(1, int(rng.uniform(low, high) * height * 0.5)),
        )
        cv2.ellipse(mask, centre, axes, float(rng.uniform(0, 180)), 0, 360, 255, -1, cv2.LINE_AA)


def _leaves(rng: Generator, height: int, width: int) -> Mask:
    mask = np.zeros((height, width), np.uint8)
    _draw_ellipses(rng, mask, int(rng.integers(10, 60)), 0.02, 0.12)
    return mask


def _draw_twigs(rng: Generator, mask: Mask) -> None:
    height, width = mask.shape
    for _ in range(int(rng.integers(2, 7))):
        start = (int(rng.integers(width)), int(rng.integers(height)))
        end = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.line(mask, start, end, 255, int(rng.integers(1, max(2, height // 20) + 1)), cv2.LINE_AA)


def _barcode(rng: Generator, height: int, width: int) -> Mask:
    bars = np.repeat(rng.random(max(4, width // 2)) < 0.5, 2)[:width]
    bars = np.pad(bars, (0, width - len(bars)))
    return np.where(np.broadcast_to(bars, (height, width)), 255, 0).astype(np.uint8)


def _matrix_code(rng: Generator, height: int, width: int) -> Mask:
    cells = int(rng.integers(10, 26))
    grid = np.where(rng.random((cells, cells)) < 0.5, 255, 0).astype(np.uint8)
    return np.asarray(cv2.resize(grid, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _shapes(rng: Generator, height: int, width: int) -> Mask:
    """Draw arrows, rings, crosses and triangles in a row, like pictograms or ornaments."""
    mask = np.zeros((height, width), np.uint8)
    step = max(8, min(height, width // int(rng.integers(1, 7))))
    thickness = max(1, int(step * rng.uniform(0.05, 0.2)))
    for x in range(step // 2, width, step):
        reach, y = int(step * rng.uniform(0.2, 0.42)), height // 2
        kind = int(rng.integers(5))
        if kind == 0:
            cv2.circle(mask, (x, y), reach, 255, thickness if rng.random() < 0.6 else -1, cv2.LINE_AA)
        elif kind == 1:
            end = (x + int(rng.integers(-reach, reach + 1)), y + int(rng.integers(-reach, reach + 1)))
            cv2.arrowedLine(mask, (x - reach, y), end, 255, thickness, cv2.LINE_AA, tipLength=0.4)
        elif kind == 2:
            cv2.drawMarker(mask, (x, y), 255, int(rng.integers(0, 7)), 2 * reach, thickness, cv2.LINE_AA)
        elif kind == 3:
            cv2.rectangle(
                mask,
                (x - reach, y - reach),
                (x + reach, y + reach),
                255,
                thickness if rng.random() < 0.6 else -1,
            )
        else:
            corners = rng.uniform(-reach, reach, (int(rng.integers(3, 7)), 2)) + np.array([x, y])
            cv2.fillPoly(mask, [np.round(corners).astype(np.int32)], 255, cv2.LINE_AA)
    return mask


def _scribble(rng: Generator, height: int, width: int) -> Mask:
    """Draw a wavering line, as graffiti tails and cables are."""
    mask = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 4))):
        steps = rng.normal(0, 1, (40, 2)).cumsum(0)
        steps = (steps - steps.min(0)) / np.maximum(np.ptp(steps, axis=0), 1e-3) * (width - 1, height - 1)
        cv2.polylines(
            mask,
            [steps.astype(np.int32)],
            False,
            255,
            int(rng.integers(1, max(2, height // 16) + 1)),
            cv2.LINE_AA,
        )
    return mask


_PATTERNS: tuple[Pattern, ...] = (
    _stripes, _fence, _bricks, _windows, _leaves, _barcode, _matrix_code, _shapes, _shapes, _scribble,
)  # fmt: skip
