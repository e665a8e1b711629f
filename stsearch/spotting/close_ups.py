"""Coarse to fine: which places of a photograph are looked at closely, cut out and packed on sheets.

Most of a photograph is wall and sky. The coarse pass says where text is too small for it, and how small; only
those places go through the network again, enlarged. They are packed on sheets of few sizes, so that an engine
meets few shapes. Nothing here runs a network.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stsearch.config import STRIDES, CloseUpConfig
from stsearch.geometry.polygons import word_size
from stsearch.images import Resize
from stsearch.padding import pad_to_multiple
from stsearch.spotting.borders import Box, is_cut_off
from stsearch.types import Image, Polygon

CELL = STRIDES[-1]
"""Pixels of the coarse pass a cell of the close-up map."""

_GAP = 32  # empty pixels between two parts of a sheet: the network sees some way beyond a part
_MIN_GAIN = 1.05  # a size that magnifies no more than so many times the next smaller one shows nothing new
_WASTE = 1.1  # two boxes become one where that takes no more than so many times their area
_EDGE, _EDGE_OF_HEIGHT = 3.0, 0.3
"""An outline that comes so near to an inner border of its part, in pixels of the sheet or in heights of the
word, counts as cut off: what the network sees of a word ends some way before the border that cuts it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A box of the photograph, enlarged, and its place on the sheet.

    Attributes:
        box: in whole pixels of the photograph.
        height: on the sheet, in its pixels, as the three below.
        width: on the sheet.
        left: of its place.
        top: of its place.
    """

    box: Box
    height: int
    width: int
    left: int = 0
    top: int = 0

    @property
    def scale(self) -> NDArray[np.float32]:
        """Return (x, y): pixels of the sheet a pixel of the photograph."""
        left, top, right, bottom = self.box
        return np.array([self.width / (right - left), self.height / (bottom - top)], np.float32)

    def holds(self, x: float, y: float) -> bool:
        """Return whether a point of the sheet lies in the part."""
        return self.left <= x < self.left + self.width and self.top <= y < self.top + self.height


@dataclass(frozen=True, slots=True)
class Sheet:
    """Parts of one photograph, packed.

    Attributes:
        height: in pixels, as the width.
        width: one of the configured widths.
        shape: (height, width) of the photograph.
        parts: apart from each other.
    """

    height: int
    width: int
    shape: tuple[int, int]
    parts: tuple[Part, ...]

    def cut(self, image: Image) -> Image:
        """Return the sheet (``height``, ``width``, 3), filled with the parts of ``image`` (H, W, 3)."""
        sheet = np.zeros((self.height, self.width, 3), np.uint8)
        for part in self.parts:
            left, top, right, bottom = part.box
            cut = image[top:bottom, left:right]
            method = cv2.INTER_AREA if part.width < right - left else cv2.INTER_LINEAR
            sheet[part.top : part.top + part.height, part.left : part.left + part.width] = cv2.resize(
                cut, (part.width, part.height), interpolation=method
            )
        return sheet

    def to_photo(self, polygon: Polygon) -> Polygon | None:
        """Return ``polygon`` (P, 2), in pixels of the sheet, in pixels of the photograph.

        Returns:
            None for what lies in no part, and for what a border of its part cuts off inside the photograph.
        """
        part = self.part_at(polygon)
        if part is None:
            return None
        corner = np.array([part.left, part.top], np.float32)
        edge = max(_EDGE, _EDGE_OF_HEIGHT * min(word_size(polygon)))
        moved = polygon - corner
        if is_cut_off(moved, (part.width, part.height), part.box, self.shape, edge):
            return None
        return np.asarray(moved / part.scale + part.box[:2], np.float32)

    def part_at(self, polygon: Polygon) -> Part | None:
        """Return the part that the centre of ``polygon``, in pixels of the sheet, lies in, if any."""
        x, y = polygon.mean(axis=0).tolist()
        return next((part for part in self.parts if part.holds(x, y)), None)


def plan_close_ups(
    probability: NDArray[np.float32], shape: tuple[int, int], map_size: int, config: CloseUpConfig
) -> list[Sheet]:
    """Return the sheets of what is looked at closely.

    Args:
        probability: (S, h, w) in [0, 1], that a cell needs a close-up in each of the configured sizes or a
            larger one; from the coarse pass over the whole photograph, without its padding.
        shape: (height, width) of the photograph.
        map_size: longer side of the photograph in the coarse pass.
        config: from which probability on a cell is looked at, and how much around it.
    """
    boxes = find_boxes(probability, shape, map_size, config)
    parts = [part for ratio, some in boxes.items() for box in some for part in split_box(box, ratio, config)]
    return pack(parts, shape, config)


def find_boxes(
    probability: NDArray[np.float32], shape: tuple[int, int], map_size: int, config: CloseUpConfig
) -> dict[float, list[Box]]:
    """Return boxes around all places to look at, by magnification; arguments as of ``plan_close_ups``.

    Cells that touch are one place: neighbours hold parts of the same word.
    """
    plan = Resize(map_size).plan(*shape)
    wanted = _wanted_sizes(probability, config.thresholds)
    ratios = _magnifications(shape, plan.scale_x, config.sizes)
    frame = _Frame(shape, (plan.scale_x, plan.scale_y), ratios, config.margin)
    found: dict[float, list[Box]] = {}
    for place in _connected(wanted > 0):
        for ratio, box in _cover(place, wanted, frame):
            found.setdefault(ratio, []).append(box)
    return {ratio: _merge(boxes) for ratio, boxes in found.items()}


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the cells of the map lie in the photograph, and how it is enlarged for each size."""

    shape: tuple[int, int]  # (height, width) of the photograph
    scale: tuple[float, float]  # (x, y): pixels of the map's pass a pixel of the photograph
    ratios: list[float | None]  # magnification in each size; None: the pass shows as much
    margin: int  # pixels of a sheet

    def box_around(self, cells: NDArray[np.bool_], ratio: float) -> Box:
        """Return the box around (h, w) ``cells``, in pixels of the photograph, the margin included."""
        rows, columns = np.flatnonzero(cells.any(axis=1)), np.flatnonzero(cells.any(axis=0))
        margin = self.margin / ratio
        low = np.floor(np.array([columns[0], rows[0]]) * CELL / self.scale - margin).astype(int).tolist()
        high = np.ceil(np.array([columns[-1] + 1, rows[-1] + 1]) * CELL / self.scale + margin)
        right, bottom = high.astype(int).tolist()
        return max(low[0], 0), max(low[1], 0), min(right, self.shape[1]), min(bottom, self.shape[0])


