"""Pass items through steps of work, each with threads of its own; results come out in order.

``concurrent.futures`` joins its threads when the process ends; these are daemons, so that a signal ends it at
once, whatever they are at. What may take for ever is not for threads, but for a ``worker_process``.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")


def usable_cores() -> int:
    """Return how many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Step(Generic[T, R]):
    """One kind of work.

    Attributes:
        threads: how many items are worked on at the same time.
        work: is done with every item; its result is the item of the next step.
    """

    threads: int
    work: Callable[[T], R]


@dataclass(eq=False)
class _Task:
    """An item on its way through the steps; changed only under the lock of the pool."""

    value: Any  # Any: first the item, then the result of each step, and each has a type of its own
    step: int = 0  # which step it waits for, or is in
    is_done: bool = False
    error: BaseException | None = None


@dataclass(eq=False)
class _Workers:
    """The threads of a step, and what waits for them."""

    step: Step[Any, Any]
    tasks: SimpleQueue[_Task | None] = field(default_factory=SimpleQueue)
    threads: list[threading.Thread] = field(default_factory=list)


class OrderedPool(Generic[T, R]):
    """Threads for one or more steps of work; used as a context, at the end of which no other work begins.

    An item goes on to the next step as soon as it can, whatever became of the items before it. So a slow one
    delays the results after it, and never the work on them, until ``ahead`` items wait.

    Args:
        steps: each with the results of the one before; the first with items T, the last gives results R.
        ahead: items that are taken before the result of the first of them is; 0: as many as are in work.
    """

    def __init__(self, *steps: Step[Any, Any], ahead: int = 0) -> None:
        self._workers = [_Workers(step) for step in steps]
        # Work for every thread, and for those of the last step the next item at hand. Items in work are what
        # takes memory: photographs, of which only the words are left at the end.
        self._max_in_work = sum(step.threads for step in steps) + steps[-1].threads
        self._max_waiting = max(ahead, self._max_in_work)
        self._in_work = 0
        self._waiting: deque[_Task] = deque()  # in order, until their results are taken
        self._changed = threading.Condition()
        self._is_closed = False

    def __enter__(self) -> Self:
        for workers in self._workers:
            for _ in range(workers.step.threads):
                self._start_thread(workers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_closed = True
        for workers in self._workers:
            for _ in workers.threads:
                workers.tasks.put(None)

    def results(self, items: Iterable[T]) -> Iterator[R]:
        """Yield the result of every item in order; an error of any is raised as soon as it is seen."""
        source = iter(items)
        is_more = True
        while is_more or self._waiting:
            if self._wait_for_first(is_more):
                yield self._waiting.popleft().value
                continue
            try:
                self._begin(next(source))
            except StopIteration:
                is_more = False

    def take_finished(self) -> list[R]:
        """Return the results, in order, that ``results`` had not come to when it was left."""
        with self._changed:
            waiting, self._waiting = self._waiting, deque()
            return [task.value for task in waiting if task.is_done and task.error is None]

    def _begin(self, item: T) -> None:
        task = _Task(item)
        with self._changed:
            self._waiting.append(task)
            self._in_work += 1
        self._workers[0].tasks.put(task)

    def _wait_for_first(self, or_room: bool) -> bool:
        """Wait for the first result and return True; or, if asked, return False once an item may be taken."""
        with self._changed:
            while True:
                for task in self._waiting:
                    if task.error is not None:
                        raise task.error
                if self._waiting and self._waiting[0].is_done:
                    return True
                if or_room and self._in_work < self._max_in_work and len(self._waiting) < self._max_waiting:
                    return False
                self._changed.wait()

    def _start_thread(self, workers: _Workers) -> None:
        thread = threading.Thread(target=self._serve, args=(workers,), daemon=True)
        workers.threads.append(thread)
        thread.start()

    def _serve(self, workers: _Workers) -> None:
        while (task := workers.tasks.get()) is not None and not self._is_closed:
            value, error = None, None
            try:
                value = workers.step.work(task.value)
            except BaseException as raised:  # noqa: BLE001  raised again where the results are taken
                error = raised
            with self._changed:
                self._go_on(task, value, error)

    def _go_on(self, task: _Task, value: object, error: BaseException | None) -> None:
        """Pass ``task`` to the next step, or end it."""
        task.value, task.error = value, error
        task.step += 1
        if error is None and task.step < len(self._workers):
            self._workers[task.step].tasks.put(task)
            return
        task.is_done = True
        self._in_work -= 1
        self._changed.notify()
