"""A scene being composed: layers blended in with perspective, and the labels of its words."""

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
MIN_CONTRAST = 16.0  # of 255, between text and background in the photograph
MAX_BLUR = 0.115  # sigma in text heights; beyond it strokes merge
MAX_OCCLUDED = 0.3  # share of the polygon behind occluders
MIN_VISIBLE = 0.04  # share of the polygon inside the picture; with less there is no label


@dataclass(frozen=True, eq=False)
class PlacedWord:
    """A word drawn into the picture; its polygon may reach beyond the border."""

    text: str
    polygon: Polygon
    legible: bool = True  # False: don't care in any case


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
    """Return the mean distance of the top and the bottom longest_ratio in pixels."""
    half = len(polygon) // 2
    across = polygon[:half] - polygon[: half - 1 : -1]
    return float(np.hypot(across[:, 0], across[:, 1]).sum()) / half


class Canvas:
    """The picture, with masks of its text and of its occluders, and its words."""

    def __init__(self, image: Image) -> None:
        """Start from ``image``, which is changed in place."""
        self.image = image
        self.ink: Mask = np.zeros(image.shape[:2], np.uint8)
        self.occluded: Mask = np.zeros(image.shape[:2], np.uint8)
        self.words: list[PlacedWord] = []

    def blend(self, layer: Layer, matrix: Matrix, opacity: float = 1.0) -> None:
        """Blend ``layer`` into the picture, mapped by ``matrix``."""
        rows, columns = layer.alpha.shape
        corners = apply(matrix, np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float64))
        height, width = self.image.shape[:2]
        low = np.maximum(np.floor(corners.min(0)), 0).astype(int)
        high = np.minimum(np.ceil(corners.max(0)), (width, height)).astype(int)
        if (high <= low).any():
            return
        rgb, layer_alpha, ink = layer.rgb, layer.alpha, layer.ink
        longest_ratio = np.linalg.norm(corners - np.roll(corners, 1, 0), axis=1).max() / max(rows, columns)
        if longest_ratio < 0.6:  # bilinear sampling alone would skip strokes
            small = (max(1, round(columns * longest_ratio)), max(1, round(rows * longest_ratio)))
            layer_alpha = np.asarray(cv2.resize(layer_alpha, small, interpolation=cv2.INTER_AREA), np.uint8)
            ink = (
                layer_alpha
                if ink is layer.alpha
                else np.asarray(cv2.resize(ink, small, interpolation=cv2.INTER_AREA), np.uint8)
            )
            if rgb.shape[0] > 1:
                rgb = np.asarray(cv2.resize(rgb, small, interpolation=cv2.INTER_AREA), np.uint8)
            matrix = matrix @ scale_by(columns / small[0], rows / small[1])
        # OpenCV counts from pixel centres, polygons from the outer corner.
        warp = shift_by(-low[0] - 0.5, -low[1] - 0.5) @ matrix @ shift_by(0.5, 0.5)
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        place = (slice(low[1], high[1]), slice(low[0], high[0]))
        warped = np.asarray(cv2.warpPerspective(layer_alpha, warp, size), np.uint8)
        alpha = warped * np.float32(opacity / 255)
        if rgb.shape[0] > 1:
            colour = cv2.warpPerspective(rgb, warp, size, borderMode=cv2.BORDER_REPLICATE)
        else:
            colour = np.empty((size[1], size[0], 3), np.uint8)
            colour[:] = rgb
        part = np.ascontiguousarray(self.image[place])
        self.image[place] = cv2.blendLinear(np.asarray(colour, np.uint8), part, alpha, 1 - alpha)
        warped_ink = (
            warped if ink is layer_alpha else np.asarray(cv2.warpPerspective(ink, warp, size), np.uint8)
        )
        np.maximum(self.ink[place], warped_ink, out=self.ink[place])

    def add_word(self, text: str, polygon: Polygon, legible: bool = True) -> None:
        """Record a word that was drawn."""
        self.words.append(PlacedWord(text, polygon, legible))

    def labels(self, image: Image, blur_sigma: float) -> tuple[WordLabel, ...]:
        """Return the labels of all words; ``image`` is this picture as photographed, with ``blur_sigma``."""
        labels = (self._label(word, image, blur_sigma) for word in self.words)
        return tuple(label for label in labels if label is not None)

    def _label(self, word: PlacedWord, image: Image, blur_sigma: float) -> WordLabel | None:
        height, width = self.ink.shape
        transcript = strip_accents(word.text)
        points = _sample_points(word.polygon, max(12, 6 * len(transcript)))
        inside = (points >= 0).all(1) & (points < (width, height)).all(1)
        visible = float(inside.mean())
        if visible < MIN_VISIBLE:
            return None
        clipped = np.clip(word.polygon, 0, np.array([width, height], np.float32)).astype(np.float32)
        height_px = text_height(word.polygon)
        is_whole = visible >= max(0.86, 1 - 0.6 / max(len(transcript), 1))
        legible = word.legible and is_whole and height_px >= MIN_HEIGHT and blur_sigma <= MAX_BLUR * height_px
        if legible:
            xs, ys = points[inside].astype(int).T
            occluded = float((self.occluded[ys, xs] > 127).mean())
            legible = occluded <= MAX_OCCLUDED and _contrast(self.ink[ys, xs], image[ys, xs]) >= MIN_CONTRAST
        return WordLabel(clipped, transcript, legible and bool(normalize(transcript)))


def _sample_points(polygon: Polygon, columns: int, rows: int = 8) -> NDArray[np.float32]:
    """Return a grid of points (rows * columns, 2) between the top and the bottom longest_ratio."""
    return np.asarray(_grid_weights(len(polygon), columns, rows) @ polygon, np.float32)


@lru_cache(maxsize=512)
def _grid_weights(corners: int, columns: int, rows: int) -> NDArray[np.float32]:
    """Return (rows * columns, corners): the weights that interpolate each grid point from the corners."""
    half = corners // 2
    along = np.linspace(0, half - 1, columns)
    longest_ratio = np.maximum(0, 1 - np.abs(along[:, None] - np.arange(half)))
    down = np.linspace(0.03, 0.97, rows)[:, None, None]
    weights = np.concatenate([(1 - down) * longest_ratio, down * longest_ratio[:, ::-1]], axis=2)
    return weights.reshape(rows * columns, corners).astype(np.float32)


def _contrast(ink: NDArray[np.uint8], colours: NDArray[np.uint8]) -> float:
    """Return the largest difference of a channel between sampled points of text and of background."""
    peak = int(ink.max(initial=0))
    if peak < 20:
        return 0.0
    text, background = ink > 0.6 * peak, ink < 0.25 * peak
    if not text.any() or not background.any():
        return 0.0
    return float(np.abs(colours[text].mean(0) - colours[background].mean(0)).max())