def _cover(
    cells: NDArray[np.bool_], wanted: NDArray[np.uint8], frame: _Frame, smallest: int = 1
) -> list[tuple[float, Box]]:
    """Return boxes, each with its magnification, that show every cell in the size that it wants.

    Either one box in the largest size, or one in a smaller size and others around the cells that want more,
    whichever takes fewer pixels.

    Args:
        cells: (h, w), those of one place.
        wanted: (h, w), the size each wants, from 1 on.
        frame: where the cells lie.
        smallest: the first size to try.
    """
    largest = int(wanted[cells].max())
    ratio = frame.ratios[largest - 1]
    if ratio is None:
        return []
    best = [(ratio, frame.box_around(cells, ratio))]
    for size in range(smallest, largest):
        lower = frame.ratios[size - 1]
        if lower is not None and lower < ratio:
            apart = [(lower, frame.box_around(cells, lower))]
            for place in _connected(cells & (wanted > size)):
                apart += _cover(place, wanted, frame, size + 1)
            best = min(best, apart, key=_count_pixels)
    return best


def _count_pixels(boxes: Sequence[tuple[float, Box]]) -> float:
    return sum(_area(box) * ratio**2 for ratio, box in boxes)


def _connected(cells: NDArray[np.bool_]) -> Iterable[NDArray[np.bool_]]:
    """Yield the connected parts of (h, w) ``cells``."""
    count, labels = cv2.connectedComponents(cells.astype(np.uint8), connectivity=8)
    return (labels == label for label in range(1, count))


def _wanted_sizes(probability: NDArray[np.float32], thresholds: Sequence[float]) -> NDArray[np.uint8]:
    """Return (h, w): how many of the sizes are too small for a cell, plus one; 0 where none is needed."""
    wanted = np.zeros(probability.shape[1:], np.uint8)
    for size, (cells, threshold) in enumerate(zip(probability, thresholds, strict=True), start=1):
        wanted[cells >= threshold] = size
    return wanted


def _magnifications(shape: tuple[int, int], coarse_ratio: float, sizes: Sequence[int]) -> list[float | None]:
    """Return the magnification in each size, None where the coarse pass shows as much.

    Small photographs are not enlarged beyond what ``Resize`` allows, so several sizes may be the same.
    """
    ratios: list[float | None] = []
    last, ratio = coarse_ratio, None
    for size in sizes:
        plan = Resize(size).plan(*shape)
        if plan.scale_x >= _MIN_GAIN * last:
            last = ratio = plan.scale_x
        ratios.append(ratio)
    return ratios


