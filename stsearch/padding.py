"""Padding of counts and lengths to a multiple: of strides, and of the shapes that a device compiles for."""

from __future__ import annotations


def pad_to_multiple(length: int, multiple: int) -> int:
    """Return the least multiple of ``multiple`` that is ``length`` or more.

    >>> [pad_to_multiple(length, 32) for length in (0, 1, 32, 33)]
    [0, 32, 32, 64]
    """
    return length + -length % multiple
