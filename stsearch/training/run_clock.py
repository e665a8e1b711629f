"""The time of a training run: when its minutes are over, and what is set aside for the figures at its end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")

_SHARE = 0.2
"""Of the minutes, the share that figures may take; with more labelled samples than fit every nth is taken."""


class RunClock:
    """Tells how much of a run is over. Everything counts: reading data, the first step, validations.

    Args:
        minutes: that the run may take; None: as many as its steps need.
        clock: seconds.
    """

    def __init__(self, minutes: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit_s = math.inf if minutes is None else 60 * minutes
        self._clock = clock
        self._started = clock()
        self._figures_s: dict[str, float] = {}  # that the figures of all samples of a kind take, by kind

    @property
    def is_limited(self) -> bool:
        """Whether the run has to end by the clock."""
        return self._limit_s < math.inf

    def elapsed_s(self) -> float:
        """Return the seconds since the run began."""
        return self._clock() - self._started

    def left_s(self) -> float:
        """Return the seconds left to the run, 0 when they are over, infinity without a limit."""
        return max(self._limit_s - self.elapsed_s(), 0.0)

    def expect_figures(self, kind: str, seconds: float) -> None:
        """Note that measuring all labelled samples of a ``kind`` at the end would take ``seconds``."""
        self._figures_s[kind] = seconds

    def stride(self, kind: str) -> int:
        """Return n where every nth labelled sample of a ``kind`` is measured, so that the figures fit."""
        seconds = self._figures_s.get(kind, 0.0)
        return max(1, math.ceil(seconds / (_SHARE * max(self._limit_s, 1.0)))) if self.is_limited else 1

    def figures_s(self) -> float:
        """Return the seconds that the figures at the end are expected to take."""
        return sum(seconds / self.stride(kind) for kind, seconds in self._figures_s.items())

    def training_left_s(self) -> float:
        """Return the seconds left to training before the figures are due; infinity without a limit."""
        return max(self.left_s() - self.figures_s(), 0.0)

    def within(self, items: Iterable[T], share: float) -> Iterator[T]:
        """Yield the first of ``items``, and more while they take no more than that share of the time left."""
        limit_s = self.elapsed_s() + share * self.training_left_s()
        for item in items:
            yield item
            if self.elapsed_s() >= limit_s:
                return


class StageClock:
    """Tells how much of a stage is over, by its steps or by the time of the run, whichever is more.

    Args:
        run: the clock of the run.
        first: step that it begins with, of a resumed stage.
        steps: of the stage.
    """

    def __init__(self, run: RunClock, first: int, steps: int) -> None:
        self._run, self._first, self._steps = run, first, steps
        self._begun = self._first_done = run.elapsed_s()

    def elapsed_s(self) -> float:
        """Return the seconds since the stage began."""
        return self._run.elapsed_s() - self._begun

    def share(self, step: int) -> float:
        """Return the share of the stage that is over after ``step``, which is about to be taken."""
        by_steps = (step + 1) / self._steps
        left = self._run.training_left_s()
        if left == math.inf:
            return by_steps
        if left == 0:
            return 1.0
        spent = self.elapsed_s()
        step_s = spent / (step - self._first) if step > self._first else 0.0
        before = self._first / self._steps
        return max(by_steps, min(1.0, before + (1 - before) * (spent + step_s) / (spent + left)))

    def count(self, step: int) -> None:
        """Note that ``step`` is done."""
        if step == self._first:  # it waits for the first batch, and says nothing of the others
            self._first_done = self._run.elapsed_s()

    def is_over(self, step: int) -> bool:
        """Return whether there is no time for another step after ``step``."""
        step_s = self.elapsed_s() / (step + 1 - self._first)
        return step + 1 >= self._steps or self._run.training_left_s() < step_s

    def eta_s(self, step: int) -> float | None:
        """Return the seconds left to the stage and its figures after ``step``; None: not known yet."""
        left = self._run.left_s()
        by_time = None if left == math.inf else left
        taken = step - self._first
        if not taken:
            return by_time
        step_s = (self._run.elapsed_s() - self._first_done) / taken
        by_steps = step_s * (self._steps - step - 1) + self._run.figures_s()
        return by_steps if by_time is None else min(by_steps, by_time)
