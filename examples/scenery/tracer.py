"""Rays through boxes and cut-out cards: what they meet, and how sun, sky and reflections light it.

Metres, x to the right, y up, z towards the photographer. Rays are (3, N) float32. Colours are linear.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from scenery.textures import Texture

Rays = NDArray[np.float32]  # (3, N)
Values = NDArray[np.float32]  # (N,)

_NEAR = 1e-3  # metres; a ray does not meet the surface that it leaves
_SUN_RADIUS = 0.0045  # radians; softens the edges of shadows as haze does
_CHUNK = 1 << 16  # rays at once, so that they fit the cache


@dataclass(frozen=True, eq=False)
class Solid:
    """A box, or a flat card in the shape of the alpha of its texture, seen from both sides."""

    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    texture: Texture
    turn: NDArray[np.float32] | None = None  # columns: its own axes in the world; None: those of the world
    face: Texture | None = None  # fills the side towards +z
    gloss: float = 0.0  # reflectance at right angles; 0: none
    glow: float = 0.0  # light it gives, in times of its colour
    cut_out: bool = False

    def to_local(self, rays: Rays) -> Rays:
        """Turn directions into the axes of the box."""
        return rays if self.turn is None else np.asarray(self.turn.T @ rays, np.float32)

    def to_world(self, rays: Rays) -> Rays:
        """Turn directions out of the axes of the box."""
        return rays if self.turn is None else np.asarray(self.turn @ rays, np.float32)


def turned(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> NDArray[np.float32]:
    """Return the axes of a solid turned by degrees: yaw to the left, pitch back, roll to the left."""
    y, p, r = np.deg2rad((yaw, pitch, roll))
    about_y = np.array([(np.cos(y), 0, np.sin(y)), (0, 1, 0), (-np.sin(y), 0, np.cos(y))])
    about_x = np.array([(1, 0, 0), (0, np.cos(p), -np.sin(p)), (0, np.sin(p), np.cos(p))])
    about_z = np.array([(np.cos(r), -np.sin(r), 0), (np.sin(r), np.cos(r), 0), (0, 0, 1)])
    return np.asarray(about_y @ about_x @ about_z, np.float32)


@dataclass(frozen=True, eq=False)
class Light:
    """Sun and sky."""

    to_sun: tuple[float, float, float]
    sun: tuple[float, float, float]  # irradiance over pi
    sky: Callable[[Rays], Rays]  # radiance of what lies in a direction


class World:
    """Solids under a light."""

    def __init__(self, solids: list[Solid], light: Light) -> None:
        """Take the solids as they are."""
        self._solids = solids
        self._light = light
        self._to_sun = np.array(light.to_sun, np.float32)[:, None] / np.float32(np.linalg.norm(light.to_sun))
        self._sun = np.array(light.sun, np.float32)[:, None]

    def radiance(self, origin: Rays, direction: Rays, rng: Generator) -> Rays:
        """Return the (3, N) light that comes back along rays."""
        seen = np.empty_like(direction)
        for start in range(0, direction.shape[1], _CHUNK):
            part = slice(start, start + _CHUNK)
            seen[:, part] = self._trace(origin[:, part], direction[:, part], rng, bounces=1)
        return seen

    def _trace(self, origin: Rays, direction: Rays, rng: Generator, bounces: int) -> Rays:
        distance, hit = self._nearest(origin, direction)
        seen = np.asarray(self._light.sky(direction), np.float32)
        for number in np.unique(hit[hit >= 0]):
            where = hit == number
            there = origin[:, where] + direction[:, where] * distance[where]
            seen[:, where] = self._shade(self._solids[number], there, direction[:, where], rng, bounces)
        return seen

    def _shade(self, solid: Solid, there: Rays, direction: Rays, rng: Generator, bounces: int) -> Rays:
        normal, flat, colour = _surface(solid, there, direction)
        start = there + flat * _NEAR
        towards = self._to_sun + rng.normal(0, _SUN_RADIUS, there.shape).astype(np.float32)
        facing = np.maximum((normal * self._to_sun).sum(0), 0) * ((flat * self._to_sun).sum(0) > 0)
        lit = np.zeros_like(facing)
        sunny = facing > 0
        if sunny.any():
            lit[sunny] = facing[sunny] * ~self._is_shaded(start[:, sunny], towards[:, sunny])
        light = self._sun * lit
        if bounces:
            light = light + self._trace(start, _scatter(normal, rng), rng, bounces - 1)
        else:
            light = light + 0.45 * self._light.sky(np.asarray(flat * 0.3 + ((0,), (0.8,), (0,)), np.float32))
        seen = colour * light + colour * np.float32(solid.glow)
        if solid.gloss and bounces:
            cosine = np.abs((direction * normal).sum(0))
            share = solid.gloss + (1 - solid.gloss) * (1 - cosine) ** 5
            mirrored = direction - 2 * (direction * normal).sum(0) * normal
            seen = seen * (1 - share) + share * self._trace(start, mirrored, rng, bounces - 1)
        return np.asarray(seen, np.float32)

    def _nearest(self, origin: Rays, direction: Rays) -> tuple[Values, NDArray[np.int32]]:
        best = np.full(direction.shape[1], np.inf, np.float32)
        hit = np.full(direction.shape[1], -1, np.int32)
        for number, solid in enumerate(self._solids):
            distance = _meet(solid, origin, direction)
            closer = distance < best
            best[closer] = distance[closer]
            hit[closer] = number
        return best, hit

    def _is_shaded(self, origin: Rays, direction: Rays) -> NDArray[np.bool_]:
        shaded = np.zeros(direction.shape[1], bool)
        for solid in self._solids:
            shaded |= np.isfinite(_meet(solid, origin, direction))
        return shaded


def _meet(solid: Solid, origin: Rays, direction: Rays) -> Values:
    """Return the distances at which rays enter the solid from outside; infinity where they miss."""
    start = solid.to_local(origin - np.array(solid.centre, np.float32)[:, None])
    along = solid.to_local(direction)
    with np.errstate(divide="ignore", invalid="ignore"):
        if solid.cut_out:
            distance = -start[2] / along[2]
            u = (start[0] + along[0] * distance) / np.float32(solid.size[0]) + np.float32(0.5)
            v = np.float32(0.5) - (start[1] + along[1] * distance) / np.float32(solid.size[1])
            inside = (u >= 0) & (u < 1) & (v >= 0) & (v < 1) & (distance > _NEAR)
            inside[inside] = solid.texture.is_opaque(u[inside], v[inside])
            return np.where(inside, distance, np.float32(np.inf))
        half = np.array(solid.size, np.float32)[:, None] / 2
        inverse = 1 / along
        reach = half * np.abs(inverse)
        middle = -start * inverse
        enter = (middle - reach).max(0)
        leave = (middle + reach).min(0)
        return np.where((enter < leave) & (enter > _NEAR), enter, np.float32(np.inf))


def _surface(solid: Solid, there: Rays, direction: Rays) -> tuple[Rays, Rays, Rays]:
    """Return the normals with and without relief, and the colours of points on a solid."""
    local = solid.to_local(there - np.array(solid.centre, np.float32)[:, None])
    half = np.array(solid.size, np.float32)[:, None] / 2
    if solid.cut_out:
        u, v = local[0] / solid.size[0] + 0.5, 0.5 - local[1] / solid.size[1]
        colour, slope = solid.texture.stretched(u, v)
        normal = np.zeros_like(local)
        normal[2] = 1
        flat = normal.copy()
        normal[:2] -= slope
        flip = np.sign(-(solid.to_local(direction)[2]))
        return _to_world(solid, normal * flip), _to_world(solid, flat * flip), colour
    axis = np.argmax(np.abs(local) - half, axis=0)
    count = np.arange(local.shape[1])
    sign = np.sign(local[axis, count])
    across = np.where(axis == 0, 2, 0)
    upwards = np.where(axis == 1, 2, 1)
    colour, slope = solid.texture.tiled(local[across, count], local[upwards, count])
    front = (axis == 2) & (sign > 0)
    if solid.face is not None and front.any():
        u, v = local[0, front] / solid.size[0] + 0.5, 0.5 - local[1, front] / solid.size[1]
        colour[:, front], slope[:, front] = solid.face.stretched(u, v)
    flat = np.zeros_like(local)
    flat[axis, count] = sign
    normal = flat.copy()
    normal[across, count] -= slope[0]
    normal[upwards, count] -= slope[1]
    return _to_world(solid, normal), _to_world(solid, flat), colour


def _to_world(solid: Solid, normal: Rays) -> Rays:
    return solid.to_world(np.asarray(normal / np.sqrt((normal**2).sum(0)), np.float32))


def _scatter(normal: Rays, rng: Generator) -> Rays:
    """Return directions about the normals, as often as a matt surface sends light there."""
    spread = rng.normal(0, 1, normal.shape).astype(np.float32)
    scattered = normal * np.float32(1.001) + spread / np.sqrt((spread**2).sum(0))
    return np.asarray(scattered / np.sqrt((scattered**2).sum(0)), np.float32)
