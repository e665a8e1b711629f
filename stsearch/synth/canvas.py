"""A picture under construction: layers laid into it in perspective, and which words can still be read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from stsearch.synth.lettering import Mask
from stsearch.synth.text_effects import Layer
from stsearch.text.charset import normalize, strip_accents
from stsearch.types import Image, Polygon, WordLabel

Matrix = NDArray[np.float64]  # (3, 3) plane to picture, points in pixels from the outer corner

MIN_HEIGHT = 6.0  # pixels; lower text is don't care
MIN_CONTRAST = 16.0  # of 255, between ink and ground after the camera
MAX_SOFTNESS = 0.115  # blur sigma in text heights: beyond it strokes run together
MAX_HIDDEN = 0.3  # share of the polygon that may be covered
MIN_PRESENT = 0.04  # share of a cut word that must be inside for a label at all


@dataclass(frozen=True, eq=False)
class PlacedWord:
    """A word laid into the picture; its polygon may reach beyond the border."""

    text: str
    polygon: Polygon
    readable: bool = True  # False: don't care, whatever it looks like


def shift_by(x: float, y: float) -> Matrix:
    """Return the matrix that moves points by (x, y)."""
    return np.array([(1, 0, x), (0, 1, y), (0, 0, 1)], np.float64)


def scale_by(x: float, y: float) -> Matrix:
    """Return the matrix that scales about the origin."""
    return np.diag((x, y, 1.0))


def turn_by(angle: float) -> Matrix:
    """Return the matrix that turns by ``angle`` radians, clockwise on the screen."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([(c, -s, 0), (s, c, 0), (0, 0, 1)], np.float64)


def apply(matrix: Matrix, points: NDArray[np.floating]) -> Polygon:
    """Map (P, 2) points."""
    moved = points @ matrix[:2, :2].T + matrix[:2, 2]
    depth = points @ matrix[2, :2] + matrix[2, 2]
    return np.asarray(moved / depth[:, None], np.float32)


def text_height(polygon: Polygon) -> float:
    """Return the mean distance of the top and the bottom edge in pixels."""
    half = len(polygon) // 2
    across = polygon[:half] - polygon[: half - 1 : -1]
    return float(np.hypot(across[:, 0], across[:, 1]).sum()) / half


