"""Signs on posts: in a garden and at a road."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from scenery import textures
from scenery.camera import Camera
from scenery.parts import (
    GREENS,
    make_rose,
    paint_border,
    paint_face,
    ragged_foliage,
    round_foliage,
)
from scenery.textures import Texture, Writing
from scenery.tracer import Light, Solid
from scenery.view import Fonts, View, sky


def rose_garden(rng: Generator, fonts: Fonts) -> View:
    """A wooden sign before a hedge."""
    size = (0.95, 0.36)
    wood = textures.planks(rng, (0.50, 0.36, 0.23), across=6, plank_m=0.125)
    shape = (round(size[1] * 900), round(size[0] * 900))
    rows, columns = np.mgrid[0 : shape[0], 0 : shape[1]]
    colour, slope = wood.tiled(columns.ravel() / 900, -rows.ravel() / 900)
    face = Texture(colour.T.reshape(*shape, 3), slope=slope.T.reshape(*shape, 2))
    wear = 0.5 + 0.28 * textures.noise(rng, shape, (12, 60), 4)
    face = textures.write(
        face,
        Writing(
            ("ROSE", "GARDEN"), fonts("Bitter-Bold"), (0.93, 0.91, 0.84), width=0.8, height=0.68, leading=1.05
        ),
        wear,
    )
    board = Solid((0, 1.0, 0.03), (*size, 0.03), wood, face=face)
    post_wood = textures.planks(rng, (0.40, 0.30, 0.20), across=4, plank_m=0.2, upright=True, gap=0)
    posts = [Solid((x, 0.6, -0.025), (0.075, 1.3, 0.075), post_wood) for x in (-0.36, 0.36)]
    hedge = _grow_hedge(rng)
    lawn = Solid(
        (0, -0.05, 0),
        (12, 0.1, 12),
        textures.courses(
            rng,
            ((0.26, 0.36, 0.14), (0.3, 0.38, 0.15)),
            (0.2, 0.27, 0.1),
            textures.TURF,
        ),
    )
    grass = [
        Solid(
            (0, 0.06, 0.5 - 0.25 * k),
            (5, 0.22, 0),
            textures.foliage(rng, (70, 1600), 900, 40, GREENS),
            cut_out=True,
        )
        for k in range(7)
    ]
    light = Light((0.7, 0.8, 0.55), (3.0, 2.6, 2.0), sky((0.40, 0.56, 0.80), (0.75, 0.80, 0.84), 1.0, None))
    camera = Camera((-0.35, 1.12, 2.1), (0.02, 0.97, 0.04), 1.12, aperture=0.018, exposure=1.35, warmth=0.02)
    return View([board, *posts, *hedge, lawn, *grass], light, camera)


def _grow_hedge(rng: Generator) -> list[Solid]:
    """Return a hedge with roses in it: layers of leaves, the deeper the darker."""
    hedge = [
        Solid(
            (0, 0.8, -1.2 - 0.22 * k),
            (6, 2.6, 0),
            textures.foliage(rng, (900, 2100), 5200, 30, GREENS, 1 - 0.12 * k),
            cut_out=True,
        )
        for k in range(4)
    ]
    dark = Solid((0, 0.8, -2.4), (8, 3, 0.1), textures.plain((0.10, 0.13, 0.06), rng, 0.3))
    roses = []
    for _ in range(22):
        x, y, z = rng.uniform(-2.2, 2.2), rng.uniform(0.1, 1.9), rng.uniform(-1.25, -1.02)
        roses.append(make_rose(rng, (x, y, z)))
    return [*hedge, dark, *roses]


def harbour(rng: Generator, fonts: Fonts) -> View:
    """A road sign under the sky."""
    size = (2.4, 1.0)
    face = paint_border(paint_face(rng, size, (0.10, 0.34, 0.22), 420, 0.05), (0.94, 0.94, 0.92), 0.04, 0.03)
    face = textures.write(
        face,
        Writing(
            ("HARBOUR", "BRIDGE"),
            fonts("Arimo-Bold"),
            (0.94, 0.94, 0.92),
            width=0.8,
            height=0.62,
            leading=1.1,
        ),
    )
    grey = textures.plain((0.50, 0.51, 0.52), rng, 0.1)
    plate = Solid((0, 3.1, 0), (*size, 0.03), grey, face=face, gloss=0.03)
    posts = [Solid((x, 1.5, -0.08), (0.10, 4.2, 0.10), grey) for x in (-0.75, 0.75)]
    ground = Solid(
        (0, -0.1, -20),
        (200, 0.2, 120),
        textures.courses(
            rng,
            ((0.40, 0.44, 0.24), (0.36, 0.42, 0.22)),
            (0.3, 0.36, 0.18),
            textures.TURF,
        ),
    )
    trees = [
        Solid((x, h * 0.42, z), (h * 1.1, h, 0), round_foliage(rng, (700, 720), 8000, 16), cut_out=True)
        for x, h, z in (
            (-9, 6, -16),
            (-5, 4.6, -18),
            (-13, 7, -15),
            (7.5, 5.4, -17),
            (12, 6.6, -15),
            (2.6, 3.4, -24),
            (-1.5, 3.2, -25),
            (4.6, 3.8, -23),
        )
    ]
    bushes = [
        Solid((0, 0.8, -13 - k), (40, 2.6, 0), ragged_foliage(rng, (200, 3000), 8000, 13), cut_out=True)
        for k in range(2)
    ]
    light = Light((-0.5, 0.8, 0.9), (2.8, 2.5, 2.1), sky((0.30, 0.50, 0.82), (0.74, 0.82, 0.90), 1.0, None))
    camera = Camera((-0.9, 1.5, 4.4), (0.1, 2.85, 0), 1.15, aperture=0.012, exposure=1.15, roll=-1.0)
    return View([plate, *posts, ground, *trees, *bushes], light, camera)
