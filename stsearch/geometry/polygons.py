"""Polygon and quad algebra.

Points are (x, y). A polygon runs clockwise (in image coordinates, y downwards) from the corner where reading
starts, so its first half is the upper edge left to right and its second half the lower edge right to left.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray

from stsearch.types import Image, Polygon, Quad

_MAX_SAMPLES = 8  # per pixel of a rectified crop and axis; even words of thousands of pixels need no more
_CHORDS_PER_QUADRANT = 8  # of a rounded corner; with 16 the areas of words change by 0.1 %

TALL_RATIO = 1.5
"""From this ratio of height to width on, the text of a word may run up or down."""

Edges = NDArray[np.float32]  # (2, K, 2): the upper and the lower edge, both in reading direction


def box(left: float, top: float, right: float, bottom: float) -> Quad:
    """Return the corners of an upright box, clockwise from the top left."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def extent(picture: Image) -> Quad:
    """Return the corners of a (H, W, ...) picture."""
    height, width = picture.shape[:2]
    return box(0, 0, width, height)


def polygon_area(polygon: Polygon) -> float:
    """Return the signed area of ``polygon`` (P, 2): positive when it runs clockwise on screen."""
    x, y = polygon.astype(np.float64).T
    return float(0.5 * (x[:-1] @ y[1:] - x[1:] @ y[:-1] + x[-1] * y[0] - x[0] * y[-1]))


def polygon_perimeter(polygon: Polygon) -> float:
    """Return the length of the outline of ``polygon`` (P, 2)."""
    return float(np.hypot(*np.diff(polygon, axis=0, append=polygon[:1]).T).sum())