class Canvas:
    """The picture, the ink in it, what hides it, and the words."""

    def __init__(self, image: Image) -> None:
        """Start from ``image``, which is changed in place."""
        self.image = image
        self.ink: Mask = np.zeros(image.shape[:2], np.uint8)
        self.hidden: Mask = np.zeros(image.shape[:2], np.uint8)
        self.words: list[PlacedWord] = []

    def lay(self, layer: Layer, matrix: Matrix, opacity: float = 1.0) -> None:
        """Blend ``layer`` in, mapped by ``matrix``."""
        rows, columns = layer.cover.shape
        corners = apply(matrix, np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float64))
        height, width = self.image.shape[:2]
        low = np.maximum(np.floor(corners.min(0)), 0).astype(int)
        high = np.minimum(np.ceil(corners.max(0)), (width, height)).astype(int)
        if (high <= low).any():
            return
        rgb, cover, ink = layer.rgb, layer.cover, layer.ink
        edge = np.linalg.norm(corners - np.roll(corners, 1, 0), axis=1).max() / max(rows, columns)
        if edge < 0.6:  # bilinear sampling alone would skip strokes
            small = (max(1, round(columns * edge)), max(1, round(rows * edge)))
            cover = np.asarray(cv2.resize(cover, small, interpolation=cv2.INTER_AREA), np.uint8)
            ink = (
                cover
                if ink is layer.cover
                else np.asarray(cv2.resize(ink, small, interpolation=cv2.INTER_AREA), np.uint8)
            )
            if rgb.shape[0] > 1:
                rgb = np.asarray(cv2.resize(rgb, small, interpolation=cv2.INTER_AREA), np.uint8)
            matrix = matrix @ scale_by(columns / small[0], rows / small[1])
        # OpenCV counts from pixel centres, polygons from the outer corner.
        warp = shift_by(-low[0] - 0.5, -low[1] - 0.5) @ matrix @ shift_by(0.5, 0.5)
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        place = (slice(low[1], high[1]), slice(low[0], high[0]))
        warped = np.asarray(cv2.warpPerspective(cover, warp, size), np.uint8)
        alpha = warped * np.float32(opacity / 255)
        if rgb.shape[0] > 1:
            colour = cv2.warpPerspective(rgb, warp, size, borderMode=cv2.BORDER_REPLICATE)
        else:
            colour = np.empty((size[1], size[0], 3), np.uint8)
            colour[:] = rgb
        part = np.ascontiguousarray(self.image[place])
        self.image[place] = cv2.blendLinear(np.asarray(colour, np.uint8), part, alpha, 1 - alpha)
        warped_ink = warped if ink is cover else np.asarray(cv2.warpPerspective(ink, warp, size), np.uint8)
        np.maximum(self.ink[place], warped_ink, out=self.ink[place])

    def add_word(self, text: str, polygon: Polygon, readable: bool = True) -> None:
        """Note a word that was laid."""
        self.words.append(PlacedWord(text, polygon, readable))

    def labels(self, image: Image, softness: float) -> tuple[WordLabel, ...]:
        """Return the labels of all words as they appear in ``image``, the photograph taken of this canvas."""
        judged = (self._label(word, image, softness) for word in self.words)
        return tuple(label for label in judged if label is not None)

    def _label(self, word: PlacedWord, image: Image, softness: float) -> WordLabel | None:
        height, width = self.ink.shape
        transcript = strip_accents(word.text)
        points = _inner_points(word.polygon, max(12, 6 * len(transcript)))
        inside = (points >= 0).all(1) & (points < (width, height)).all(1)
        present = float(inside.mean())
        if present < MIN_PRESENT:
            return None
        clipped = np.clip(word.polygon, 0, np.array([width, height], np.float32)).astype(np.float32)
        tall = text_height(word.polygon)
        whole = present >= max(0.86, 1 - 0.6 / max(len(transcript), 1))
        legible = word.readable and whole and tall >= MIN_HEIGHT and softness <= MAX_SOFTNESS * tall
        if legible:
            xs, ys = points[inside].astype(int).T
            hidden = float((self.hidden[ys, xs] > 127).mean())
            legible = hidden <= MAX_HIDDEN and _contrast(self.ink[ys, xs], image[ys, xs]) >= MIN_CONTRAST
        return WordLabel(clipped, transcript, legible and bool(normalize(transcript)))


def _inner_points(polygon: Polygon, columns: int, rows: int = 8) -> NDArray[np.float32]:
    """Return a grid of points (rows * columns, 2) between the top and the bottom edge."""
    return np.asarray(_grid_weights(len(polygon), columns, rows) @ polygon, np.float32)


@lru_cache(maxsize=512)
def _grid_weights(corners: int, columns: int, rows: int) -> NDArray[np.float32]:
    """Return (rows * columns, corners): how far each grid point is each corner's."""
    half = corners // 2
    along = np.linspace(0, half - 1, columns)
    edge = np.maximum(0, 1 - np.abs(along[:, None] - np.arange(half)))
    down = np.linspace(0.03, 0.97, rows)[:, None, None]
    weights = np.concatenate([(1 - down) * edge, down * edge[:, ::-1]], axis=2)
    return weights.reshape(rows * columns, corners).astype(np.float32)


def _contrast(ink: NDArray[np.uint8], colours: NDArray[np.uint8]) -> float:
    """Return the largest channel difference between the inkiest and the barest of sampled points."""
    peak = int(ink.max(initial=0))
    if peak < 20:
        return 0.0
    drawn, bare = ink > 0.6 * peak, ink < 0.25 * peak
    if not drawn.any() or not bare.any():
        return 0.0
    return float(np.abs(colours[drawn].mean(0) - colours[bare].mean(0)).max())
