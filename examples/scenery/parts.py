"""What several scenes show: faces of signs, leaves, roses, shelves, screws."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from scenery import textures
from scenery.textures import Colour, Texture
from scenery.tracer import Solid, turned

GREENS = ((0.28, 0.37, 0.18), (0.36, 0.43, 0.21), (0.23, 0.32, 0.17), (0.44, 0.48, 0.26))
STONE = ((0.62, 0.59, 0.54), (0.56, 0.54, 0.50), (0.66, 0.63, 0.57))


def screws(rng: Generator, centre: tuple[float, float, float], size: tuple[float, float]) -> list[Solid]:
    """Return four screws, ``size`` apart."""
    metal = textures.plain((0.45, 0.43, 0.40), rng, 0.2)
    return [
        Solid((centre[0] + x * size[0], centre[1] + y * size[1], centre[2]), (0.009, 0.009, 0.006), metal)
        for x in (-0.5, 0.5)
        for y in (-0.5, 0.5)
    ]


def paint_face(
    rng: Generator, size: tuple[float, float], colour: Colour, px: float = 900, wear: float = 0.05
) -> Texture:
    """Return the painted face of a sign of ``size`` metres, at ``px`` pixels a metre."""
    shape = (round(size[1] * px), round(size[0] * px))
    stains = 1 + wear * textures.noise(rng, shape, (shape[0], shape[0] / 1.5), 6)
    return Texture((textures.linear(colour) * np.clip(stains, 0.3, 1.6)[..., None]).astype(np.float32))


def paint_border(base: Texture, colour: Colour, inset: float, width: float) -> Texture:
    """Paint a line along the edge; both widths in shares of the height."""
    rows, columns = base.colour.shape[:2]
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    edge = np.minimum(np.minimum(x, columns - x), np.minimum(y, rows - y)) / rows
    line = np.clip((edge - inset) * rows, 0, 1) * np.clip((inset + width - edge) * rows, 0, 1)
    painted = base.colour * (1 - line[..., None]) + textures.linear(colour) * line[..., None]
    return replace(base, colour=painted.astype(np.float32))


def hang_branches(
    rng: Generator,
    centre: tuple[float, float, float],
    size: tuple[float, float],
    leaves: int,
    turn: NDArray[np.float32],
) -> Solid:
    """Return branches between the sun and the scene, for the shadows of their leaves."""
    pixels = (round(size[1] * 220), round(size[0] * 220))
    card = textures.foliage(rng, pixels, leaves, 24, GREENS)
    return Solid(centre, (*size, 0), card, turn, cut_out=True)


def make_rose(rng: Generator, place: tuple[float, float, float]) -> Solid:
    """Return a rose, red or pale."""
    colours = (((0.85, 0.25, 0.33), (0.90, 0.40, 0.45)), ((0.95, 0.85, 0.80), (0.93, 0.72, 0.72)))
    card = textures.foliage(rng, (60, 60), 90, 14, colours[int(rng.integers(2))])
    y, x = np.mgrid[0:60, 0:60]
    assert card.alpha is not None
    card = replace(card, alpha=card.alpha * (np.hypot(x - 30, y - 30) < 27))
    return Solid(place, (0.11, 0.11, 0), card, turned(rng.normal(0, 25), rng.normal(-10, 20)), cut_out=True)


def round_foliage(rng: Generator, size: tuple[int, int], leaves: int, length: float = 34) -> Texture:
    """Return the leaves of a round bush or tree."""
    card = textures.foliage(rng, size, leaves, length, GREENS)
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    ragged = 1 + 0.12 * textures.noise(rng, size, (60, 60), 3)
    assert card.alpha is not None
    return replace(card, alpha=card.alpha * (np.hypot(x / size[1] - 0.5, y / size[0] - 0.5) < 0.46 * ragged))


def grow_bush(
    rng: Generator, middle: tuple[float, float, float], size: tuple[float, float], leaves: int
) -> list[Solid]:
    """Return a bush of ``size`` (width, height) metres: cards one behind the other, turned like a fan."""
    x, y, z = middle
    pixels = (round(500 * size[1]), round(500 * size[0]))
    return [
        Solid(
            (x, y, z + 0.08 * k), (*size, 0), round_foliage(rng, pixels, leaves), turned(26 * k), cut_out=True
        )
        for k in range(-2, 3)
    ]


def ragged_foliage(rng: Generator, size: tuple[int, int], leaves: int, length: float = 30) -> Texture:
    """Return the leaves of a row of plants, uneven above."""
    card = textures.foliage(rng, size, leaves, length, GREENS)
    y, x = np.mgrid[0 : size[0], 0 : size[1]]
    edge = 0.35 + 0.16 * textures.noise(rng, size, (size[0], 90), 3)
    assert card.alpha is not None
    return replace(card, alpha=card.alpha * (y / size[0] > edge) * (np.abs(x / size[1] - 0.5) < 0.49))


def paint_shop(rng: Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """Paint what is seen through a window: shelves with loaves under warm lamps, out of focus."""
    height, width = size
    picture = np.full((height, width, 3), textures.linear((0.30, 0.23, 0.18)), np.float32)
    for shelf in (0.42, 0.64, 0.86):
        top = int(shelf * height)
        cv2.rectangle(
            picture, (20, top), (int(0.57 * width), top + 9), textures.linear((0.45, 0.33, 0.24)).tolist(), -1
        )
        x = 40.0
        while x < 0.53 * width:
            across, tall = rng.uniform(26, 60), rng.uniform(16, 44)
            crust = textures.linear(
                (rng.uniform(0.5, 0.72), rng.uniform(0.34, 0.46), rng.uniform(0.18, 0.26))
            )
            middle, axes = (int(x + across / 2), top - int(tall / 2)), (int(across / 2), int(tall / 2))
            cv2.ellipse(picture, middle, axes, 0, 0, 360, crust.tolist(), -1)
            cv2.ellipse(
                picture,
                (middle[0], middle[1] - axes[1] // 3),
                (axes[0] * 2 // 3, axes[1] // 3),
                0,
                0,
                360,
                (crust * 1.5).tolist(),
                -1,
            )
            x += across * rng.uniform(0.75, 1.3)
    picture[:, int(0.6 * width) :] *= 0.6
    y, x_ = np.mgrid[0:height, 0:width].astype(np.float32)
    for lamp in (0.2, 0.42):
        reach = np.hypot((x_ - lamp * width) / 130, (y - 0.16 * height) / 300)
        picture = picture * (0.8 + 1.5 * np.exp(-(reach**2)))[..., None]
        cv2.circle(picture, (int(lamp * width), int(0.13 * height)), 9, (6.0, 4.6, 2.8), -1)
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 3), np.float32)


def paint_spines(rng: Generator, size: tuple[int, int]) -> Texture:
    """Paint a row of books: spines of many colours and heights with bands, and the dark above them."""
    height, width = size
    colour = np.full((height, width, 3), 0.006, np.float32)
    slope = np.zeros((height, width, 2), np.float32)
    palette = (
        (0.45, 0.15, 0.13),
        (0.16, 0.22, 0.36),
        (0.18, 0.30, 0.22),
        (0.72, 0.62, 0.44),
        (0.36, 0.24, 0.16),
        (0.83, 0.79, 0.70),
        (0.22, 0.20, 0.20),
    )
    left = 0
    while left < width - 12:
        thick, top = int(rng.uniform(18, 52)), int(height * rng.uniform(0.02, 0.3))
        right = min(left + thick, width)
        tone = textures.linear(palette[int(rng.integers(len(palette)))]) * np.exp(rng.normal(0, 0.2))
        colour[top:, left:right] = tone
        for band in rng.uniform(0.1, 0.9, int(rng.integers(0, 4))):
            row = int(top + band * (height - top))
            colour[row : row + int(rng.integers(2, 8)), left:right] = (
                textures.linear((0.78, 0.66, 0.38)) if tone.mean() < 0.2 else tone * 0.4
            )
        across = np.linspace(-1, 1, right - left)
        slope[top:, left:right, 0] = -0.5 * across**3
        colour[top:, left : left + 2] *= 0.25
        left = right + (int(rng.uniform(6, 30)) if rng.random() < 0.05 else 0)
    worn = np.clip(1 + 0.14 * textures.noise(rng, size, (60, 20), 5), 0.4, 1.6)
    return Texture((colour * worn[..., None]).astype(np.float32), slope=slope)
