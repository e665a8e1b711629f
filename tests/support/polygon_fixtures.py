"""What tests of outlines share."""

from __future__ import annotations

from stsearch.geometry.polygons import overlap_areas
from stsearch.types import Polygon


def polygon_iou(a: Polygon, b: Polygon) -> float:
    """Return the intersection over union of two polygons that have an area."""
    first, second, shared = (float(each.item()) for each in overlap_areas([a], [b]))
    return shared / (first + second - shared)