def overlap_areas(
    a: Sequence[Polygon], b: Sequence[Polygon]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the areas of ``a`` (A,), of ``b`` (B,) and of their intersections (A, B)."""
    first = _shapes(a)
    second = first if b is a else _shapes(b)
    shared = np.zeros((len(first), len(second)))
    near = _boxes_meet(shapely.bounds(first), shapely.bounds(second))  # few do, and intersecting is slow
    rows, columns = np.nonzero(np.triu(near, 1) if b is a else near)
    shared[rows, columns] = shapely.area(shapely.intersection(first[rows], second[columns]))
    if b is a:
        shared += shared.T + np.diag(shapely.area(first))
    return shapely.area(first), shapely.area(second), shared


def _boxes_meet(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return (A, B): whether two boxes, (A, 4) and (B, 4) of left, top, right, bottom, share a point."""
    return np.asarray((a[:, None, :2] <= b[:, 2:]).all(axis=2) & (b[:, :2] <= a[:, None, 2:]).all(axis=2))


def _shapes(polygons: Sequence[Polygon]) -> NDArray[np.object_]:
    """Return ``polygons`` as shapely geometries, outlines that cross themselves made valid."""
    sizes = [len(polygon) for polygon in polygons]
    points = np.concatenate([*polygons, np.zeros((0, 2), np.float32)])
    rings = shapely.linearrings(points, indices=np.repeat(np.arange(len(sizes)), sizes))
    return np.asarray(shapely.make_valid(shapely.polygons(rings)), object)


def word_size(polygon: Polygon) -> tuple[float, float]:
    """Return the (height, width) of the word in ``polygon``: mean edge distance, mean edge length."""
    if len(polygon) == 4:
        top, right, bottom, left = np.hypot(*np.diff(polygon, axis=0, append=polygon[:1]).T).tolist()
        return (left + right) / 2, (top + bottom) / 2
    upper, lower = polygon_edges(polygon, 8)
    lengths = [np.hypot(*np.diff(edge, axis=0).T).sum() for edge in (upper, lower)]
    return float(np.hypot(*(upper - lower).T).mean()), float(np.mean(lengths))


def polygon_edges(polygon: Polygon, columns: int) -> Edges:
    """Resample the upper and lower edge of ``polygon`` to ``columns`` points each, evenly along the edge.

    An odd number of points puts the extra one on the upper edge.

    Returns:
        (2, columns, 2) float32, both edges in reading direction.
    """
    half = (len(polygon) + 1) // 2
    return np.stack([resample(polygon[:half], columns), resample(polygon[half:][::-1], columns)])


def resample(line: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return ``count`` points evenly spaced along the polyline ``line`` (P, 2)."""
    share = np.arange(count, dtype=np.float32)[:, None] / np.float32(max(count - 1, 1))
    if len(line) == 2:
        return np.asarray(line[0] + share * (line[1] - line[0]), np.float32)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    at = share[:, 0] * along[-1]
    return np.stack([np.interp(at, along, line[:, axis]) for axis in (0, 1)], axis=1).astype(np.float32)


def offset_polygon(polygon: Polygon, distance: float) -> Polygon | None:
    """Move the outline of ``polygon`` outwards by ``distance`` pixels (inwards if negative), corners rounded.

    Returns:
        The largest resulting polygon (P, 2) float32, or None when nothing is left.
    """
    [shape] = _shapes([polygon])
    parts = shapely.get_parts(shapely.buffer(shape, distance, quad_segs=_CHORDS_PER_QUADRANT))
    areas = shapely.area(parts)
    if not areas.any():
        return None
    outline = shapely.get_exterior_ring(parts[np.argmax(areas)])
    return np.asarray(shapely.get_coordinates(outline)[:-1], np.float32)


def shrink_distance(polygon: Polygon, ratio: float) -> float:
    """Return how far DB shrinks ``polygon``: area * (1 - ratio^2) / perimeter (DB, equation 10)."""
    return abs(polygon_area(polygon)) * (1 - ratio**2) / max(polygon_perimeter(polygon), 1e-6)


def order_quad(quad: Quad) -> Quad:
    """Reorder the corners of ``quad`` clockwise from the top-left of upright reading.

    Reading runs along the pair of sides closer to the horizontal, to the right.
    """
    if polygon_area(quad) < 0:
        quad = quad[::-1]
    sides = np.roll(quad, -1, axis=0) - quad
    rightwards = sides[:, 0] / np.maximum(np.linalg.norm(sides, axis=1), 1e-6)
    return np.ascontiguousarray(np.roll(quad, -int(np.argmax(rightwards)), axis=0))


def turn_quad(quad: Quad, quarter_turns: int) -> Quad:
    """Return ``quad`` with reading starting ``quarter_turns`` corners further on (clockwise)."""
    return np.ascontiguousarray(np.roll(quad, -quarter_turns, axis=0))


def tilt_polygon(polygon: Polygon, degrees: float) -> Polygon:
    """Turn ``polygon`` clockwise about its centre."""
    centre = polygon.mean(axis=0)
    return np.asarray((polygon - centre) @ rotation_matrix(np.deg2rad(degrees)) + centre, np.float32)


def rotation_matrix(radians: float) -> NDArray[np.float64]:
    """Return the (2, 2) matrix M so that ``points @ M`` turns (N, 2) points clockwise about the origin."""
    cos, sin = np.cos(radians), np.sin(radians)
    return np.array([[cos, sin], [-sin, cos]])


def expand_edges(edges: Edges, margin: float) -> Edges:
    """Move the two edges apart and lengthen them by ``margin`` of the word's height on every side.

    Args:
        edges: (2, K, 2), upper and lower edge in reading direction.
        margin: share of the mean height.
    """
    across = edges[0] - edges[1]
    centre, half = edges.mean(axis=0), across / 2
    upper, lower = centre + half * (1 + 2 * margin), centre - half * (1 + 2 * margin)
    height = float(np.hypot(*across.T).mean())
    grown = np.stack([upper, lower])
    for edge in grown:
        for end, inner in ((0, 1), (-1, -2)):
            direction = edge[end] - edge[inner]
            edge[end] += direction * (height * margin / max(float(np.hypot(*direction)), 1e-6))
    return np.stack([resample(edge, edge.shape[0]) for edge in grown])


def region_edges(polygon: Polygon, columns: int, margin: float) -> Edges:
    """Return the edges between which a word's features are sampled, one point a column centre.

    Args:
        polygon: (P, 2), from where reading starts.
        columns: K.
        margin: share of the word's height added on every side.

    Returns:
        (2, K, 2) float32, upper and lower edge in reading direction.
    """
    if len(polygon) > 4:
        return np.ascontiguousarray(expand_edges(polygon_edges(polygon, 2 * columns + 1), margin)[:, 1::2])
    ends = expand_edges(polygon_edges(polygon, 2), margin)  # a quad's edges are straight: no more is needed
    share = (np.arange(columns, dtype=np.float32)[:, None] + np.float32(0.5)) / np.float32(columns)
    return ends[:, :1] + share * (ends[:, 1:] - ends[:, :1])


def rectify(image: Image, polygon: Polygon, size: tuple[int, int], margin: float) -> Image:
    """Return the crop of one word, straightened and stretched to ``size``.

    Args:
        image: HWC uint8; what lies beyond it continues its border.
        polygon: (P, 2) in its pixels, from where reading starts.
        size: (height, width) of the crop.
        margin: share of the word's height added on every side.
    """
    height, width = size
    across, along = word_size(polygon)
    # Every pixel of a large word is sampled, and samples are averaged: it would alias otherwise.
    rows, columns = (
        n * int(np.clip(np.ceil(extent / n), 1, _MAX_SAMPLES))
        for n, extent in ((height, across), (width, along))
    )
    edges = region_edges(polygon, columns, margin) - 0.5  # cv2 counts from pixel centres, we from corners
    extremes = edges.reshape(-1, 2).T
    low = np.clip(np.floor(extremes.min(axis=1)).astype(int) - 1, 0, np.array(image.shape[1::-1]) - 1)
    high = np.maximum(np.ceil(extremes.max(axis=1)).astype(int) + 2, low + 1)
    part = image[low[1] : high[1], low[0] : high[0]]
    upper, lower = (edges - low).astype(np.float32).transpose(0, 2, 1)  # (2, K) each: x, then y
    share = ((np.arange(rows, dtype=np.float32) + 0.5) / rows)[:, None]
    x, y = (first + share * (last - first) for first, last in zip(upper, lower, strict=True))
    sampled = cv2.remap(part, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if (rows, columns) != size:
        sampled = cv2.resize(sampled, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(sampled, np.uint8)
