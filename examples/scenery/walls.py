"""Signs on walls: a street name, a hotel at night, a bookstall."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from scenery import textures
from scenery.camera import Camera
from scenery.parts import (
    STONE,
    hang_branches,
    paint_border,
    paint_face,
    paint_spines,
    screws,
)
from scenery.textures import Texture, Writing
from scenery.tracer import Light, Solid, turned
from scenery.view import Fonts, View, sky

RED_BRICKS = ((0.55, 0.30, 0.23), (0.60, 0.34, 0.25), (0.48, 0.27, 0.22), (0.63, 0.40, 0.30))


def street_name(rng: Generator, fonts: Fonts) -> View:
    """An enamel plate on a brick wall, in the shadow of a tree."""
    wall = Solid((0, 2, -0.15), (8, 6, 0.3), textures.brick(rng, RED_BRICKS))
    size = (0.80, 0.24)
    face = paint_border(paint_face(rng, size, (0.10, 0.20, 0.42), wear=0.05), (0.95, 0.95, 0.92), 0.05, 0.035)
    face = textures.write(
        face, Writing(("GARDEN STREET",), fonts("Arimo-Bold"), (0.95, 0.95, 0.92), width=0.84, height=0.42)
    )
    plate = Solid(
        (0, 2.0, 0.012), (*size, 0.012), textures.plain((0.05, 0.12, 0.3), rng), face=face, gloss=0.04
    )
    sill = Solid((1.02, 1.62, 0.05), (0.9, 0.09, 0.16), textures.plaster(rng, (0.78, 0.75, 0.69)))
    lintel = Solid((1.02, 2.9, 0.0), (0.9, 0.2, 0.03), textures.plaster(rng, (0.76, 0.73, 0.67)))
    frame = [
        Solid((0.63, 2.25, 0.0), (0.06, 1.2, 0.05), textures.plain((0.9, 0.9, 0.87), rng)),
        Solid((1.02, 2.25, 0.005), (0.8, 0.04, 0.04), textures.plain((0.9, 0.9, 0.87), rng)),
    ]
    glass = Solid((1.05, 2.25, -0.02), (0.85, 1.2, 0.06), textures.plain((0.06, 0.07, 0.08), rng), gloss=0.12)
    pipe = [
        Solid((-0.92 + 0.012 * k, 2, 0.07), (0.012, 6, d), textures.plain((0.13, 0.14, 0.14), rng, 0.12))
        for k, d in zip(range(-3, 4), (0.03, 0.06, 0.075, 0.08, 0.075, 0.06, 0.03), strict=True)
    ]
    clamp = Solid((-0.92, 2.28, 0.07), (0.14, 0.05, 0.11), textures.plain((0.12, 0.13, 0.13), rng, 0.15))
    to_sun = (-0.55, 0.75, 0.62)
    tree = [
        hang_branches(rng, place, (2.0, 1.5), 60, turned(-41, -42))
        for place in ((-2.1, 4.55, 1.7), (-0.7, 4.3, 2.0))
    ]
    light = Light(to_sun, (2.9, 2.6, 2.15), sky((0.36, 0.52, 0.78), (0.72, 0.78, 0.84), 1.0))
    camera = Camera((-0.42, 1.72, 1.9), (0.03, 2.03, 0.0), 1.15, aperture=0.008, exposure=1.25, roll=-1.2)
    return View(
        [
            wall,
            plate,
            *screws(rng, (0, 2.0, 0.02), (0.74, 0.185)),
            sill,
            lintel,
            *frame,
            glass,
            *pipe,
            clamp,
            *tree,
        ],
        light,
        camera,
    )


def hotel(rng: Generator, fonts: Fonts) -> View:
    """A lit box on a wall at night, above a window where somebody is still up."""
    wall = Solid(
        (0, 3, -0.2),
        (14, 9, 0.4),
        textures.brick(rng, ((0.62, 0.46, 0.38), (0.57, 0.42, 0.35), (0.66, 0.50, 0.42))),
    )
    size = (1.5, 0.44)
    face = paint_face(rng, size, (0.98, 0.93, 0.82), 600, 0.02)
    face = textures.write(
        face,
        Writing(("HOTEL",), fonts("Arimo-Bold"), (0.72, 0.06, 0.08), width=0.78, height=0.58, tracking=0.1),
    )
    steel = textures.plain((0.10, 0.10, 0.11), rng)
    box = Solid((0, 2.95, 0.17), (*size, 0.22), steel, face=face, glow=2.2)
    rim = [Solid((0, 2.95 + y, 0.18), (1.58, 0.04, 0.26), steel) for y in (-0.24, 0.24)]
    rim += [Solid((x, 2.95, 0.18), (0.04, 0.5, 0.26), steel) for x in (-0.77, 0.77)]
    white = textures.plain((0.80, 0.78, 0.74), rng)
    room = np.full((240, 300, 3), textures.linear((0.85, 0.58, 0.30)), np.float32)
    y, x = np.mgrid[0:240, 0:300].astype(np.float32)
    room *= (0.35 + 1.1 * np.exp(-(((x - 190) / 90) ** 2 + ((y - 90) / 90) ** 2)))[..., None]
    curtain = 0.75 + 0.25 * np.sin(x / 5 + 2 * textures.noise(rng, (240, 300), (240, 40), 2))
    drawn = (x < 88) | (x > 246)
    room = np.where(drawn[..., None], room * (0.55 * curtain)[..., None], room).astype(np.float32)
    window, dark = [], Texture(np.full((8, 8, 3), 0.01, np.float32))
    for place, glow, view in ((-0.75, 1.1, Texture(room)), (0.85, 0.0, dark)):
        window.append(Solid((place, 1.65, 0.0), (0.86, 1.15, 0.03), steel, face=view, glow=glow, gloss=0.08))
        window += [Solid((place + dx, 1.65, 0.03), (0.05, 1.2, 0.06), white) for dx in (-0.43, 0, 0.43)]
        window += [Solid((place, 1.65 + dy, 0.03), (0.9, 0.05, 0.06), white) for dy in (-0.58, 0.15, 0.58)]
        window.append(
            Solid((place, 1.02, 0.06), (1.05, 0.08, 0.18), textures.plaster(rng, (0.6, 0.57, 0.52)))
        )
    light = Light((-0.55, 0.5, 0.9), (0.20, 0.145, 0.08), sky((0.20, 0.27, 0.46), (0.42, 0.42, 0.50), 1.3))
    camera = Camera(
        (-1.0, 1.55, 3.9),
        (0.0, 2.35, 0.1),
        1.3,
        aperture=0.012,
        exposure=1.5,
        grain=0.018,
        bloom=0.16,
        roll=0.8,
    )
    return View([wall, box, *rim, *window], light, camera)


def old_books(rng: Generator, fonts: Fonts) -> View:
    """Shelves of books against a stone wall, and a board above them."""
    wall = Solid(
        (0, 2, -0.3),
        (10, 6, 0.4),
        textures.courses(rng, STONE, (0.58, 0.55, 0.49), textures.BLOCKS),
    )
    size = (1.1, 0.3)
    face = paint_face(rng, size, (0.42, 0.13, 0.12), 800, 0.12)
    face = textures.write(
        face, Writing(("OLD BOOKS",), fonts("Arvo-Bold"), (0.93, 0.86, 0.68), width=0.84, height=0.5)
    )
    board = Solid(
        (0, 2.03, 0.14),
        (*size, 0.03),
        textures.planks(rng, (0.35, 0.13, 0.1), 3, 0.1),
        turned(0, -4, 0.8),
        face=face,
    )
    wood = textures.planks(rng, (0.45, 0.32, 0.20), 3, 0.15, gap=0)
    shelves = [Solid((0, y, 0.03), (2.5, 0.03, 0.28), wood) for y in (0.72, 1.12, 1.52, 1.84)]
    shelves += [Solid((x, 1.2, 0.03), (0.035, 1.35, 0.28), wood) for x in (-1.26, 0.42, 1.26)]
    rows = [
        Solid((0, y + 0.155, -0.0), (2.46, 0.29, 0.2), wood, face=paint_spines(rng, (260, 2200)), gloss=0.02)
        for y in (0.735, 1.135)
    ]
    rows.append(
        Solid(
            (0, 1.535 + 0.125, -0.0), (2.46, 0.23, 0.2), wood, face=paint_spines(rng, (210, 2200)), gloss=0.02
        )
    )
    light = Light((-0.5, 0.75, 1.0), (2.6, 2.25, 1.8), sky((0.40, 0.55, 0.80), (0.76, 0.80, 0.84), 1.0))
    camera = Camera((0.75, 1.5, 2.6), (0.02, 1.68, 0.1), 1.2, aperture=0.014, exposure=1.25, roll=-0.7)
    return View([wall, board, *shelves, *rows], light, camera)
