"""Numbers of things, in words."""

from __future__ import annotations


def counted(number: int, noun: str, nouns: str = "", form: str = "") -> str:
    """Return a number with its noun.

    Args:
        number: of things.
        noun: for one of them.
        nouns: for several; empty: with an s.
        form: in which the number is written, as for ``format``.

    >>> counted(1, "photo"), counted(2, "photo"), counted(0, "query", "queries")
    ('1 photo', '2 photos', '0 queries')
    >>> counted(12345, "word", form=",")
    '12,345 words'
    """
    return f"{number:{form}} {noun if number == 1 else nouns or f'{noun}s'}"
