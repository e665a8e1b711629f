"""Looking up transcripts by what they hold: whole readings, parts of tokens, parts beside a thin stroke."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from stsearch.text.charset import normalize

_fold = lru_cache(maxsize=1 << 17)(normalize)  # signs repeat, and every query sees the same transcripts

_STROKES = "il1"
"""A slash or a bar between two words is at times read as one of these."""

_SEPARATOR = re.compile(r"[^\w\s]|_")


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The parts of tokens that punctuation divides, such as "info" in an address.

    Attributes:
        texts: M parts, folded.
        rows: (M,) of the transcripts they are in.
        patterns: M transcripts of which only the part is known: ``{}*``, ``*{}*`` or ``*{}`` where it begins
            its token, is inside or ends it.
    """

    texts: tuple[str, ...]
    rows: NDArray[np.int64]
    patterns: tuple[str, ...]


class ReadingIndex:
    """An index of N transcripts, each part of it made when it is asked for first.

    Attributes:
        folded: the transcripts as queries are folded.
    """

    def __init__(self, transcripts: Sequence[str]) -> None:
        self.folded = tuple(map(_fold, transcripts))
        self._transcripts = transcripts

    def rows_of(self, texts: Iterable[str]) -> dict[str, list[int]]:
        """Return, for each of ``texts`` that is a folded transcript, the rows that read so.

        >>> ReadingIndex(["Exit", "EXIT", "bar"]).rows_of(["exit", "tea"])
        {'exit': [0, 1]}
        """
        return {text: self._by_text[text] for text in texts if text in self._by_text}

    @cached_property
    def _by_text(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, text in enumerate(self.folded):
            rows.setdefault(text, []).append(row)
        return rows

    @cached_property
    def distinct(self) -> tuple[str, ...]:
        """The M different folded transcripts: signs repeat, so what is computed of texts is of fewer."""
        return tuple(self._by_text)

    @cached_property
    def numbers(self) -> NDArray[np.int64]:
        """(N,) the place of each folded transcript in ``distinct``, which spreads (M,) values to (N,)."""
        number_of = {text: number for number, text in enumerate(self.distinct)}
        return np.fromiter(map(number_of.__getitem__, self.folded), np.int64, len(self.folded))

    @cached_property
    def lengths(self) -> NDArray[np.int64]:
        """(N,) characters of each folded transcript."""
        return np.fromiter(map(len, self.folded), np.int64, len(self.folded))

    @cached_property
    def letters(self) -> NDArray[np.uint8]:
        """(M, L) the characters of each of ``distinct`` in ASCII, zeros after the end."""
        width = max(1, max(map(len, self.distinct), default=0))
        padded = np.array([text.encode("ascii") for text in self.distinct], f"S{width}")
        return padded.view(np.uint8).reshape(len(self.distinct), width)

    def holding(self, text: str) -> list[int]:
        """Return the rows that have ``text`` in their folded transcript, ascending.

        >>> ReadingIndex(["Station", "stat", "tea"]).holding("stat")
        [0, 1]
        """
        return list(dict.fromkeys(map(self._row_at, _places(self._text, text))))

    @cached_property
    def parts(self) -> Parts:
        """The parts of every token that has several."""
        found = [
            (part, row, pattern)
            for row, text in enumerate(self._transcripts)
            if not text.isalnum()
            for part, pattern in _parts(text)
        ]
        texts, rows, patterns = zip(*found, strict=True) if found else ((), (), ())
        return Parts(texts, np.array(rows, np.int64), patterns)

    def beside_stroke(self, word: str) -> Iterator[tuple[int, str]]:
        """Yield the rows that read ``word``, a stroke and more, or the other way round; without the stroke.

        >>> list(ReadingIndex(["OBSTIGEMUSE", "obst"]).beside_stroke("obst"))
        [(0, 'obstgemuse')]
        """
        for at in _places(self._text, f"\n{word}"):
            end = at + 1 + len(word)
            if self._text[end] in _STROKES and (rest := self._text[end + 1 : self._text.index("\n", end)]):
                yield self._row_at(at + 1), word + rest
        for at in _places(self._text, f"{word}\n"):
            begin = self._text.rindex("\n", 0, at) + 1
            if self._text[at - 1] in _STROKES and (rest := self._text[begin : max(at - 1, begin)]):
                yield self._row_at(at), rest + word

    @cached_property
    def _text(self) -> str:
        """All folded transcripts, a line break before and after each: one string is searched fastest."""
        return "\n".join(("", *self.folded, ""))

    @cached_property
    def _line_starts(self) -> list[int]:
        return [1, *(np.cumsum(self.lengths + 1) + 1).tolist()]

    def _row_at(self, at: int) -> int:
        return bisect_right(self._line_starts, at) - 1


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield the folded parts of one token, and the pattern of each; of a token of one part nothing."""
    folded = [part for part in map(_fold, _SEPARATOR.split(text)) if part]
    for number, part in enumerate(folded if len(folded) > 1 else ()):
        before, after = "*" * (number > 0), "*" * (number < len(folded) - 1)
        yield part, f"{before}{{}}{after}"


def _places(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + 1)
