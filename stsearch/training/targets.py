"""Training targets of one labelled image: detection maps, and the edges of regions to embed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stsearch.config import CloseUpConfig, DetectorConfig, EmbedderConfig, StageConfig
from stsearch.geometry.polygons import offset_polygon, region_edges, shrink_distance, word_size
from stsearch.spotting.close_ups import CELL
from stsearch.text.charset import normalize
from stsearch.training.augment import perturb_outline
from stsearch.types import Polygon, Scene, WordLabel

Map = NDArray[np.float32]

_FINE = 8
"""Words are drawn at so many times the resolution of the close-up map: what they touch is told from that."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectionMapsTarget:
    """The four maps of losses.DetectionTargets for one image, each (H/stride, W/stride) float32."""

    kernel: Map
    care: Map
    border: Map
    border_care: Map


@dataclass(frozen=True, slots=True, eq=False)
class RegionTarget:
    """One region to embed and its folded transcript."""

    edges: NDArray[np.float32]  # (2, K, 2) pixels of the image
    word: str  # folded, at least one character


def detection_target(scene: Scene, config: DetectorConfig) -> DetectionMapsTarget:
    """Draw the kernel and border maps of ``scene`` (DB, section 3.3), in cells of ``config.stride`` pixels.

    Don't-care words are masked out. In a partially labelled scene the loss counts only near labelled words.
    """
    height, width = (size // config.stride for size in scene.image.shape[:2])
    kernel, border, border_care = (np.zeros((height, width), np.float32) for _ in range(3))
    care = np.full((height, width), 0.0 if scene.partial else 1.0, np.float32)
    # Legible words last: a word counts even where a don't-care region covers it.
    for word in sorted(scene.words, key=lambda word: word.legible):
        polygon = (word.polygon / config.stride).astype(np.float32)
        distance = shrink_distance(polygon, config.shrink_ratio)
        core, grown = offset_polygon(polygon, -distance), offset_polygon(polygon, distance)
        too_small = min(word_size(polygon)) < config.min_size / config.stride
        if not word.legible or too_small or core is None or grown is None:
            _fill(care, polygon, 0.0)
            continue
        _fill(care, grown if scene.partial else polygon, 1.0)
        _fill(kernel, core, 1.0)
        _draw_border(border, border_care, polygon, grown, distance)
    return DetectionMapsTarget(kernel, care, np.float32(0.3) + np.float32(0.4) * border, border_care * care)


@dataclass(frozen=True, slots=True, eq=False)
class CloseUpTarget:
    """The two maps of losses.CloseUpTargets for one image."""

    needed: Map  # (S, h, w)
    care: Map  # (h, w)


def close_up_target(scene: Scene, config: CloseUpConfig, map_size: int) -> CloseUpTarget:
    """Draw which cells of the close-up map touch small words, readable or not, for each size.

    In a partially labelled scene the loss counts only where words are.

    Args:
        scene: its sides are multiples of a cell.
        config: says how small.
        map_size: longer side of a photograph in the coarse pass; the scene is one in that size.
    """
    fine = CELL // _FINE
    height, width = (size // fine for size in scene.image.shape[:2])
    needed = np.zeros((len(config.sizes), height, width), np.float32)
    anything = np.full((height, width), 0.0 if scene.partial else 1.0, np.float32)
    for word in scene.words:
        polygon = (word.polygon / fine).astype(np.float32)
        _fill(anything, polygon, 1.0)
        word_height = min(word_size(word.polygon)) * config.sizes[0] / map_size
        for size, limit in zip(needed, config.heights, strict=True):
            if word_height < limit:
                _fill(size, polygon, 1.0)
    cells = needed.reshape(len(needed), height // _FINE, _FINE, width // _FINE, _FINE).max(axis=(2, 4))
    care = anything.reshape(height // _FINE, _FINE, width // _FINE, _FINE).max(axis=(1, 3))
    return CloseUpTarget(cells, care)


def _fill(target: Map, polygon: Polygon, value: float) -> None:
    # Cell centres lie half a cell from the corner origin; fillPoly counts from centres, with 1/16 cell
    # precision.
    points = np.round((polygon - 0.5) * 16).astype(np.int32)
    cv2.fillPoly(target, [points], value, shift=4)


def _draw_border(border: Map, border_care: Map, polygon: Polygon, grown: Polygon, reach: float) -> None:
    """Draw max(border, 1 - distance to the outline / ``reach``) inside ``grown``."""
    low = np.maximum(np.floor(grown.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(grown.max(axis=0)).astype(int) + 1, border.shape[::-1])
    if (high <= low).any():
        return
    size = high - low
    inside, outline = np.zeros(size[::-1], np.float32), np.ones(size[::-1], np.uint8)
    _fill(inside, (grown - low).astype(np.float32), 1.0)
    points = np.round((polygon - low - 0.5) * 16).astype(np.int32)
    cv2.polylines(outline, [points], True, 0, 1, shift=4)
    falloff = 1 - cv2.distanceTransform(outline, cv2.DIST_L2, 3) / max(reach, 1.0)
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    border[window] = np.maximum(border[window], np.clip(falloff, 0, 1) * inside)
    border_care[window] = np.maximum(border_care[window], inside)


def region_targets(
    words: Sequence[WordLabel], config: EmbedderConfig, stage: StageConfig, random: np.random.Generator
) -> list[RegionTarget]:
    """Return the regions of legible words with a transcript, with the errors of detected outlines."""
    regions = []
    for word in words:
        text = normalize(word.transcript)
        if word.legible and text and len(text) <= config.region[1]:
            polygon = perturb_outline(word.polygon, stage, random)
            regions.append(RegionTarget(region_edges(polygon, config.region[1], config.margin), text))
    return regions
