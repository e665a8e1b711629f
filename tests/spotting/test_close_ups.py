"""Close-ups: what is looked at, how it is packed, and that no word is lost at a border."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from stsearch.config import CloseUpConfig
from stsearch.geometry.polygons import box, overlap_areas, tilt_polygon
from stsearch.images import Resize
from stsearch.spotting.close_ups import CELL, Sheet, plan_close_ups
from stsearch.types import Polygon

ONE_SIZE = CloseUpConfig(sizes=(1280,), phrases=("small",), heights=(48.0,), thresholds=(0.5,))
MAP_SIZE = 640
SHAPE = (
    960,
    1280,
)  # of the photographs below, unless they say otherwise: two pixels a pixel of the coarse pass


def make_map(shape: tuple[int, int] = SHAPE, sizes: int = 1, value: float = 0.0) -> NDArray[np.float32]:
    plan = Resize(MAP_SIZE).plan(*shape)
    return np.full((sizes, plan.padded_height // CELL, plan.padded_width // CELL), value, np.float32)


def plan(
    probability: NDArray[np.float32], config: CloseUpConfig = ONE_SIZE, shape: tuple[int, int] = SHAPE
) -> list[Sheet]:
    return plan_close_ups(probability, shape, MAP_SIZE, config)


def find_on_sheets(word: Polygon, sheets: list[Sheet]) -> list[Polygon]:
    """Return what a perfect detector sees of a word on each part, moved back to the photograph."""
    found = []
    for sheet, part in [(each, part) for each in sheets for part in each.parts]:
        left, top, right, bottom = part.box
        visible = np.clip(word, (left, top), (right, bottom))
        if np.ptp(visible, axis=0).min() > 0:
            shown = (visible - part.box[:2]) * part.scale + (part.left, part.top)
            moved = sheet.to_photo(shown.astype(np.float32))
            found += [moved] if moved is not None else []
    return found


def iou(a: Polygon, b: Polygon) -> float:
    first, second, shared = overlap_areas([a], [b])
    return float(shared[0, 0] / (first[0] + second[0] - shared[0, 0]))


def test_an_empty_map_needs_no_close_up() -> None:
    assert plan(make_map()) == []


def test_a_threshold_of_0_looks_at_the_whole_photograph() -> None:
    sheets = plan(make_map(), dataclasses.replace(ONE_SIZE, thresholds=(0.0,)))
    seen = np.zeros(SHAPE, bool)
    for part in (part for sheet in sheets for part in sheet.parts):
        left, top, right, bottom = part.box
        seen[top:bottom, left:right] = True
    assert seen.all()


def test_one_cell_is_looked_at_with_its_margin() -> None:
    probability = make_map()
    probability[0, 5, 7] = 0.9
    [sheet] = plan(probability, dataclasses.replace(ONE_SIZE, margin=24))
    [part] = sheet.parts
    assert part.box == (448 - 24, 320 - 24, 512 + 24, 384 + 24)
    assert (part.width, part.height) == (112, 112)  # 1280 is the photograph's own size


def list_boxes(sheets: list[Sheet]) -> list[tuple[float, tuple[int, int, int, int]]]:
    return sorted((round(float(part.scale[0]), 2), part.box) for sheet in sheets for part in sheet.parts)


def test_cells_that_touch_are_one_place_in_the_largest_size_they_need() -> None:
    config = dataclasses.replace(CloseUpConfig(), margin=0)
    probability = make_map((1920, 2560), sizes=3)
    probability[0, 3, 3:6] = 0.9
    probability[1, 3, 4:6] = 0.9
    sheets = plan(probability, config, (1920, 2560))
    assert list_boxes(sheets) == [(0.75, (3 * 128, 3 * 128, 6 * 128, 4 * 128))]


def test_a_few_cells_that_need_a_larger_size_are_looked_at_apart_where_that_takes_fewer_pixels() -> None:
    config = dataclasses.replace(CloseUpConfig(), margin=0)
    probability = make_map((1920, 2560), sizes=3)
    probability[0, 3, 3:13] = 0.9
    probability[1, 3, 6] = 0.9
    probability[2, 3, 6] = 0.99
    sheets = plan(probability, config, (1920, 2560))
    assert list_boxes(sheets) == [
        (0.5, (3 * 128, 3 * 128, 13 * 128, 4 * 128)),
        (1.0, (6 * 128, 3 * 128, 7 * 128, 4 * 128)),
    ]


def test_a_small_photograph_is_magnified_no_more_than_twice() -> None:
    shape = (480, 640)
    probability = make_map(shape, sizes=3, value=0.9)
    scales = {part.scale[0] for sheet in plan(probability, CloseUpConfig(), shape) for part in sheet.parts}
    assert scales == {2.0}


def test_a_photograph_that_the_coarse_pass_magnifies_twice_needs_no_close_up() -> None:
    assert plan(make_map((240, 320), value=0.9), shape=(240, 320)) == []


@pytest.mark.parametrize("seed", range(4))
def test_parts_of_a_sheet_keep_apart_and_fit_on_it(seed: int) -> None:
    random = np.random.default_rng(seed)
    probability = (random.random((3, 15, 20)) ** 8).astype(np.float32)
    for sheet in plan(probability, CloseUpConfig(), (1920, 2560)):
        assert sheet.width in CloseUpConfig().sheet_widths
        assert sheet.height % CloseUpConfig().sheet_step == 0
        for part in sheet.parts:
            assert part.left + part.width <= sheet.width
            assert part.top + part.height <= sheet.height
        for a, b in itertools.combinations(sheet.parts, 2):
            apart_x = max(b.left - a.left - a.width, a.left - b.left - b.width)
            apart_y = max(b.top - a.top - a.height, a.top - b.top - b.height)
            assert max(apart_x, apart_y) >= 32


def test_what_is_cut_lies_where_the_way_back_says() -> None:
    photo = np.zeros((*SHAPE, 3), np.uint8)
    photo[300:340, 400:520] = 255
    probability = make_map()
    probability[0, 4:6, 6:9] = probability[0, 12, 15] = 0.9
    [sheet] = plan(probability)
    rows, columns = np.nonzero(sheet.cut(photo)[:, :, 0])
    drawn = box(columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
    moved = sheet.to_photo(drawn)
    assert moved is not None
    assert moved.tolist() == [[400, 300], [520, 300], [520, 340], [400, 340]]


def test_an_enlarged_part_is_cut_at_its_size() -> None:
    photo = np.full((480, 640, 3), 200, np.uint8)
    probability = make_map((480, 640))
    probability[0, 3, 3] = 0.9
    [sheet] = plan(probability, shape=(480, 640))
    [part] = sheet.parts
    assert int((sheet.cut(photo)[:, :, 0] == 200).sum()) == part.width * part.height == (64 + 64) ** 2


def test_a_point_between_the_parts_is_in_no_photograph() -> None:
    probability = make_map()
    probability[0, 2, 2] = probability[0, 2, 12] = 0.9
    [sheet] = plan(probability)
    first = sheet.parts[0]
    gap = box(first.width + 5, 5, first.width + 25, 15)
    assert sheet.to_photo(gap) is None


def test_a_word_that_the_border_of_its_part_cuts_is_dropped() -> None:
    probability = make_map()
    probability[0, 5, 5] = 0.9
    [sheet] = plan(probability)
    [part] = sheet.parts
    assert sheet.to_photo(box(part.width - 60, 40, part.width - 1, 60)) is None


def test_a_word_at_the_border_of_the_photograph_is_kept() -> None:
    probability = make_map()
    probability[0, 0, 0] = 0.9
    [sheet] = plan(probability)
    moved = sheet.to_photo(box(0, 0, 60, 20))
    assert moved is not None
    assert moved.tolist() == [[0, 0], [60, 0], [60, 20], [0, 20]]


WORDS = [
    pytest.param(box(0, 0, 120, 20), id="horizontal"),
    pytest.param(box(0, 0, 20, 120), id="vertical"),
    pytest.param(tilt_polygon(box(0, 0, 120, 20), 30), id="tilted"),
    pytest.param(tilt_polygon(box(0, 0, 120, 20), -60), id="tilted-steeply"),
]


@pytest.mark.parametrize("word", WORDS)
def test_a_word_at_any_offset_from_the_borders_of_parts_is_found_whole(word: Polygon) -> None:
    # Sheets so small that the photograph, which is covered with text, takes four by four parts.
    config = dataclasses.replace(ONE_SIZE, sheet_widths=(480,), sheet_height=480)
    sheets = plan(make_map(value=0.9), config)
    assert len(sheets) > 8
    size = np.ptp(word, axis=0)
    start = word - word.min(axis=0)
    for x in range(0, int(SHAPE[1] - size[0]), 37):
        for y in range(0, int(SHAPE[0] - size[1]), 37):
            moved = (start + np.array([x, y])).astype(np.float32)
            assert any(iou(moved, found) > 0.99 for found in find_on_sheets(moved, sheets)), (x, y)


@pytest.mark.parametrize("word", WORDS)
def test_a_word_at_any_offset_from_the_cells_is_found_whole(word: Polygon) -> None:
    """The map shows each cell that the word's box touches, no more."""
    size = np.ptp(word, axis=0)
    for x, y in itertools.product(range(300, 365, 3), range(300, 365, 9)):
        moved = (word - word.min(axis=0) + np.array([x, y])).astype(np.float32)
        probability = make_map()
        cells = 2 * CELL
        rows, columns = (
            slice(y // cells, int(y + size[1] - 1) // cells + 1),
            slice(x // cells, int(x + size[0] - 1) // cells + 1),
        )
        probability[0, rows, columns] = 0.9
        assert any(iou(moved, found) > 0.99 for found in find_on_sheets(moved, plan(probability))), (x, y)
