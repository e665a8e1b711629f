"""Words whose letters stand below each other: found among single letters, laid side by side to be read.

A detector outlines each letter of such a word alone, and misses some. The others say where they stand: the
letters have one pitch. Columns of letters in a grid, such as a crossword, are no words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stsearch.geometry.polygons import box, rectify
from stsearch.spotting.recognition import RecognizerRunner
from stsearch.spotting.rescoring import CropReading
from stsearch.text.charset import normalize
from stsearch.types import Image, Polygon, Quad, TextInstance

CELL = (64, 48)
"""Height and width of a letter in the picture that a stack is laid out in, pixels."""

_MIN_LETTERS = 3  # that are outlined; of fewer the pitch is a guess
_MIN_LETTER_CONFIDENCE = 0.5
_MAX_SLOPE = 0.3  # of the upper edge of a letter that stands upright
_LETTER_RATIOS = (0.3, 2.0)  # of width to height
_SAME_PLACE = 0.4  # of a height: outlines whose centres are nearer are of one letter
_MAX_OFFSET = 0.5  # of a width, from a letter to the next, sideways
_GAPS = (0.6, 3.5)  # of a height, from a letter to the next that is outlined, down
_MAX_SIZE_RATIO = 1.7  # of two letters of a word
_CELL_HEIGHT, _CELL_WIDTH = 1.1, 1.05  # of the largest letter's
_MIN_CONFIDENCE = 0.9  # of the reading of a stack
_MIN_GROWN_CONFIDENCE = 0.97  # of the reading with one more letter, which no outline speaks for


@dataclass(frozen=True, slots=True, eq=False)
class _Letter:
    centre: NDArray[np.float32]  # (2,) pixels, as all lengths here
    width: float
    height: float
    instance: TextInstance


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Letters below each other.

    Attributes:
        first: (2,) centre of the uppermost, in pixels.
        step: (2,) from a centre to the next below.
        size: (height, width) of the cell of a letter.
        count: how many letters there are.
        score: of their outlines, the mean.
    """

    first: NDArray[np.float64]
    step: NDArray[np.float64]
    size: tuple[float, float]
    count: int
    score: float

    def grow(self, above: int, below: int) -> Stack:
        """Return the stack with so many letters more at its ends."""
        return replace(self, first=self.first - above * self.step, count=self.count + above + below)

    @property
    def polygon(self) -> Quad:
        """The outline of all letters: TL, TR, BR, BL."""
        height, width = self.size
        top, bottom = self.first, self.first + (self.count - 1) * self.step
        corners = [(-1, -1), (1, -1), (1, 1), (-1, 1)]
        ends = (top, top, bottom, bottom)
        return np.array(
            [end + np.array([x * width, y * height]) / 2 for end, (x, y) in zip(ends, corners, strict=True)],
            np.float32,
        )

    def lay_out(self, image: Image) -> Image:
        """Return a picture of the letters of ``image`` (H, W, 3) side by side, a ``CELL`` each."""
        height, width = self.size
        centres = (self.first + index * self.step for index in range(self.count))
        cells = (
            box(x - width / 2, y - height / 2, x + width / 2, y + height / 2) for x, y in map(tuple, centres)
        )
        return np.concatenate([rectify(image, cell, CELL, 0.0) for cell in cells], axis=1)


def find_stacks(read: Sequence[TextInstance]) -> list[Stack]:
    """Return the columns of three letters or more among the words that were ``read``."""
    letters = _letters(read)
    stacks = []
    left = list(range(len(letters)))
    while left:
        chain = _chain(letters, left)
        left = [at for at in left if at not in chain]
        column = [letters[at] for at in chain]
        stack = _stack(column)
        if stack is not None and not _is_grid(column, letters, float(stack.step[1])):
            stacks.append(stack)
    return stacks


