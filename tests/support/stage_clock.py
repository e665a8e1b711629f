"""Where the time of a run goes: functions and methods are wrapped, and their own seconds are summed."""

from __future__ import annotations

import functools
import importlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock


class StageClock:
    """Sums the seconds that stages spend, without those of stages that they call.

    Attributes:
        seconds: by stage; of all threads together.
    """

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._stacks = threading.local()
        self._lock = threading.Lock()

    def wrap(
        self, stage: str, function: Callable[..., Any]
    ) -> Callable[..., Any]:  # Any: of whoever calls it
        """Return ``function``, its seconds counted for ``stage``."""

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            inside: list[float] = self._stacks.__dict__.setdefault("inside", [])
            inside.append(0.0)
            started = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                seconds = time.perf_counter() - started
                own = seconds - inside.pop()
                if inside:
                    inside[-1] += seconds
                with self._lock:
                    self.seconds[stage] += own

        return timed


@contextmanager
def timed_stages(places: Mapping[str, str]) -> Iterator[tuple[StageClock, list[str]]]:
    """Time functions inside a ``with`` block.

    Args:
        places: stages by ``module:name`` or ``module:Class.name``.

    Yields:
        The clock, and the places where there is no such function any more.
    """
    clock, missing = StageClock(), []
    with ExitStack() as patches:
        for place, stage in places.items():
            module, _, path = place.partition(":")
            *owners, name = path.split(".")
            owner = functools.reduce(lambda each, part: getattr(each, part, None), owners, _module(module))
            function = getattr(owner, name, None)
            if callable(function):
                patches.enter_context(mock.patch.object(owner, name, clock.wrap(stage, function)))
            else:
                missing.append(place)
        yield clock, missing


def _module(name: str) -> Any:  # Any: a module, whose attributes are not known
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        return None
