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


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the probabilities of (..., V) logits, along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


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

    The first may differ from :func:`best_reading`, which takes the best class at each position.

    Args:
        table: (L, V) class probabilities at each position.
        charset: The V classes; 0 ends a word.
        count: 1 or more; fewer come back when there are no more.
    """
    costs = -np.log(np.maximum(table, 1e-12))
    min_remaining = _min_remaining_costs(costs)
    # At each position, at most ``count`` characters can be part of the results.
    most_probable = costs[:, 1:].argsort(axis=1)[:, :count] + 1
    steps = [
        [(END, float(row[END])), *((c, float(row[c])) for c in chosen.tolist())]
        for row, chosen in zip(costs, most_probable, strict=True)
    ]
    # Prefixes are ordered by their cost plus the lowest cost of the rest (A*), so words come out in order.
    heap: list[tuple[float, float, tuple[int, ...]]] = [(float(min_remaining[0]), 0.0, ())]
    readings: list[Reading] = []
    while heap and len(readings) < count:
        _, cost, prefix = heapq.heappop(heap)
        position = len(prefix)
        if position == len(table) or (prefix and prefix[-1] == END):
            readings.append(_reading(table, prefix, charset))
            continue
        for c, step in steps[position]:
            rest = 0.0 if c == END else float(min_remaining[position + 1])
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
    class_ids = [*classes, END][: len(table)]
    return float(table[np.arange(len(class_ids)), class_ids].prod(dtype=np.float64))


def _min_remaining_costs(costs: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return (L + 1,): the lowest cost of the rest of a word from each position on."""
    min_remaining = np.zeros(len(costs) + 1)
    for position in range(len(costs) - 1, -1, -1):
        min_remaining[position] = min(
            costs[position, END], costs[position, 1:].min() + min_remaining[position + 1]
        )
    return min_remaining


def _reading(
    table: NDArray[np.float32], classes: Sequence[int] | NDArray[np.int64], charset: Charset
) -> Reading:
    class_ids = [int(c) for c in classes]
    length = class_ids.index(END) if END in class_ids else len(class_ids)
    used = range(min(length + 1, len(class_ids)))
    return Reading(charset.decode(class_ids[:length]), tuple(float(table[i, class_ids[i]]) for i in used))
