"""drawing.py: outlines lie where the words are, labels stay in the picture, crops are upright."""

from __future__ import annotations

import numpy as np
import pytest

from stsearch.pages.drawing import close_up, cut_word, outline_words, shrink
from stsearch.types import Image, Polygon

GREY = 128


def blank(height: int, width: int) -> Image:
    return np.full((height, width, 3), GREY, np.uint8)


def box(left: float, top: float, right: float, bottom: float) -> Polygon:
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


def touched(image: Image) -> tuple[int, int, int, int]:
    """Return the bounds (left, top, right, bottom) of what is no longer grey."""
    y, x = np.nonzero((image != GREY).any(axis=2))
    return int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1


def test_an_outline_lies_beside_the_word_and_leaves_its_letters() -> None:
    drawn = outline_words(blank(100, 200), [box(50, 30, 150, 70)])
    left, top, right, bottom = touched(drawn)
    assert (left, top, right, bottom) == pytest.approx((44, 24, 156, 76), abs=2)
    assert (drawn[30:70, 50:150] == GREY).all()


def test_the_picture_that_was_given_stays_as_it_is() -> None:
    image = blank(50, 50)
    outline_words(image, [box(10, 10, 40, 40)], ["word"])
    assert (image == GREY).all()


def test_outlines_of_large_pictures_are_thicker() -> None:
    small, large = (outline_words(blank(s, s), [box(s / 4, s / 4, s / 2, s / 2)]) for s in (300, 3000))
    assert (large != GREY).any(axis=2)[:, 1000].sum() > 2 * (small != GREY).any(axis=2)[:, 100].sum()


def test_nowhere_outlines_nothing() -> None:
    nowhere = np.zeros((0, 2), np.float32)
    assert (outline_words(blank(50, 50), [nowhere], ["word"]) == GREY).all()


@pytest.mark.parametrize(
    ("word", "above"),
    [
        pytest.param(box(50, 100, 150, 130), True, id="above the word"),
        pytest.param(box(50, 5, 150, 35), False, id="below where there is no room"),
        pytest.param(box(280, 100, 299, 130), True, id="not beyond the right border"),
    ],
)
def test_a_label_is_written_beside_the_word(word: Polygon, above: bool) -> None:
    bare, labelled = (outline_words(blank(200, 300), [word], labels) for labels in ((), ["0.92 garden"]))
    y, x = np.nonzero((bare != labelled).any(axis=2))
    assert (y.max() < 100) if above else (y.min() > 35)
    assert x.max() - x.min() > 40


@pytest.mark.parametrize("label", ["日本 \ud800", "a" * 500], ids=["no such letters", "too long"])
def test_a_label_that_cannot_be_written_in_full_is_no_error(label: str) -> None:
    assert outline_words(blank(60, 80), [box(10, 10, 40, 40)], [label]).shape == (60, 80, 3)


def test_a_crop_shows_the_word_upright() -> None:
    image = blank(200, 200)
    image[50:150, 80:100] = (255, 0, 0)  # reads downwards: its upper edge is on the right
    image[50:60, 80:100] = (0, 255, 0)  # where reading starts
    crop = cut_word(image, np.array([[100, 50], [100, 150], [80, 150], [80, 50]], np.float32), 40)
    assert crop.shape == (40, 163, 3)
    assert crop[20, 15].tolist() == [0, 255, 0]
    assert crop[20, 100].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("word", "width"),
    [(box(0, 0, 1000, 1), 480), (box(0, 0, 1, 1000), 9), (box(5, 5, 5, 5), 3)],
    ids=["flat", "narrow", "a point"],
)
def test_a_crop_is_never_absurdly_wide_or_narrow(word: Polygon, width: int) -> None:
    assert cut_word(blank(20, 20), word, 40).shape == (40, width, 3)


def test_a_large_picture_shrinks_and_a_small_one_stays() -> None:
    small, large = blank(30, 40), blank(300, 400)
    assert shrink(small, 100)[0] is small
    shrunk, scale = shrink(large, 100)
    assert (shrunk.shape, scale) == ((75, 100, 3), 0.25)


def test_a_close_up_shows_the_word_outlined_in_its_surroundings() -> None:
    shown = close_up(blank(400, 600), box(300, 200, 340, 210), 720)
    assert shown.shape == (90, 120, 3)
    assert touched(shown) == pytest.approx((35, 35, 85, 55), abs=3)


def test_a_close_up_at_the_border_ends_there() -> None:
    assert close_up(blank(100, 100), box(80, 90, 130, 120), 720).shape == (60, 70, 3)


def test_a_close_up_is_no_larger_than_asked_and_of_no_word_the_whole_picture() -> None:
    assert close_up(blank(400, 600), box(100, 100, 300, 150), 300).shape == (210, 300, 3)
    assert close_up(blank(400, 600), np.zeros((0, 2), np.float32), 300).shape == (200, 300, 3)
