"""From a probability map of shrunken text kernels to the polygons of words (DB, section 3.4)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stsearch.config import BinarizationThresholds, DetectorConfig
from stsearch.geometry.polygons import (
    TALL_RATIO,
    offset_polygon,
    order_quad,
    resample,
    shrink_distance,
    turn_quad,
    word_size,
)
from stsearch.types import Polygon, Quad

_MAX_BENT_FILL, _MIN_BENT_RATIO = 0.72, 2.5
"""Only kernels that fill less of their rectangle, and are longer for their height, are tested for bends."""
_MIN_BEND = 0.5  # deviation of a kernel's centre line from a straight one, of the kernel's mean height
_COLUMNS = 7  # of a bent polygon

_MAX_ARC_FILL = 0.6  # of its rectangle, by a kernel that may lie along a circle
_MIN_ARC, _MAX_ARC = 1.4, 4.2  # radians from end to end; columns along a straight line do for flatter ones
_MAX_ARC_THICKNESS = 0.7  # of the radius
_MAX_ARC_SPREAD = 0.5  # of the thickness, standard deviation of the distances: 0.29 for a perfect arc
_MIN_ARC_CELLS = 30  # fewer fit any circle
_ARC_COLUMNS = 9


@dataclass(frozen=True, slots=True)
class _Arc:
    """A circle that a word runs along.

    Attributes:
        centre: (2,) in cells, as the radius.
        radius: of the middle of the word.
        arches: the word runs over the top of the circle, its letters pointing outwards; else below.
    """

    centre: NDArray[np.float64]
    radius: float
    arches: bool

    def to_polar(self, points: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return angles from the middle of the word, in reading direction, and distances from the centre."""
        x, y = (points - self.centre).T
        return np.arctan2(x, -y if self.arches else y), np.hypot(x, y)

    def from_polar(self, angle: float, distance: float) -> NDArray[np.float64]:
        """Return the (2,) point at an angle and a distance."""
        down = -np.cos(angle) if self.arches else np.cos(angle)
        return self.centre + distance * np.array([np.sin(angle), down])


def find_polygons(probability: NDArray[np.float32], config: DetectorConfig) -> list[Polygon]:
    """Return the polygons that each set of thresholds finds in a map, in pixels of the network's input."""
    found = (
        polygons_from_map(probability, thresholds, config.min_size / config.stride, config.max_regions)
        for thresholds in config.binarization
    )
    return [polygon * config.stride for polygon, _ in itertools.chain.from_iterable(found)]


def possible_readings(polygon: Polygon) -> list[Polygon]:
    """Return the polygon as it is and, if it is a tall quad, turned both ways: text may run up or down."""
    height, width = word_size(polygon)
    if len(polygon) != 4 or height < TALL_RATIO * width:
        return [polygon]
    return [polygon, turn_quad(polygon, 1), turn_quad(polygon, 3)]


def polygons_from_map(
    probability: NDArray[np.float32], thresholds: BinarizationThresholds, min_size: float, limit: int
) -> list[tuple[Polygon, float]]:
    """Turn a probability map of shrunken text kernels into polygons (DB, section 3.4).

    Args:
        probability: (H, W) float32 in [0, 1].
        thresholds: which cells belong to a kernel, which kernels are kept, and how much they grow: by
            area * ratio / perimeter.
        min_size: regions with a shorter side are dropped; cells.
        limit: the most confident regions that are kept.

    Returns:
        (polygon, score) pairs, polygons in cells (outer corner origin), best first. Straight words are
        quads; bent ones have 14 points.
    """
    mask = (probability > thresholds.binarize).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    found: list[tuple[Polygon, float]] = []
    for contour in contours:
        kernel = contour.reshape(-1, 2).astype(np.float32)
        score = _mean_inside(probability, np.asarray(contour, np.int32))
        if score < thresholds.score:
            continue
        polygon = _unclip(kernel, thresholds.unclip)
        if polygon is not None and min(word_size(polygon)) >= min_size:
            found.append((polygon, score))
    return sorted(found, key=lambda item: -item[1])[:limit]


def _mean_inside(probability: NDArray[np.float32], contour: NDArray[np.int32]) -> float:
    x, y, width, height = cv2.boundingRect(contour)
    inside = np.zeros((height, width), np.uint8)
    cv2.drawContours(inside, [contour - np.array([x, y])], -1, 1, cv2.FILLED)
    return float(cv2.mean(probability[y : y + height, x : x + width], inside)[0])


def _unclip(kernel: NDArray[np.float32], ratio: float) -> Polygon | None:
    """Grow a kernel's outline (cell indices) to the word's polygon: a quad, or 14 points when it is bent."""
    centre, size, angle = cv2.minAreaRect(kernel)
    # A contour runs through the centres of its outermost cells: the region is one cell larger, and shifted by
    # half a cell.
    size = (size[0] + 1.0, size[1] + 1.0)
    corners = cv2.boxPoints((centre, size, angle)).astype(np.float32) + 0.5
    area = cv2.contourArea(kernel) + len(kernel) / 2 + 1
    rectangle_area = size[0] * size[1]
    arc = _fit_arc(kernel) if area < _MAX_ARC_FILL * rectangle_area else None
    may_be_bent = area < _MAX_BENT_FILL * rectangle_area and max(size) > _MIN_BENT_RATIO * min(size)
    if arc is None and not (may_be_bent and _is_bent(kernel, corners)):
        # The rectangle of a ragged kernel is too large, the kernel too small: their mean fits words best.
        distance = (rectangle_area + min(area, rectangle_area)) / 2 * ratio / (2 * (size[0] + size[1]))
        grown = cv2.boxPoints((centre, (size[0] + 2 * distance, size[1] + 2 * distance), angle))
        return order_quad(grown.astype(np.float32) + 0.5)
    outline = offset_polygon(kernel + 0.5, 0.5)
    grown_outline = (
        None if outline is None else offset_polygon(outline, shrink_distance(outline, 0.0) * ratio)
    )
    if grown_outline is None:
        return None
    along_circle = None if arc is None else _arc_polygon(grown_outline, arc)
    return _bent_polygon(grown_outline, order_quad(corners)) if along_circle is None else along_circle


