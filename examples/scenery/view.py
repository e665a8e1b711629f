"""A view: what stands where, under which light, before which camera; and the sky."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from scenery import textures
from scenery.camera import Camera
from scenery.textures import Colour
from scenery.tracer import Light, Rays, Solid, World
from stsearch.types import Image, Scene, WordLabel

Fonts = Callable[[str], Path]  # the file of a font's name


@dataclass(frozen=True, eq=False)
class View:
    """Solids under a light before a camera."""

    solids: list[Solid]
    light: Light
    camera: Camera

    def photograph(self, rng: Generator, samples: int) -> Scene:
        """Return the photograph with the words on its faces."""
        image: Image = self.camera.expose(World(self.solids, self.light), rng, samples)
        words = [
            WordLabel(self.camera.project(_on_face(solid, polygon)), text, legible=True)
            for solid in self.solids
            if solid.face is not None
            for text, polygon in solid.face.words
        ]
        return Scene(image, tuple(words))


def _on_face(solid: Solid, polygon: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (P, 3) places of shares of the front of a solid."""
    flat = (polygon - 0.5) * (solid.size[0], -solid.size[1])
    local = np.column_stack([flat, np.full(len(flat), solid.size[2] / 2)])
    return np.asarray(solid.to_world(local.T.astype(np.float32)).T + solid.centre, np.float64)


def sky(
    zenith: Colour, horizon: Colour, strength: float, street: Colour | None = (0.42, 0.38, 0.34)
) -> Callable[[Rays], Rays]:
    """Return the light of a sky, with clouds and the houses over the street, which windows mirror."""
    top, low = (textures.linear(c)[:, None] * np.float32(strength) for c in (zenith, horizon))
    rng = np.random.default_rng(5)
    clouds = np.clip(textures.noise(rng, (512, 1024), (150, 200), 6, 0.55) * 0.8 - 0.1, 0, 1)
    roofs = 0.36 + 0.12 * np.repeat(rng.random(48), 8)
    houses = textures.linear(street)[:, None] * np.float32(0.6 * strength) if street else None

    def light(direction: Rays) -> Rays:
        rise = np.clip(direction[1], -1, 1)
        share = np.clip(rise, 0, 1) ** np.float32(0.45)
        seen = low * (1 - share) + top * share
        flat = np.hypot(direction[0], direction[2]) + 1e-6
        height = np.clip(rise / flat, 0, 3)
        turn = np.arctan2(direction[0], direction[2]) / (2 * np.pi) + 0.5
        row = np.clip(height / 3 * 511, 0, 511).astype(int)
        cloud = clouds[row, np.clip(turn * 1023, 0, 1023).astype(int)] * np.clip(height * 3, 0, 1)
        seen = seen + (textures.linear((1, 0.98, 0.95))[:, None] * strength * 1.1 - seen) * cloud * 0.8
        if houses is not None:
            house = np.clip(turn * 384, 0, 383).astype(int)
            below = (direction[2] > 0) & (height < roofs[house])
            floors = (np.floor(height * 22) % 3 == 1) & (np.floor(turn * 400) % 3 == 1)
            seen[:, below] = (houses * np.where(floors, 0.35, 1.0)[None])[:, below]
        return np.asarray(np.where(rise < 0, low * 0.22, seen), np.float32)

    return light
