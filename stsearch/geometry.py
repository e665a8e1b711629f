"""Polygon and quad algebra, and the way from a probability map to polygons.

Points are (x, y). A polygon runs clockwise (in image coordinates, y downwards) from the corner where reading
starts, so its first half is the upper edge left to right and its second half the lower edge right to left.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pyclipper
import shapely
from numpy.typing import NDArray

from stsearch.config import Cut
from stsearch.types import Image, Polygon, Quad

_MOST_SAMPLES = 8  # a pixel of a rectified crop and axis; words of thousands of pixels need no more

_FULL, _LONG = 0.72, 2.5
"""A kernel may be bent that fills less of its rectangle, and is longer for its height."""
_BENT = 0.5  # by how much the middle of a kernel leaves a straight line, of the kernel's mean height
_COLUMNS = 7  # of a bent polygon

Edges = NDArray[np.float32]  # (2, K, 2): the upper and the lower edge, both in reading direction


def box(left: float, top: float, right: float, bottom: float) -> Quad:
    """Return the corners of an upright box, clockwise from the top left."""
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def extent(picture: Image) -> Quad:
    """Return the whole of a (H, W, ...) picture."""
    height, width = picture.shape[:2]
    return box(0, 0, width, height)


def polygon_area(polygon: Polygon) -> float:
    """Return the signed area of ``polygon`` (P, 2): positive when it runs clockwise on screen."""
    x, y = polygon.astype(np.float64).T
    return float(0.5 * (x[:-1] @ y[1:] - x[1:] @ y[:-1] + x[-1] * y[0] - x[0] * y[-1]))


def polygon_perimeter(polygon: Polygon) -> float:
    """Return the length of the outline of ``polygon`` (P, 2)."""
    return float(np.hypot(*np.diff(polygon, axis=0, append=polygon[:1]).T).sum())


def polygon_iou(a: Polygon, b: Polygon) -> float:
    """Return the intersection over union of two polygons, 0 when either is degenerate."""
    first, second, shared = overlap_areas([a], [b])
    union = float(first[0] + second[0] - shared[0, 0])
    return float(shared[0, 0]) / union if union > 0 else 0.0


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
    """Return (A, B): the boxes (A, 4) and (B, 4), of left, top, right and bottom, share a point."""
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
    return np.stack([_resample(polygon[:half], columns), _resample(polygon[half:][::-1], columns)])


def _resample(line: NDArray[np.float32], count: int) -> NDArray[np.float32]:
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
    scale = 16.0  # pyclipper works on integers; a sixteenth of a pixel is enough
    clipper = pyclipper.PyclipperOffset()
    clipper.AddPath(
        np.round(polygon * scale).astype(np.int64).tolist(), pyclipper.JT_ROUND, pyclipper.ET_CLOSEDPOLYGON
    )
    paths = [
        np.asarray(path, np.float32) / scale for path in clipper.Execute(distance * scale) if len(path) >= 3
    ]
    return max(paths, key=lambda path: abs(polygon_area(path)), default=None)


def shrink_distance(polygon: Polygon, ratio: float) -> float:
    """Return by how much DB shrinks ``polygon``: area * (1 - ratio^2) / perimeter (DB, equation 10)."""
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


def tilted(polygon: Polygon, degrees: float) -> Polygon:
    """Turn ``polygon`` clockwise about its centre."""
    centre = polygon.mean(axis=0)
    return np.asarray((polygon - centre) @ turning(np.deg2rad(degrees)) + centre, np.float32)


def turning(radians: float) -> NDArray[np.float64]:
    """Return the (2, 2) matrix from whose left (N, 2) points are turned clockwise about the origin."""
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
    return np.stack([_resample(edge, edge.shape[0]) for edge in grown])


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
    # As many samples as there are pixels, then their mean: a large word must not alias.
    rows, columns = (
        n * int(np.clip(np.ceil(extent / n), 1, _MOST_SAMPLES))
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


def polygons_from_map(
    probability: NDArray[np.float32], cut: Cut, min_size: float, limit: int
) -> list[tuple[Polygon, float]]:
    """Turn a probability map of shrunken text kernels into polygons (DB, section 3.4).

    Args:
        probability: (H, W) float32 in [0, 1].
        cut: which cells belong to a kernel, which kernels are kept, and how much they grow: by
            area * ratio / perimeter.
        min_size: regions with a shorter side are dropped; cells.
        limit: the most confident regions that are kept.

    Returns:
        (polygon, score) pairs, polygons in cells (outer corner origin), best first. Straight words are
        quads; bent ones have 14 points.
    """
    mask = (probability > cut.binarize).astype(np.uint8)
    contours, _ = cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    found: list[tuple[Polygon, float]] = []
    for contour in contours:
        kernel = contour.reshape(-1, 2).astype(np.float32)
        score = _mean_inside(probability, np.asarray(contour, np.int32))
        if score < cut.score:
            continue
        polygon = _unclip(kernel, cut.unclip)
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
    # A contour runs through the centres of its outermost cells: the region is one cell larger, and half a
    # cell on.
    size = (size[0] + 1.0, size[1] + 1.0)
    corners = cv2.boxPoints((centre, size, angle)).astype(np.float32) + 0.5
    area = cv2.contourArea(kernel) + len(kernel) / 2 + 1
    full = size[0] * size[1]
    may_be_bent = area < _FULL * full and max(size) > _LONG * min(size)
    if not (may_be_bent and _is_bent(kernel, corners)):
        # The rectangle of a ragged kernel is too large, the kernel too small: their mean outlines words best.
        distance = (full + min(area, full)) / 2 * ratio / (2 * (size[0] + size[1]))
        grown = cv2.boxPoints((centre, (size[0] + 2 * distance, size[1] + 2 * distance), angle))
        return order_quad(grown.astype(np.float32) + 0.5)
    outline = offset_polygon(kernel + 0.5, 0.5)
    grown_outline = (
        None if outline is None else offset_polygon(outline, shrink_distance(outline, 0.0) * ratio)
    )
    return None if grown_outline is None else _bent_polygon(grown_outline, order_quad(corners))


def _is_bent(kernel: NDArray[np.float32], frame: Quad) -> bool:
    """Return whether the middle of a kernel leaves the straight line that fits it best.

    Ragged edges do not count: what is straight is read better between straight edges.
    """
    start, along, across = frame[0], frame[1] - frame[0], frame[3] - frame[0]
    if np.hypot(*along) < np.hypot(*across):
        along, across = across, along
    if np.hypot(*along) < 2 * _COLUMNS:
        return False
    local = (kernel + 0.5 - start) @ np.stack([along / (along @ along), across / np.hypot(*across)], axis=1)
    column = np.clip(local[:, 0] * _COLUMNS, 0, _COLUMNS - 1).astype(np.int64)
    first, last = np.full(_COLUMNS, np.inf), np.full(_COLUMNS, -np.inf)
    np.minimum.at(first, column, local[:, 1])
    np.maximum.at(last, column, local[:, 1])
    places = np.arange(_COLUMNS) - (_COLUMNS - 1) / 2
    middle = (first + last) / 2  # each is two cells wide or more, so the outline has points in all of them
    off = middle - places * (places @ middle / (places @ places))  # around its mean
    return bool(np.ptp(off) > _BENT * (last - first + 1).mean())


def _bent_polygon(outline: Polygon, frame: Quad, columns: int = _COLUMNS) -> Polygon:
    """Describe ``outline`` by an upper and a lower edge, cut at ``columns`` places along ``frame``'s axis."""
    along = frame[1] - frame[0]
    if np.linalg.norm(frame[3] - frame[0]) > np.linalg.norm(
        along
    ):  # a tall frame: the word runs along its long side
        frame = turn_quad(frame, 1 if along[0] <= 0 else 3)
        along = frame[1] - frame[0]
    along = along / np.linalg.norm(along)
    across = np.array([-along[1], along[0]], np.float32)
    basis = np.stack([along, across], axis=1)
    local = outline @ basis
    dense = _resample(np.concatenate([local, local[:1]]), 400)
    low, high = dense[:, 0].min(), dense[:, 0].max()
    reach = (high - low) / (columns - 1)
    upper, lower = [], []
    for centre in np.linspace(low, high, columns):
        near = dense[np.abs(dense[:, 0] - np.clip(centre, low + reach / 4, high - reach / 4)) <= reach / 4]
        upper.append((centre, near[:, 1].min()))
        lower.append((centre, near[:, 1].max()))
    return np.asarray(np.array(upper + lower[::-1]) @ basis.T, np.float32)