def _fit_arc(kernel: NDArray[np.float32]) -> _Arc | None:
    """Return the circle that a kernel lies along, by least squares (Kåsa 1976); None for other shapes."""
    low = kernel.min(axis=0).astype(np.int32)
    mask = np.zeros((kernel.max(axis=0).astype(np.int32) - low + 1)[::-1], np.uint8)
    cv2.drawContours(mask, [kernel.astype(np.int32) - low], -1, 1, cv2.FILLED)
    cells = np.argwhere(mask)[:, ::-1] + 0.5
    if len(cells) < _MIN_ARC_CELLS:
        return None
    middle = cells.mean(axis=0)  # coordinates about it, so that the system is well conditioned
    x, y = (cells - middle).T
    solution, *_ = np.linalg.lstsq(np.stack([x, y, np.ones_like(x)], axis=1), x * x + y * y, rcond=None)
    centre = solution[:2] / 2
    radius = float(np.sqrt(max(solution[2] + centre @ centre, 0.0)))
    arc = _Arc(centre + middle + low, radius, bool(centre[1] > 0))
    along, reach = arc.to_polar(cells + low)
    span = float(np.ptp(along))
    thickness = len(cells) / max(span * radius, 1e-6)
    is_arc = _MIN_ARC <= span <= _MAX_ARC and thickness <= _MAX_ARC_THICKNESS * radius
    return arc if is_arc and float(reach.std()) <= _MAX_ARC_SPREAD * thickness else None


def _arc_polygon(outline: Polygon, arc: _Arc, columns: int = _ARC_COLUMNS) -> Polygon | None:
    """Return upper and lower edge of ``outline``, cut at ``columns`` angles of the circle it lies along.

    None where an angle meets no outline: the grown ends have met.
    """
    dense = resample(np.concatenate([outline, outline[:1]]), 400)
    along, reach = arc.to_polar(dense)
    spacing = np.ptp(along) / (columns - 1)
    places = np.linspace(along.min(), along.max(), columns)
    edges: list[list[NDArray[np.float64]]] = [[], []]
    for place in places:
        inside = np.clip(place, along.min() + spacing / 4, along.max() - spacing / 4)
        nearby = reach[np.abs(along - inside) <= spacing / 4]
        if not len(nearby):
            return None
        for edge, distance in zip(edges, (nearby.max(), nearby.min()), strict=True):
            edge.append(arc.from_polar(place, distance))
    outer, inner = edges
    upper, lower = (outer, inner) if arc.arches else (inner, outer)
    return np.asarray([*upper, *lower[::-1]], np.float32)


def _is_bent(kernel: NDArray[np.float32], frame: Quad) -> bool:
    """Return whether the centre line of a kernel deviates from the straight line that fits it best.

    Ragged edges do not count: straight words are recognized better with straight outlines.
    """
    start, along, across = frame[0], frame[1] - frame[0], frame[3] - frame[0]
    if np.hypot(*along) < np.hypot(*across):
        along, across = across, along
    if np.hypot(*along) < 2 * _COLUMNS:
        return False
    in_frame = (kernel + 0.5 - start) @ np.stack(
        [along / (along @ along), across / np.hypot(*across)], axis=1
    )
    column = np.clip(in_frame[:, 0] * _COLUMNS, 0, _COLUMNS - 1).astype(np.int64)
    first, last = np.full(_COLUMNS, np.inf), np.full(_COLUMNS, -np.inf)
    np.minimum.at(first, column, in_frame[:, 1])
    np.maximum.at(last, column, in_frame[:, 1])
    positions = np.arange(_COLUMNS) - (_COLUMNS - 1) / 2
    middle = (first + last) / 2  # each is two cells wide or more, so the outline has points in all of them
    deviation = middle - positions * (positions @ middle / (positions @ positions))  # around its mean
    return bool(np.ptp(deviation) > _MIN_BEND * (last - first + 1).mean())


def _bent_polygon(outline: Polygon, frame: Quad, columns: int = _COLUMNS) -> Polygon:
    """Return upper and lower edge of ``outline``, cut at ``columns`` positions along ``frame``'s axis."""
    along = frame[1] - frame[0]
    if np.linalg.norm(frame[3] - frame[0]) > np.linalg.norm(
        along
    ):  # a tall frame: the word runs along its long side
        frame = turn_quad(frame, 1 if along[0] <= 0 else 3)
        along = frame[1] - frame[0]
    along = along / np.linalg.norm(along)
    across = np.array([-along[1], along[0]], np.float32)
    basis = np.stack([along, across], axis=1)
    in_frame = outline @ basis
    dense = resample(np.concatenate([in_frame, in_frame[:1]]), 400)
    low, high = dense[:, 0].min(), dense[:, 0].max()
    spacing = (high - low) / (columns - 1)
    upper, lower = [], []
    for centre in np.linspace(low, high, columns):
        nearby = dense[
            np.abs(dense[:, 0] - np.clip(centre, low + spacing / 4, high - spacing / 4)) <= spacing / 4
        ]
        upper.append((centre, nearby[:, 1].min()))
        lower.append((centre, nearby[:, 1].max()))
    return np.asarray(np.array(upper + lower[::-1]) @ basis.T, np.float32)
