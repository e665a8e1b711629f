"""A memory of what was computed, bounded by how much it holds."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class BoundedCache(Generic[K, V]):
    """Keeps values until their sizes add up to more than ``most``; those used longest ago leave first.

    For several threads. A value that is larger than all of it is not kept.

    >>> cache = BoundedCache[str, int](2)
    >>> for number, name in enumerate("abc"):
    ...     cache.put(name, number)
    >>> cache.get("a"), cache.get("c")
    (None, 2)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """Return the value of ``key``, None where it is not kept."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: K, value: V, size: int = 1) -> None:
        """Keep ``value``, which has this size."""
        with self._lock:
            if key in self._values:
                self._size -= self._values.pop(key)[1]
            if size > self._most:
                return
            self._values[key] = value, size
            self._size += size
            while self._size > self._most:
                _, (_, left) = self._values.popitem(last=False)
                self._size -= left
