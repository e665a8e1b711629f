"""Windows of elongated photographs: how they are laid, and that no word is lost between two."""

from __future__ import annotations

import numpy as np
import pytest

from stsearch.geometry.polygons import box, tilt_polygon
from stsearch.spotting.windows import Window, join_windows, split_photo
from stsearch.types import Polygon, TextInstance

EMBEDDING = np.ones(1, np.float32)


def instance(polygon: Polygon) -> TextInstance:
    return TextInstance(polygon, 1.0, "word", 1.0, EMBEDDING)


def spot_windows(word: Polygon, windows: list[Window]) -> list[TextInstance]:
    """Return what a perfect spotter sees of ``word`` in each window, joined."""
    found = []
    for window in windows:
        visible = np.clip(word, (window.left, window.top), (window.right, window.bottom))
        seen = np.ptp(visible, axis=0).min() > 0
        corner = np.array([window.left, window.top])
        found.append([instance((visible - corner).astype(np.float32))] if seen else [])
    return join_windows(windows, found)


@pytest.mark.parametrize("shape", [(960, 1280), (1000, 400), (400, 1000), (1, 1), (20, 600)])
def test_a_photograph_of_moderate_aspect_is_one_window(shape: tuple[int, int]) -> None:
    assert split_photo(shape) == [Window(0, 0, shape[1], shape[0], shape)]


@pytest.mark.parametrize("shape", [(12000, 1080), (1080, 12000), (3001, 1200), (30, 3000), (1, 5000)])
def test_windows_cover_an_elongated_photograph_and_overlap(shape: tuple[int, int]) -> None:
    windows = split_photo(shape)
    seen = np.zeros(max(shape), np.int64)
    for window in windows:
        spans = sorted([(window.left, window.right), (window.top, window.bottom)], key=lambda s: s[1] - s[0])
        assert spans[0] == (0, min(shape))
        seen[slice(*spans[1])] += 1
    assert len(windows) > 1
    assert seen.min() >= 1
    assert (seen[1:-1] > 1).any() or min(shape) == 1


WORDS = [
    pytest.param(box(0, 0, 300, 44), id="horizontal"),
    pytest.param(box(0, 0, 44, 300), id="vertical"),
    pytest.param(tilt_polygon(box(0, 0, 300, 44), 30), id="tilted"),
]


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("shape", [(6000, 1080), (1080, 6000)])
def test_a_word_at_any_place_along_the_photograph_is_found_whole(
    word: Polygon, shape: tuple[int, int]
) -> None:
    windows = split_photo(shape)
    axis = 1 if shape[0] > shape[1] else 0
    start = word - word.min(axis=0) + np.float32(300) * np.eye(2, dtype=np.float32)[1 - axis]
    for offset in range(0, max(shape) - int(np.ptp(word[:, axis])), 23):
        moved = (start + offset * np.eye(2)[axis]).astype(np.float32)
        found = spot_windows(moved, windows)
        assert found
        assert all(np.allclose(each.polygon, moved, atol=1e-3) for each in found), offset


@pytest.mark.parametrize("shape", [(500, 1400), (1400, 500), (500, 3000)])
def test_a_word_as_long_as_an_elongated_photograph_is_found_whole(shape: tuple[int, int]) -> None:
    height, width = shape
    word = box(0.1 * width, 0.1 * height, 0.9 * width, 0.9 * height)
    [found] = spot_windows(word, split_photo(shape))
    assert found.polygon == pytest.approx(word, abs=1e-3)


def test_a_scrolling_screenshot_is_not_looked_at_as_a_whole() -> None:
    assert all(window.bottom - window.top == 2160 for window in split_photo((12000, 1080)))


def test_a_window_shows_its_part_of_the_photograph() -> None:
    photo = np.arange(3000, dtype=np.uint8)[:, None, None] * np.ones((1, 1000, 3), np.uint8)
    first, second, _ = split_photo(photo.shape[:2])
    assert first.cut(photo).shape == second.cut(photo).shape == (2000, 1000, 3)
    assert (second.cut(photo) == photo[1000:]).all()
