"""From a probability map to the polygons of words."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from polygon_fixtures import polygon_iou

from stsearch.config import BinarizationThresholds
from stsearch.geometry.polygons import offset_polygon, polygon_area, shrink_distance
from stsearch.spotting.postprocess import polygons_from_map


def draw_kernel(polygon: NDArray[np.float32], size: int = 160) -> NDArray[np.float32]:
    """Return a map that is 1 inside the shrunken ``polygon``, as a perfect detector would answer."""
    kernel = offset_polygon(polygon, -shrink_distance(polygon, 0.4))
    assert kernel is not None
    probability = np.zeros((size, size), np.float32)
    cv2.fillPoly(probability, [np.round((kernel - 0.5) * 16).astype(np.int32)], 1.0, shift=4)
    return probability


@pytest.mark.parametrize("angle", [0, 20, 80])
def test_a_perfect_kernel_grows_back_to_its_word(angle: float) -> None:
    turn = cv2.getRotationMatrix2D((80, 80), angle, 1)
    word = np.array([[30, 65], [130, 65], [130, 95], [30, 95]], np.float32)
    word = (word @ turn[:, :2].T + turn[:, 2]).astype(np.float32)
    [(polygon, score)] = polygons_from_map(draw_kernel(word), BinarizationThresholds(), 3, 10)
    assert polygon_iou(polygon, word) > 0.85
    assert score == pytest.approx(1.0, abs=0.02)


def test_a_bent_kernel_becomes_a_bent_polygon() -> None:
    angles = np.linspace(np.pi * 0.69, np.pi * 0.31, 7)
    circle = np.stack([np.cos(angles), -np.sin(angles)], axis=1)
    arch = (np.concatenate([circle * 120, circle[::-1] * 98]) + np.array([80, 160])).astype(np.float32)
    [(polygon, _)] = polygons_from_map(draw_kernel(arch), BinarizationThresholds(), 3, 10)
    assert len(polygon) == 14
    assert polygon_iou(polygon, arch) > 0.7
    assert polygon[0][0] < polygon[6][0]
    assert polygon_area(polygon) > 0


@pytest.mark.parametrize("span", [1.6, 2.4, np.pi, 3.8])
@pytest.mark.parametrize("over", [pytest.param(True, id="over"), pytest.param(False, id="under")])
def test_a_word_around_half_a_circle_is_outlined_along_it(span: float, over: bool) -> None:
    angles = np.linspace(-span / 2, span / 2, 40)
    circle = np.stack([np.sin(angles), -np.cos(angles) if over else np.cos(angles)], axis=1)
    upper, lower = (70, 48) if over else (48, 70)
    word = (np.concatenate([circle * upper, circle[::-1] * lower]) + 80).astype(np.float32)
    [(polygon, _)] = polygons_from_map(draw_kernel(word), BinarizationThresholds(), 3, 10)
    assert polygon_iou(polygon, word) > 0.7
    assert polygon_area(polygon) > 0
    half = len(polygon) // 2
    ends = np.stack([polygon[0], polygon[half - 1], polygon[half], polygon[-1]])
    assert np.abs(ends - word[[0, 39, 40, -1]]).max() < 12


def test_a_ring_is_no_arc() -> None:
    ring = np.zeros((160, 160), np.float32)
    cv2.circle(ring, (80, 80), 12, 1.0, 8)
    found = polygons_from_map(ring, BinarizationThresholds(), 3, 10)
    assert {len(polygon) for polygon, _ in found} == {4}


def test_a_straight_kernel_with_ragged_edges_becomes_a_quad() -> None:
    word = np.array([[30, 65], [130, 65], [130, 95], [30, 95]], np.float32)
    kernel = draw_kernel(word)
    rows, columns = np.nonzero(kernel)
    middle = (rows.min() + rows.max()) // 2
    kernel[:middle, columns.min() : columns.max() + 1 : 2] = 0
    kernel[middle + 1 :, columns.min() + 1 : columns.max() + 1 : 2] = 0
    [(polygon, _)] = polygons_from_map(kernel, BinarizationThresholds(), 3, 10)
    assert len(polygon) == 4
    assert polygon_iou(polygon, word) > 0.7


def test_an_empty_map_holds_no_polygon() -> None:
    assert polygons_from_map(np.zeros((20, 20), np.float32), BinarizationThresholds(), 3, 10) == []


def test_weak_small_and_surplus_kernels_are_dropped() -> None:
    probability = np.zeros((100, 100), np.float32)
    probability[10:20, 10:60] = 0.9
    probability[30:40, 10:60] = 0.4  # weak
    probability[50, 50] = 0.9  # small
    probability[70:80, 10:60] = 0.8
    found = polygons_from_map(probability, BinarizationThresholds(), 4, 10)
    assert [round(score, 2) for _, score in found] == [0.9, 0.8]
    assert len(polygons_from_map(probability, BinarizationThresholds(), 4, 1)) == 1
