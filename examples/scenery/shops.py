"""Shop fronts and what stands before them."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from scenery import textures
from scenery.camera import Camera
from scenery.parts import (
    STONE,
    grow_bush,
    make_rose,
    paint_border,
    paint_face,
    paint_shop,
    ragged_foliage,
)
from scenery.textures import Texture, Writing
from scenery.tracer import Light, Solid, turned
from scenery.view import Fonts, View, sky

BEECH = (0.55, 0.36, 0.20)


def bakery(rng: Generator, fonts: Fonts) -> View:
    """A shop front with gilded letters."""
    green = (0.10, 0.22, 0.17)
    paint = textures.plain(green, rng, 0.07)
    size = (3.3, 0.52)
    face = paint_face(rng, size, green, px=400, wear=0.06)
    face = textures.write(
        face,
        Writing(("BAKERY",), fonts("Arvo-Bold"), (0.90, 0.74, 0.40), width=0.7, height=0.56, tracking=0.12),
    )
    fascia = Solid((0, 2.75, 0.13), (*size, 0.1), paint, face=face, gloss=0.03)
    cornice = [
        Solid((0, 3.05, 0.16), (3.5, 0.08, 0.26), paint, gloss=0.03),
        Solid((0, 3.10, 0.19), (3.58, 0.03, 0.34), paint, gloss=0.03),
        Solid((0, 2.46, 0.15), (3.4, 0.05, 0.18), paint, gloss=0.03),
    ]
    wall = Solid(
        (0, 3.5, -0.2),
        (14, 7.4, 0.3),
        textures.brick(rng, ((0.70, 0.58, 0.45), (0.66, 0.55, 0.43), (0.74, 0.63, 0.50))),
    )
    piers = [Solid((x, 1.25, 0.08), (0.22, 2.5, 0.2), paint, gloss=0.03) for x in (-1.6, 0.45, 1.6)]
    plinth = Solid((-0.58, 0.28, 0.07), (1.85, 0.55, 0.14), paint, gloss=0.03)
    mullion = Solid((-0.58, 1.5, 0.05), (0.05, 1.95, 0.06), paint)
    transom = Solid((-0.58, 2.05, 0.05), (1.85, 0.05, 0.06), paint)
    door = Solid((1.03, 0.5, 0.0), (0.95, 1.0, 0.06), paint, gloss=0.03)
    door_frame = [Solid((x, 1.2, 0.0), (0.1, 2.4, 0.07), paint) for x in (0.6, 1.46)]
    door_frame.append(Solid((1.03, 2.2, 0.0), (0.95, 0.1, 0.07), paint))
    handle = Solid((0.72, 1.08, 0.06), (0.025, 0.22, 0.03), textures.plain((0.75, 0.6, 0.3), rng), gloss=0.4)
    inside = Texture(paint_shop(rng, (500, 850)))
    back = Solid((-0.2, 1.45, -0.04), (3.3, 2.0, 0.02), paint, face=inside, gloss=0.14, glow=0.35)
    pavement = Solid(
        (0, -0.05, 3),
        (16, 0.1, 6),
        textures.courses(rng, STONE, (0.35, 0.33, 0.30), textures.SLABS),
    )
    pot = Solid((-2.05, 0.25, 0.45), (0.42, 0.5, 0.42), textures.plaster(rng, (0.60, 0.36, 0.26)))
    plant = grow_bush(rng, (-2.05, 0.95, 0.45), (0.95, 1.15), 520)
    light = Light((0.75, 0.95, 0.85), (2.6, 2.35, 2.0), sky((0.36, 0.52, 0.78), (0.74, 0.79, 0.84), 1.0))
    camera = Camera((-1.5, 1.62, 5.4), (-0.12, 1.98, 0.1), 1.18, aperture=0.012, exposure=1.35, roll=0.6)
    front = [fascia, *cornice, *piers, plinth, mullion, transom, door, *door_frame, handle, back]
    return View([wall, *front, pavement, pot, *plant], light, camera)


def garden_cafe(rng: Generator, fonts: Fonts) -> View:
    """A painted board over a striped awning."""
    wall = Solid((0, 3, -0.2), (14, 8, 0.4), textures.plaster(rng, (0.86, 0.80, 0.68), 0.06))
    size = (2.3, 0.46)
    face = paint_border(paint_face(rng, size, (0.93, 0.90, 0.82), 500, 0.03), (0.22, 0.36, 0.24), 0.06, 0.03)
    face = textures.write(
        face, Writing(("Garden Café",), fonts("Bitter-Bold"), (0.16, 0.32, 0.20), width=0.82, height=0.56)
    )
    board = Solid((0, 3.02, 0.05), (*size, 0.05), textures.plain((0.2, 0.33, 0.22), rng), face=face)
    stripes = np.where((np.arange(690) // 69) % 2, 1.0, 0.0)[None, :, None]
    cloth = textures.linear((0.24, 0.42, 0.28)) * stripes + textures.linear((0.92, 0.90, 0.84)) * (
        1 - stripes
    )
    folds = 1 + 0.06 * textures.noise(rng, (230, 690), (120, 40), 3)
    striped = Texture(np.asarray(np.broadcast_to(cloth, (230, 690, 3)) * folds[..., None], np.float32), 2.76)
    awning = Solid((0, 2.42, 0.42), (2.76, 0.98, 0.02), striped, turned(0, -58), face=striped)
    valance = Solid((0, 2.07, 0.835), (2.76, 0.16, 0.012), striped, face=striped)
    white = textures.plain((0.88, 0.87, 0.83), rng)
    frame = [Solid((x, 1.35, 0.03), (0.07, 1.7, 0.08), white) for x in (-1.12, -0.38, 0.38, 1.12)]
    frame += [Solid((0, y, 0.03), (2.3, 0.07, 0.08), white) for y in (0.55, 2.18)]
    inside = Texture(paint_shop(rng, (500, 850)))
    glass = Solid((0, 1.36, 0.0), (2.3, 1.65, 0.03), white, face=inside, gloss=0.16, glow=0.25)
    sill = Solid((0, 0.48, 0.08), (2.5, 0.08, 0.2), textures.plaster(rng, (0.74, 0.71, 0.65)))
    trough = Solid((0, 0.63, 0.26), (2.2, 0.24, 0.22), textures.planks(rng, (0.42, 0.30, 0.20), 3, 0.09))
    plants = [
        Solid((0, 0.92, 0.18 + 0.06 * k), (2.2, 0.48, 0), ragged_foliage(rng, (220, 1000), 520), cut_out=True)
        for k in range(4)
    ]
    blooms = [
        make_rose(rng, (rng.uniform(-1, 1), rng.uniform(0.82, 1.06), rng.uniform(0.36, 0.40)))
        for _ in range(16)
    ]
    light = Light((-0.6, 0.95, 0.9), (2.7, 2.35, 1.9), sky((0.38, 0.54, 0.80), (0.76, 0.80, 0.84), 1.0))
    camera = Camera((1.15, 1.65, 4.9), (0.02, 2.2, 0.2), 1.22, aperture=0.012, exposure=1.15, roll=0.5)
    return View([wall, board, awning, valance, *frame, glass, sill, trough, *plants, *blooms], light, camera)


def _chalk_menu(rng: Generator, fonts: Fonts, size: tuple[float, float]) -> Texture:
    """Return a blackboard of ``size`` metres with words in chalk."""
    face = paint_face(rng, size, (0.11, 0.12, 0.12), wear=0.22)
    chalk = 0.72 + 0.3 * textures.noise(rng, face.colour.shape[:2], (4, 4), 2)
    font, cream, ochre = fonts("Cabin-Bold"), (0.93, 0.92, 0.86), (0.93, 0.78, 0.48)
    face = textures.write(face, Writing(("FRESH", "COFFEE"), font, cream, (0.5, 0.36), 0.8, 0.42), chalk)
    return textures.write(face, Writing(("and warm cake",), font, ochre, (0.5, 0.76), 0.76, 0.12), chalk)


def _easel(rng: Generator, fonts: Fonts) -> list[Solid]:
    """Return a framed blackboard that leans on another."""
    size = (0.56, 0.84)
    lean = turned(14, -13)
    wood = textures.planks(rng, BEECH, across=4, plank_m=0.2, gap=0)

    def at(x: float, y: float) -> tuple[float, float, float]:
        moved = lean @ (x, y, 0)
        return float(moved[0]), float(moved[1]) + 0.47, float(moved[2])

    black = textures.plain((0.1, 0.1, 0.1), rng)
    board = Solid(at(0, 0), (*size, 0.02), black, lean, face=_chalk_menu(rng, fonts, size))
    sides = [
        Solid(at(x, -0.02), (0.05, 1.0, 0.045), textures.planks(rng, BEECH, 4, 0.2, True, 0), lean)
        for x in (-0.305, 0.305)
    ]
    bars = [Solid(at(0, y), (0.66, 0.05, 0.045), wood, lean) for y in (0.445, -0.445)]
    behind = Solid((-0.06, 0.46, -0.23), (0.62, 0.95, 0.03), wood, turned(14, 13))
    return [board, *sides, *bars, behind]


def chalkboard(rng: Generator, fonts: Fonts) -> View:
    """A board on the pavement before a plastered wall."""
    easel = _easel(rng, fonts)
    wall = Solid((0, 2, -1.35), (12, 6, 0.3), textures.plaster(rng, (0.80, 0.66, 0.50), 0.08))
    base = Solid((0, 0.12, -1.18), (12, 0.36, 0.06), textures.plaster(rng, (0.46, 0.42, 0.38), 0.1))
    pavement = Solid(
        (0, -0.05, 3),
        (16, 0.1, 9),
        textures.courses(rng, STONE, (0.33, 0.31, 0.28), textures.SETTS),
    )
    door = [
        Solid(
            (1.15, 1.0, -1.19),
            (0.95, 2.3, 0.05),
            textures.planks(rng, (0.16, 0.30, 0.36), 8, 0.12, True, 0.006),
        ),
        *[
            Solid((x, 1.0, -1.16), (0.1, 2.4, 0.1), textures.plaster(rng, (0.72, 0.69, 0.62)))
            for x in (0.62, 1.68)
        ],
    ]
    pot = Solid((-0.85, 0.17, -0.95), (0.32, 0.34, 0.32), textures.plaster(rng, (0.62, 0.36, 0.25)))
    plant = grow_bush(rng, (-0.85, 0.68, -0.95), (0.7, 0.8), 330)
    light = Light((-0.8, 0.85, 0.75), (3.2, 2.7, 2.0), sky((0.38, 0.54, 0.80), (0.76, 0.80, 0.84), 1.0))
    camera = Camera(
        (0.35, 1.12, 2.5), (-0.02, 0.55, 0.0), 1.25, aperture=0.03, exposure=1.1, warmth=0.02, roll=-0.8
    )
    return View([*easel, wall, base, pavement, *door, pot, *plant], light, camera)
