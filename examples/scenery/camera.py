"""A camera with a lens: focus, exposure, and what a sensor does to light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from scenery.tracer import World
from stsearch.types import Image, Polygon


@dataclass(frozen=True)
class Camera:
    """Where the camera stands and how it is set."""

    place: tuple[float, float, float]
    target: tuple[float, float, float]  # in the middle of the picture, and in focus
    zoom: float  # focal length in picture widths
    size: tuple[int, int] = (640, 960)  # (H, W)
    aperture: float = 0.01  # radius of the lens in metres
    roll: float = 0.0  # degrees
    exposure: float = 1.0
    warmth: float = 0.0  # > 0: redder
    grain: float = 0.012
    bloom: float = 0.04

    def _axes(self) -> tuple[NDArray[np.float64], float]:
        """Return the (3, 3) rows right, up and back, and the distance in focus."""
        back = np.subtract(self.place, self.target)
        distance = float(np.linalg.norm(back))
        back = back / distance
        right = np.cross((0, 1, 0), back)
        right /= np.linalg.norm(right)
        c, s = np.cos(np.deg2rad(self.roll)), np.sin(np.deg2rad(self.roll))
        up = np.cross(back, right)
        return np.stack([c * right + s * up, c * up - s * right, back]), distance

    def project(self, points: NDArray[np.floating]) -> Polygon:
        """Return where (P, 3) points of the world are in the picture."""
        axes, _ = self._axes()
        seen = (points - np.array(self.place)) @ axes.T
        flat = seen[:, :2] / -seen[:, 2:] * self.zoom * self.size[1]
        return np.asarray(flat * (1, -1) + (self.size[1] / 2, self.size[0] / 2), np.float32)

    def expose(self, world: World, rng: Generator, samples: int) -> Image:
        """Return the photograph, (H, W, 3) uint8."""
        axes, distance = self._axes()
        height, width = self.size
        light = np.zeros((height * width, 3), np.float32)
        rows, columns = np.divmod(np.arange(height * width), width)
        for _ in range(samples):
            x = (columns + rng.random(len(columns)) - width / 2) / (self.zoom * width)
            y = (height / 2 - rows - rng.random(len(rows))) / (self.zoom * width)
            radius = self.aperture * np.sqrt(rng.random(len(rows)))
            angle = 2 * np.pi * rng.random(len(rows))
            lens = np.stack([radius * np.cos(angle), radius * np.sin(angle), np.zeros(len(rows))])
            focus = np.stack([x, y, -np.ones(len(rows))]) * distance - lens
            focus /= np.sqrt((focus**2).sum(0))
            origin = np.array(self.place)[:, None] + axes.T @ lens
            seen = world.radiance(origin.astype(np.float32), (axes.T @ focus).astype(np.float32), rng)
            light += np.minimum(seen, 12).T
        return self._develop(light.reshape(height, width, 3) / np.float32(samples), rng)

    def _develop(self, light: NDArray[np.float32], rng: Generator) -> Image:
        height, width = self.size
        tint = np.array([1 + self.warmth, 1, 1 - self.warmth], np.float32)
        light = light * np.float32(self.exposure) * tint
        glare = np.asarray(cv2.GaussianBlur(np.minimum(light, 6), (0, 0), width / 60), np.float32)
        light = light * (1 - self.bloom) + glare * self.bloom
        y, x = np.mgrid[0:height, 0:width].astype(np.float32)
        off_axis = ((x - width / 2) ** 2 + (y - height / 2) ** 2) / (width / 2) ** 2
        light = light / (1 + 0.22 * off_axis[..., None]) ** 2
        # Highlights are compressed as on film; 5 is the light that becomes white.
        toned = np.clip(light * (1 + light / 25) / (1 + light), 0, 1) ** (1 / 2.2)
        toned = toned + 0.10 * np.sin(2 * np.pi * (toned - 0.5)) * (0.5 - np.abs(toned - 0.5))
        grey = toned.mean(-1, keepdims=True)
        toned = grey + 0.88 * (toned - grey)
        clean = np.asarray(np.clip(toned * 255, 0, 255), np.uint8)
        toned = cv2.fastNlMeansDenoisingColored(clean, None, 5, 7, 3, 11).astype(np.float32) / 255
        grains = rng.normal(0, 1, (height, width, 3)).astype(np.float32)
        grains = 0.7 * np.asarray(cv2.GaussianBlur(grains, (0, 0), 0.6)) * 2 + 0.3 * grains.mean(
            -1, keepdims=True
        )
        toned = toned + self.grain * grains * (1.2 - toned)
        return np.asarray(np.clip(toned * 255 + 0.5, 0, 255), np.uint8)
