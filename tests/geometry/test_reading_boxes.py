"""Where words are, and which show the same place."""

from __future__ import annotations

import numpy as np

from stsearch.geometry.reading_boxes import ReadingBoxes
from stsearch.types import Polygon


def box(left: float, top: float, width: float, height: float = 10, angle: float = 0) -> Polygon:
    corners = np.array([[left, top], [left + width, top], [left + width, top + height], [left, top + height]])
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.asarray(corners @ turn, np.float32)


def test_fragments_and_words_run_together_show_the_place_of_the_word() -> None:
    polygons = [box(0, 0, 60), box(5, 1, 20), box(0, 0, 120), box(61, 0, 59), box(0, 40, 60)]
    expected = np.eye(5, dtype=bool)
    for a, b in [(0, 1), (0, 2), (1, 2), (2, 3)]:
        expected[a, b] = expected[b, a] = True
    assert (ReadingBoxes.of(polygons).same_place() == expected).all()


def test_a_steep_word_lies_beside_the_next_though_their_boxes_overlap() -> None:
    steep = [box(0, 0, 100, angle=0.8), box(0, 14, 100, angle=0.8)]
    assert not ReadingBoxes.of(steep).same_place()[0, 1]
    assert ReadingBoxes.of([box(0, 0, 100, angle=0.8), box(10, 2, 30, angle=0.8)]).same_place().all()


def test_a_word_that_is_gone_shows_no_place() -> None:
    assert not ReadingBoxes.of([box(0, 0, 60), np.full((4, 2), np.nan, np.float32)]).same_place()[0, 1]


def test_no_words_show_no_places() -> None:
    assert ReadingBoxes.of([]).same_place().shape == (0, 0)