def read_stack(stack: Stack, image: Image, recognizer: RecognizerRunner) -> tuple[Stack, CropReading] | None:
    """Read a stack of ``image``, grown by letters at its ends that were not outlined; None: it is no word.

    It grows while every new letter is read, and the reading stays certain.
    """
    [reading] = recognizer.read_pictures([stack.lay_out(image)])
    for above, below in ((0, 1), (1, 0)):
        while True:
            grown = stack.grow(above, below)
            [longer] = recognizer.read_pictures([grown.lay_out(image)])
            enough = min(_MIN_GROWN_CONFIDENCE, reading.best.confidence)
            gains = len(normalize(reading.best.text)) < len(normalize(longer.best.text)) <= grown.count
            if not gains or longer.best.confidence < enough:
                break
            stack, reading = grown, longer
    letters = len(normalize(reading.best.text))
    is_word = letters >= _MIN_LETTERS and reading.best.confidence >= _MIN_CONFIDENCE
    return (stack, reading) if is_word else None


def _letters(read: Sequence[TextInstance]) -> list[_Letter]:
    """Return the upright single letters, from top to bottom; of several outlines the most confident."""
    letters: list[_Letter] = []
    for instance in sorted(read, key=lambda each: each.char_confidence, reverse=True):
        if len(instance.transcript) != 1 or not normalize(instance.transcript):
            continue
        if instance.char_confidence < _MIN_LETTER_CONFIDENCE or not _is_upright(instance.polygon):
            continue
        low, high = instance.polygon.min(axis=0), instance.polygon.max(axis=0)
        width, height = (high - low).tolist()
        letter = _Letter((low + high) / 2, width, height, instance)
        if _LETTER_RATIOS[0] * height <= width <= _LETTER_RATIOS[1] * height and not any(
            _same_place(letter, other) for other in letters
        ):
            letters.append(letter)
    return sorted(letters, key=lambda letter: float(letter.centre[1]))


def _is_upright(polygon: Polygon) -> bool:
    x, y = (polygon[1] - polygon[0]).tolist()
    return len(polygon) == 4 and x > 0 and abs(y) <= _MAX_SLOPE * x


def _same_place(a: _Letter, b: _Letter) -> bool:
    return bool(np.abs(a.centre - b.centre).max() <= _SAME_PLACE * max(a.height, b.height))


def _chain(letters: Sequence[_Letter], left: Sequence[int]) -> list[int]:
    """Return the first of the letters that are ``left``, and those that follow below it one by one."""
    chain = [left[0]]
    for at in left[1:]:  # from top to bottom
        if _follows(letters[chain[-1]], letters[at]):
            chain.append(at)
    return chain


def _follows(upper: _Letter, lower: _Letter) -> bool:
    x, y = (lower.centre - upper.centre).tolist()
    heights = sorted((upper.height, lower.height))
    return bool(
        abs(x) <= _MAX_OFFSET * max(upper.width, lower.width)
        and _GAPS[0] * heights[1] <= y <= _GAPS[1] * heights[1]
        and heights[1] <= _MAX_SIZE_RATIO * heights[0]
    )


def _stack(column: Sequence[_Letter]) -> Stack | None:
    """Return the stack with places for the letters between those of ``column``; None for too few."""
    if len(column) < _MIN_LETTERS:
        return None
    centres = np.array([letter.centre for letter in column], np.float64)
    gaps = np.diff(centres[:, 1])
    pitch = np.median(gaps[gaps < 1.35 * gaps.min()])
    places = np.concatenate([[0], np.cumsum(np.maximum(np.round(gaps / pitch), 1))])
    basis = np.stack([np.ones_like(places), places], axis=1)
    (first, step), *_ = np.linalg.lstsq(basis, centres, rcond=None)
    height = min(_CELL_HEIGHT * max(letter.height for letter in column), float(step[1]))
    width = _CELL_WIDTH * max(letter.width for letter in column)
    score = float(np.mean([letter.instance.score for letter in column]))
    return Stack(first, step, (height, width), int(places[-1]) + 1, score)


def _is_grid(column: Sequence[_Letter], letters: Sequence[_Letter], pitch: float) -> bool:
    """Return whether half of a column's letters have another beside them, nearer than the one below."""

    def neighbours(letter: _Letter) -> Iterator[_Letter]:
        for other in letters:
            x, y = np.abs(other.centre - letter.centre).tolist()
            if other is not letter and y <= letter.height / 2 and x <= pitch:
                yield other

    return 2 * sum(any(True for _ in neighbours(letter)) for letter in column) >= len(column)
