"""From class probabilities at the positions of a word to strings; class 0 ends a word."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stsearch.text.charset import Charset
from stsearch.types import char_confidence

END = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read a word crop."""

    text: str
    probabilities: tuple[float, ...]  # of each character, then of the word's end

    @property
    def characters(self) -> tuple[float, ...]:
        """Return the probability of each character, without that of the end."""
        return self.probabilities[: len(self.text)]

    @property
    def probability(self) -> float:
        """Return the product of the probabilities, in [0, 1]."""
        return math.prod(self.probabilities)

    @property
    def confidence(self) -> float:
        """Return the probability, and 0 when nothing is read (PARSeq)."""
        return self.probability if self.text else 0.0

    @property
    def char_confidence(self) -> float:
        """Return the mean (geometric) confidence of a character, in [0, 1]."""
        return char_confidence(self.confidence, self.text)


def best_reading(table: NDArray[np.float32], charset: Charset) -> Reading:
    """Return the most probable reading of one crop.

    Args:
        table: (L, V) class probabilities at each position.
        charset: The V classes; 0 ends a word.
    """
    return _reading(table, table.argmax(axis=1), charset)


def n_best(table: NDArray[np.float32], charset: Charset, count: int) -> list[Reading]:
    """Return the ``count`` most probable readings, best first, positions taken as independent.

    The first may differ from :func:`best_reading`, which never weighs a short word against a long one.

    Args:
        table: (L, V) class probabilities at each position.
        charset: The V classes; 0 ends a word.
        count: 1 or more; fewer come back when there are no more.
    """
    costs = -np.log(np.maximum(table, 1e-12))
    least = _least_costs(costs)
    # Of the characters of a place, no more than ``count`` can be in the answers.
    likeliest = costs[:, 1:].argsort(axis=1)[:, :count] + 1
    steps = [
        [(END, float(row[END])), *((c, float(row[c])) for c in chosen.tolist())]
        for row, chosen in zip(costs, likeliest, strict=True)
    ]
    # A prefix waits with its cost and the least that what follows can cost, so whole words leave in order.
    heap: list[tuple[float, float, tuple[int, ...]]] = [(float(least[0]), 0.0, ())]
    readings: list[Reading] = []
    while heap and len(readings) < count:
        _, cost, prefix = heapq.heappop(heap)
        place = len(prefix)
        if place == len(table) or (prefix and prefix[-1] == END):
            readings.append(_reading(table, prefix, charset))
            continue
        for c, step in steps[place]:
            rest = 0.0 if c == END else float(least[place + 1])
            heapq.heappush(heap, (cost + step + rest, cost + step, (*prefix, c)))
    return readings


def probability(table: NDArray[np.float32], classes: Sequence[int]) -> float:
    """Return the probability of one word, in [0, 1], positions taken as independent.

    Args:
        table: (L, V) class probabilities at each position.
        classes: of its characters, without the end.
    """
    if len(classes) > len(table):
        return 0.0
    spelled = [*classes, END][: len(table)]
    return float(table[np.arange(len(spelled)), spelled].prod(dtype=np.float64))


def _least_costs(costs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (L + 1,): what the cheapest end of a word costs from each position on."""
    least = np.zeros(len(costs) + 1)
    for place in range(len(costs) - 1, -1, -1):
        least[place] = min(costs[place, END], costs[place, 1:].min() + least[place + 1])
    return least


def _reading(
    table: NDArray[np.float32], classes: Sequence[int] | NDArray[np.int64], charset: Charset
) -> Reading:
    spelled = [int(c) for c in classes]
    length = spelled.index(END) if END in spelled else len(spelled)
    used = range(min(length + 1, len(spelled)))
    return Reading(charset.decode(spelled[:length]), tuple(float(table[i, spelled[i]]) for i in used))
