"""Polygon algebra, and from a probability map to polygons."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from stsearch.geometry.polygons import (
    expand_edges,
    extent,
    offset_polygon,
    order_quad,
    overlap_areas,
    polygon_area,
    polygon_edges,
    polygon_perimeter,
    rectify,
    region_edges,
    shrink_distance,
    tilt_polygon,
    turn_quad,
    word_size,
)
from stsearch.types import Image

RECTANGLE = np.array([[10, 10], [50, 10], [50, 20], [10, 20]], np.float32)


def test_area_is_positive_clockwise_and_negative_otherwise() -> None:
    assert polygon_area(RECTANGLE) == 400
    assert polygon_area(RECTANGLE[::-1]) == -400


def test_perimeter_closes_the_outline() -> None:
    assert polygon_perimeter(RECTANGLE) == 100


@pytest.mark.parametrize(
    ("shift", "shared"),
    [
        pytest.param((0, 0), 400, id="same"),
        pytest.param((20, 0), 200, id="half over"),
        pytest.param((100, 0), 0, id="apart"),
    ],
)
def test_areas_and_shared_area(shift: tuple[int, int], shared: float) -> None:
    areas = overlap_areas([RECTANGLE], [RECTANGLE + np.array(shift, np.float32)])
    assert [float(each.item()) for each in areas] == pytest.approx([400, 400, shared])


def test_a_degenerate_polygon_has_no_area() -> None:
    point = np.zeros((4, 2), np.float32)
    assert [each.item() for each in overlap_areas([point], [point])] == [0, 0, 0]


def test_word_size_is_height_then_width_along_reading() -> None:
    assert word_size(RECTANGLE) == (10, 40)
    assert word_size(turn_quad(RECTANGLE, 1)) == (40, 10)


def test_word_size_follows_a_bent_word() -> None:
    angles = np.linspace(np.pi, 0, 7)
    circle = np.stack([np.cos(angles), -np.sin(angles)], axis=1)
    arch = np.concatenate([circle * 60, circle[::-1] * 40]).astype(np.float32)
    height, width = word_size(arch)
    assert height == pytest.approx(20, rel=0.05)
    assert width == pytest.approx(50 * np.pi, rel=0.05)


def test_edges_run_in_reading_direction() -> None:
    edges = polygon_edges(RECTANGLE, 3)
    assert edges[0].tolist() == [[10, 10], [30, 10], [50, 10]]
    assert edges[1].tolist() == [[10, 20], [30, 20], [50, 20]]


def test_expanding_edges_adds_the_margin_on_all_four_sides() -> None:
    grown = expand_edges(polygon_edges(RECTANGLE, 3), 0.1)
    assert grown[0][[0, -1]] == pytest.approx(np.array([[9, 9], [51, 9]]))
    assert grown[1][[0, -1]] == pytest.approx(np.array([[9, 21], [51, 21]]))


def test_offset_grows_and_shrinks_by_pixels() -> None:
    grown, shrunken = offset_polygon(RECTANGLE, 2), offset_polygon(RECTANGLE, -2)
    assert grown is not None
    assert shrunken is not None
    assert (grown.min(axis=0), grown.max(axis=0)) == (pytest.approx([8, 8]), pytest.approx([52, 22]))
    assert abs(polygon_area(shrunken)) == pytest.approx(36 * 6)


def test_offset_returns_none_when_nothing_is_left() -> None:
    assert offset_polygon(RECTANGLE, -6) is None


def test_offset_rounds_corners() -> None:
    grown = offset_polygon(RECTANGLE, 2)
    assert grown is not None
    assert abs(polygon_area(grown)) == pytest.approx(400 + 2 * 100 + np.pi * 2**2, rel=1e-3)


@pytest.mark.parametrize("distance", [0.5, -1.5])
def test_offset_of_an_outline_that_meets_itself_keeps_the_largest_part(distance: float) -> None:
    """Two squares of 20 and 6 pixels, joined by a line that the outline goes along and back."""
    joined = [[0, 0], [20, 0], [20, 10], [30, 10], [30, 7], [36, 7], [36, 13], [30, 13], [30, 10], [20, 10]]
    offset = offset_polygon(np.array([*joined, [20, 20], [0, 20]], np.float32), distance)
    assert offset is not None
    right = 36.5 if distance > 0 else 18.5
    assert (offset[:, 0].min(), offset[:, 0].max()) == (pytest.approx(-distance), pytest.approx(right))


def test_shrink_distance_follows_the_paper() -> None:
    assert shrink_distance(RECTANGLE, 0.4) == pytest.approx(400 * (1 - 0.16) / 100)


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
def test_order_quad_starts_at_the_top_left_of_upright_reading(turns: int) -> None:
    assert order_quad(turn_quad(RECTANGLE, turns)).tolist() == RECTANGLE.tolist()


def test_order_quad_makes_the_outline_clockwise() -> None:
    assert polygon_area(order_quad(np.ascontiguousarray(RECTANGLE[::-1]))) > 0


def test_region_columns_lie_at_cell_centres_of_the_widened_word() -> None:
    box = np.array([[0, 0], [100, 0], [100, 20], [0, 20]], np.float32)
    edges = region_edges(box, 4, 0.0)
    assert edges[0].tolist() == [[12.5, 0], [37.5, 0], [62.5, 0], [87.5, 0]]
    assert edges[1, 0].tolist() == [12.5, 20]


def test_overlaps_among_polygons_are_those_of_any_two() -> None:
    random = np.random.default_rng(0)
    polygons = [
        cv2.boxPoints(((x, y), (20, 9), angle)).astype(np.float32)
        for x, y, angle in random.uniform(0, 40, (12, 3))
    ]
    among, against = overlap_areas(polygons, polygons), overlap_areas(polygons, list(polygons))
    for left, right in zip(among, against, strict=True):
        assert left == pytest.approx(right)
    assert np.diag(among[2]) == pytest.approx(among[0])


def picture() -> Image:
    """Return a picture whose red grows to the right and whose green grows downwards."""
    columns, rows = np.meshgrid(np.arange(200), np.arange(100))
    return np.stack([columns, 2 * rows, np.zeros_like(rows)], axis=2).astype(np.uint8)


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        pytest.param(0, np.index_exp[:, :], id="as it lies"),
        pytest.param(2, np.index_exp[::-1, ::-1], id="on its head"),
    ],
)
def test_a_crop_of_its_own_size_is_the_pixels_themselves(turns: int, expected: tuple[slice, slice]) -> None:
    quad = turn_quad(np.array([[40, 20], [80, 20], [80, 30], [40, 30]], np.float32), turns)
    assert (rectify(picture(), quad, (10, 40), 0.0) == picture()[20:30, 40:80][expected]).all()


def test_a_word_that_runs_down_comes_out_upright() -> None:
    quad = np.array([[60, 20], [60, 60], [50, 60], [50, 20]], np.float32)  # begins at the top right
    crop = rectify(picture(), quad, (10, 40), 0.0)
    assert (crop == np.rot90(picture()[20:60, 50:60])).all()


def test_a_large_word_is_averaged_not_picked() -> None:
    stripes = np.zeros((80, 320, 3), np.uint8)
    stripes[:, ::2] = 200
    quad = np.array([[0, 0], [320, 0], [320, 80], [0, 80]], np.float32)
    assert np.abs(rectify(stripes, quad, (20, 80), 0.0).astype(int) - 100).max() <= 1


def test_the_margin_and_what_lies_beyond_the_picture_continue_its_border() -> None:
    light = np.full((10, 40, 3), 90, np.uint8)
    quad = np.array([[-20, -5], [60, -5], [60, 15], [-20, 15]], np.float32)
    assert (rectify(light, quad, (8, 32), 0.5) == 90).all()
    grown = rectify(picture(), np.array([[50, 40], [70, 40], [70, 50], [50, 50]], np.float32), (20, 40), 0.5)
    assert (grown[0, 0, 0], grown[0, 0, 1]) == pytest.approx((45, 70), abs=2)


def test_a_polygon_outside_the_picture_is_no_error() -> None:
    quad = np.array([[500, 500], [540, 500], [540, 510], [500, 510]], np.float32)
    assert rectify(picture(), quad, (8, 32), 0.1).shape == (8, 32, 3)


def test_the_extent_of_a_picture_is_all_of_it() -> None:
    assert extent(np.zeros((20, 30, 3), np.uint8)).tolist() == [[0, 0], [30, 0], [30, 20], [0, 20]]


def test_a_tilted_polygon_is_turned_clockwise_about_its_centre() -> None:
    expected = [[35, -5], [35, 35], [25, 35], [25, -5]]
    assert tilt_polygon(RECTANGLE, 90).tolist() == pytest.approx(np.array(expected))
    assert tilt_polygon(RECTANGLE, 10)[1, 1] > tilt_polygon(RECTANGLE, 10)[0, 1]
    assert tilt_polygon(RECTANGLE, 10).dtype == np.float32
