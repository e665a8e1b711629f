"""The memory that decoding may take, shared by all threads of a process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import PIL.Image

MEMORY_BUDGET = 1 << 30
"""Bytes of decoded pixels that all threads may hold together; a photograph of 178 megapixels takes 0.7 GB."""


_BYTES_PER_PIXEL = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2}  # as Pillow keeps them; others take 4


class MemoryBudget:
    """So many bytes, of which threads take what they need, and wait while too little is left.

    Attributes:
        total: in bytes.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self._taken = 0
        self._changed = threading.Condition()

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """Wait until ``size`` bytes are left, or nothing is taken, and hold them inside the context.

        So what needs more than all of it is worked on alone.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._taken == 0 or self._taken + size <= self.total)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()


DECODING = MemoryBudget(MEMORY_BUDGET)


def memory_of(photo: PIL.Image.Image) -> int:
    """Return the bytes that an open picture takes once it is loaded."""
    return photo.width * photo.height * _BYTES_PER_PIXEL.get(photo.mode, 4)
