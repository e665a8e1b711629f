"""Work on items ahead of whoever takes the results, in threads that nobody has to wait for.

``concurrent.futures`` joins its threads when the process ends, so a decoder that never comes back would keep
the process alive. These threads are daemons: work that takes too long is given up, and another thread takes
the place of the one that may never return.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import TracebackType
from typing import Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def usable_cores() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Timeout(Generic[T, R]):
    """How long an item may be worked on.

    Attributes:
        seconds: from when a thread begins with it.
        outcome: gives the result of an item that took longer.
    """

    seconds: float
    outcome: Callable[[T], R]


@dataclass(eq=False)
class _Task(Generic[T, R]):
    work: Callable[[T], R]
    item: T
    began: Future[float] = field(default_factory=Future)
    result: Future[R] = field(default_factory=Future)
    is_given_up: bool = False

    def run(self) -> None:
        self.began.set_result(time.monotonic())
        try:
            self.result.set_result(self.work(self.item))
        except Exception as error:  # noqa: BLE001  raised again where the result is taken
            self.result.set_exception(error)

    def outcome(self, limit: Timeout[T, R] | None) -> R:
        """Wait for the result, or for the limit."""
        if limit is None:
            return self.result.result()
        left = self.began.result() + limit.seconds - time.monotonic()
        wait([self.result], min(max(left, 0.0), threading.TIMEOUT_MAX))
        self.is_given_up = not self.result.done()
        return limit.outcome(self.item) if self.is_given_up else self.result.result()


class OrderedPool(Generic[T, R]):
    """Threads for one kind of work; used as a context, at the end of which what has not begun is dropped.

    Args:
        threads: how many items are worked on at the same time.
        work: is done with every item.
        limit: how long it may take; without one it may take forever.
    """

    def __init__(self, threads: int, work: Callable[[T], R], limit: Timeout[T, R] | None = None) -> None:
        self._window = 2 * threads
        self._work = work
        self._limit = limit
        self._tasks: SimpleQueue[_Task[T, R] | None] = SimpleQueue()
        self._started = 0
        self._is_closed = False
        for _ in range(threads):
            self._start_thread()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closed = True
        for _ in range(self._started):
            self._tasks.put(None)

    def results(self, items: Iterable[T]) -> Iterator[R]:
        """Yield the result of every item in order, while up to twice as many as threads are taken ahead."""
        waiting: deque[_Task[T, R]] = deque()
        for item in items:
            task = _Task(self._work, item)
            self._tasks.put(task)
            waiting.append(task)
            if len(waiting) >= self._window:
                yield self._take(waiting.popleft())
        while waiting:
            yield self._take(waiting.popleft())

    def _take(self, task: _Task[T, R]) -> R:
        # Items begin in order, and one that was given up got a new thread: this one has begun or soon will.
        outcome = task.outcome(self._limit)
        if task.is_given_up:
            self._start_thread()
        return outcome

    def _start_thread(self) -> None:
        self._started += 1
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while (task := self._tasks.get()) is not None and not self._is_closed:
            task.run()
            if task.is_given_up:
                return
