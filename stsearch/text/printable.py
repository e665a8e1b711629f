"""Text that comes from outside, such as the name of a file, made fit to be shown."""

from __future__ import annotations


def printable(text: str) -> str:
    r"""Return ``text`` with everything a terminal could act on, or not show, escaped.

    >>> printable("a\x1b[31m.jpg")
    'a\\x1b[31m.jpg'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
