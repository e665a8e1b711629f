from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pytest

from stsearch.geometry.polygons import box
from stsearch.spotting.recognition import RecognizerRunner
from stsearch.spotting.rescoring import CropReading
from stsearch.spotting.stacks import CELL, Stack, find_stacks, read_stack
from stsearch.text.decoding import Reading
from stsearch.types import Image, TextInstance


def letter(text: str, x: float, y: float, size: float = 20.0) -> TextInstance:
    """Return a letter whose centre is (x, y)."""
    polygon = box(x - size / 2, y - size / 2, x + size / 2, y + size / 2)
    return TextInstance(polygon, 0.5, text, 0.9, np.zeros(4, np.float32))


def stack_of(count: int) -> Stack:
    return Stack(np.array([50.0, 30.0]), np.array([0.0, 30.0]), (24.0, 20.0), count, 0.5)


def test_three_letters_below_each_other_are_a_stack() -> None:
    [stack] = find_stacks([letter("A", 50, 60), letter("R", 51, 90), letter("B", 49, 30)])
    assert stack.count == 3
    assert stack.polygon.min(axis=0) == pytest.approx([39, 19], abs=2)
    assert stack.polygon.max(axis=0) == pytest.approx([61, 101], abs=2)


def test_a_letter_that_is_not_outlined_has_its_place_between_the_others() -> None:
    [stack] = find_stacks([letter("H", 50, 30), letter("O", 50, 60), letter("E", 50, 120)])
    assert stack.count == 4
    assert stack.step == pytest.approx([0, 30])


def test_several_outlines_of_a_letter_are_one_letter() -> None:
    found = [letter("B", 50, 30), letter("8", 51, 32), letter("A", 50, 60), letter("R", 50, 90)]
    assert [stack.count for stack in find_stacks(found)] == [3]


@pytest.mark.parametrize(
    "found",
    [
        pytest.param([letter("A", 50, 30), letter("B", 50, 60)], id="two"),
        pytest.param([letter("A", 50, 30), letter("B", 50, 60), letter("C", 80, 90)], id="not in a line"),
        pytest.param([letter("A", 50, 30), letter("B", 50, 60), letter("C", 50, 100, 50)], id="unlike"),
        pytest.param([letter("A", 50, 30), letter("B", 50, 160), letter("C", 50, 290)], id="far apart"),
        pytest.param([letter("AB", 50, 30), letter("CD", 50, 60), letter("EF", 50, 90)], id="words"),
        pytest.param([letter("-", 50, 30), letter("-", 50, 60), letter("-", 50, 90)], id="no letters"),
        pytest.param([letter("A", 50 + x, 30 + y) for x in (0, 25, 50) for y in (0, 30, 60)], id="grid"),
        pytest.param([], id="nothing"),
    ],
)
def test_what_is_no_word_of_stacked_letters_is_none(found: list[TextInstance]) -> None:
    assert find_stacks(found) == []


def test_letters_are_laid_out_side_by_side() -> None:
    image = np.zeros((120, 100, 3), np.uint8)
    for row, colour in enumerate((50, 150, 250)):
        image[18 + 30 * row : 42 + 30 * row] = colour
    picture = stack_of(3).lay_out(image)
    assert picture.shape == (CELL[0], 3 * CELL[1], 3)
    assert picture[32, CELL[1] // 2 :: CELL[1], 0].tolist() == [50, 150, 250]


class CountingRecognizer(RecognizerRunner):
    """Reads a picture of n cells as what it is told for n."""

    def __init__(self, told: Callable[[int], tuple[str, float]]) -> None:
        self.told = told

    def read_pictures(self, pictures: Iterable[Image], augment: bool = False) -> Iterator[CropReading]:
        for picture in pictures:
            text, confidence = self.told(picture.shape[1] // CELL[1])
            reading = Reading(text, (confidence ** (1 / len(text)),) * len(text))
            yield CropReading(np.zeros((1, 1), np.float32), reading, b"", upside_down=False)


def read(told: Sequence[tuple[str, float]]) -> tuple[int, str] | None:
    """Return letters and text of a stack of three, given what is read of 3, 4, ... letters."""
    recognizer = CountingRecognizer(lambda count: told[min(count - 3, len(told) - 1)])
    word = read_stack(stack_of(3), np.zeros((300, 100, 3), np.uint8), recognizer)
    return word and (word[0].count, word[1].best.text)


def test_a_stack_grows_by_letters_that_are_not_outlined() -> None:
    assert read([("HOT", 0.99), ("HOTE", 0.99), ("HOTEL", 0.99), ("HOTEL", 0.99)]) == (5, "HOTEL")


def test_a_stack_does_not_grow_by_what_is_read_with_doubt() -> None:
    assert read([("BAR", 0.99), ("BARE", 0.9)]) == (3, "BAR")


def test_a_stack_that_is_read_with_doubt_is_no_word() -> None:
    assert read([("BAR", 0.6), ("BARE", 0.3)]) is None


def test_a_stack_that_is_read_as_less_than_three_letters_is_no_word() -> None:
    assert read([("11", 0.99)]) is None
