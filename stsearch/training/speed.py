"""How fast a stage of training is, and how long it waits for its data instead of computing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Speed:
    """The speed of a stage so far.

    Attributes:
        images_per_s: that it is trained on.
        waiting_s: seconds that it waited for batches, the first included.
    """

    images_per_s: float
    waiting_s: float


class WaitClock:
    """Sums the seconds that somebody waits for items.

    Attributes:
        seconds: so far.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = 0.0
        self._clock = clock

    def timed(self, items: Iterable[T]) -> Iterator[T]:
        """Yield ``items``, and count the time until each is there."""
        iterator = iter(items)
        while True:
            begun = self._clock()
            try:
                item = next(iterator)
            except StopIteration:
                return
            finally:
                self.seconds += self._clock() - begun
            yield item
