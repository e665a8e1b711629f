"""Wildcards in words: ``*`` stands for any run of characters, none included; ``?`` for any one."""

from __future__ import annotations

import re

WILDCARDS = "*?"


def is_pattern(word: str) -> bool:
    """Return whether ``word`` holds a wildcard.

    >>> is_pattern("re16*"), is_pattern("coffee")
    (True, False)
    """
    return any(c in word for c in WILDCARDS)


def fixed_part(word: str) -> str:
    """Return the characters of ``word`` that are known, which is what can be embedded.

    >>> fixed_part("re16*")
    're16'
    """
    return "".join(c for c in word if c not in WILDCARDS)


def collapse_stars(pattern: str) -> str:
    """Return ``pattern`` with every run of stars as one.

    >>> collapse_stars("a**b*")
    'a*b*'
    """
    return re.sub(r"\*{2,}", "*", pattern)