def _merge(boxes: Sequence[Box]) -> list[Box]:
    """Join boxes that overlap so much that one around both takes hardly more pixels."""
    merged = list(boxes)
    while True:
        kept: list[Box] = []
        for box in merged:
            for index, other in enumerate(kept):
                union = _union(box, other)
                if _area(union) <= _WASTE * (_area(box) + _area(other)):
                    kept[index] = union
                    break
            else:
                kept.append(box)
        if len(kept) == len(merged):
            return kept
        merged = kept


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def split_box(box: Box, ratio: float, config: CloseUpConfig) -> list[Part]:
    """Return ``box``, enlarged by ``ratio``, as parts that fit on a sheet.

    Every word up to ``overlap`` pixels long lies whole in one of them.
    """
    left, top, right, bottom = box
    columns = _intervals(left, right, max(config.sheet_widths) / ratio, config.overlap / ratio)
    rows = _intervals(top, bottom, config.sheet_height / ratio, config.overlap / ratio)
    return [
        Part(
            (x0, y0, x1, y1),
            max(1, min(round((y1 - y0) * ratio), config.sheet_height)),
            max(1, min(round((x1 - x0) * ratio), max(config.sheet_widths))),
        )
        for y0, y1 in rows
        for x0, x1 in columns
    ]


def _intervals(start: int, end: int, longest: float, overlap: float) -> list[tuple[int, int]]:
    """Split [start, end) evenly into intervals of ``longest`` at most that overlap by ``overlap``."""
    length = end - start
    if length <= longest:
        return [(start, end)]
    count = int(np.ceil((length - overlap) / (longest - overlap)))
    size = int(np.ceil((length + (count - 1) * overlap) / count))
    firsts = np.floor(np.linspace(start, end - size, count)).astype(int).tolist()
    return [(first, first + size) for first in firsts]


def pack(parts: Sequence[Part], shape: tuple[int, int], config: CloseUpConfig) -> list[Sheet]:
    """Pack parts of a photograph of ``shape`` (height, width) on sheets, with few pixels left empty."""
    if not parts:
        return []
    widest = max(part.width for part in parts)
    widths = [width for width in config.sheet_widths if width >= widest]
    packed = (_fill_sheets(parts, shape, width, config) for width in widths)
    return min(packed, key=lambda sheets: sum(sheet.height * sheet.width for sheet in sheets))


def _fill_sheets(
    parts: Sequence[Part], shape: tuple[int, int], width: int, config: CloseUpConfig
) -> list[Sheet]:
    """Place parts on shelves and shelves on sheets, highest first, each on the first with room."""
    shelves: list[list[Part]] = []
    for part in sorted(parts, key=lambda part: (-part.height, -part.width)):
        shelf = next((each for each in shelves if _end(each) + part.width <= width), None)
        if shelf is None:
            shelves.append(shelf := [])
        shelf.append(replace(part, left=_end(shelf)))
    stacks: list[list[list[Part]]] = []
    for shelf in shelves:
        stack = next(
            (each for each in stacks if _height(each) + _GAP + shelf[0].height <= config.sheet_height), None
        )
        if stack is None:
            stacks.append(stack := [])
        stack.append(shelf)
    return [_trim(stack, shape, config) for stack in stacks]


def _trim(stack: Sequence[Sequence[Part]], shape: tuple[int, int], config: CloseUpConfig) -> Sheet:
    """Return the smallest sheet that holds shelves below each other."""
    used = max(shelf[-1].left + shelf[-1].width for shelf in stack)
    width = min(width for width in config.sheet_widths if width >= used)
    return Sheet(pad_to_multiple(_height(stack), config.sheet_step), width, shape, tuple(_place(stack)))


def _end(shelf: Sequence[Part]) -> int:
    """Return where the next part of a shelf begins."""
    return shelf[-1].left + shelf[-1].width + _GAP if shelf else 0


def _height(stack: Sequence[Sequence[Part]]) -> int:
    """Return the height of shelves below each other; the first part of a shelf is its highest."""
    return sum(shelf[0].height + _GAP for shelf in stack) - _GAP


def _place(stack: Sequence[Sequence[Part]]) -> Iterable[Part]:
    top = 0
    for shelf in stack:
        yield from (replace(part, top=top) for part in shelf)
        top += shelf[0].height + _GAP


def group_by_size(sheets: Sequence[Sheet], limit: int) -> list[list[int]]:
    """Return the indices of ``sheets``, those of equal size together, up to ``limit`` in a group."""
    by_size: dict[tuple[int, int], list[int]] = {}
    for index, sheet in enumerate(sheets):
        by_size.setdefault((sheet.height, sheet.width), []).append(index)
    return [some[at : at + limit] for some in by_size.values() for at in range(0, len(some), limit)]
