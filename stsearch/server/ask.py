"""What is asked for: the parameters of a search, as they stand in a URL."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from stsearch.errors import UsageError
from stsearch.search.ranking import Group

MAX_TOP = 1000
"""Hits of one answer; who needs more asks for less."""

DEFAULT_TOP = 20

_LONGEST = 4000  # characters of a parameter; a query may have 2,000

PARAMETERS = (
    "q",
    "like",
    "picture",
    "gallery",
    "path",
    "since",
    "until",
    "min_score",
    "group",
    "fuzzy",
    "top",
    "explain",
    "advice",
)
"""The names of what a search takes; ``gallery`` and ``path`` may be repeated."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A search: one of the first three says for what.

    Attributes:
        query: as typed.
        like: a word of a photograph, "SHA256-NUMBER".
        picture: one that was handed in before, by its name.
        galleries: their names; none: all.
        paths: globs, as of ``--path``.
        since: a year, month or day.
        until: likewise, counted in.
        min_score: the least score; None: the default of the weights.
        group: "word" or "photo".
        fuzzy: how many characters may differ; None: any.
        top: how many hits at most.
        explain: say why each was found.
        advice: where nothing matches, look for what nearly does, and for searches that do; takes a while.
    """

    query: str = ""
    like: str = ""
    picture: str = ""
    galleries: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    min_score: float | None = None
    group: Group = "word"
    fuzzy: int | None = None
    top: int = DEFAULT_TOP
    explain: bool = False
    advice: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether nothing is asked for."""
        return not (self.query or self.like or self.picture)

    @property
    def has_filters(self) -> bool:
        """Whether some photographs are left out."""
        return bool(self.galleries or self.paths or self.since or self.until)

    @property
    def is_narrowed(self) -> bool:
        """Whether hits are chosen otherwise than if nothing is said."""
        return self.has_filters or self.group == "photo" or (self.min_score, self.fuzzy) != (None, None)

    def without_filters(self) -> Ask:
        """Return the same search in all photographs."""
        return replace(self, galleries=(), paths=(), since="", until="")

    def url(self, place: str = "/", **more: object) -> str:
        """Return the URL of this search at ``place``, what has its default left out."""
        pairs: list[tuple[str, object]] = [
            ("q", self.query),
            ("like", self.like),
            ("picture", self.picture),
            *(("gallery", each) for each in self.galleries),
            *(("path", each) for each in self.paths),
            ("since", self.since),
            ("until", self.until),
            ("min_score", "" if self.min_score is None else f"{self.min_score:g}"),
            ("group", "" if self.group == "word" else self.group),
            ("fuzzy", "" if self.fuzzy is None else self.fuzzy),
            ("top", "" if self.top == DEFAULT_TOP else self.top),
            ("explain", "1" if self.explain else ""),
            ("advice", "" if self.advice else "0"),
            *more.items(),
        ]
        query = urlencode([(name, value) for name, value in pairs if value not in ("", None)])
        return f"{place}?{query}" if query else place


def read_ask(given: Mapping[str, Sequence[str]]) -> Ask:
    """Return the search that the parameters of a URL ask for; empty ones count as absent.

    Args:
        given: every value of each parameter.

    Raises:
        UsageError: a value cannot be used.
    """
    values = {name: [each for each in given.get(name, ()) if each.strip()] for name in PARAMETERS}
    for name, texts in values.items():
        if any(len(text) > _LONGEST for text in texts):
            raise UsageError(f"{name} is longer than {_LONGEST:,} characters")
    one = {name: texts[-1].strip() if texts else "" for name, texts in values.items()}
    if sum(bool(one[name]) for name in ("q", "like", "picture")) > 1:
        raise UsageError("give one of q, like and picture: they all say what is searched for")
    group = one["group"] or "word"
    if group not in ("word", "photo"):
        raise UsageError(f"group is word or photo, not {group!r}")
    return Ask(
        one["q"],
        one["like"],
        one["picture"],
        tuple(values["gallery"]),
        tuple(values["path"]),
        one["since"],
        one["until"],
        _number(one["min_score"]),
        "photo" if group == "photo" else "word",
        read_count("fuzzy", one["fuzzy"], 0, 2),
        read_count("top", one["top"], 1, MAX_TOP) or DEFAULT_TOP,
        one["explain"] not in ("", "0", "false"),
        one["advice"] not in ("0", "false"),
    )


def read_count(name: str, text: str, least: int, most: int) -> int | None:
    """Return the whole number that a parameter gives, None where it is empty.

    Raises:
        UsageError: it is none, or lies outside of ``least`` to ``most``.
    """
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10 and least <= int(text) <= most):
        raise UsageError(f"{name} is a whole number from {least} to {most}, not {text!r}")
    return int(text)


def _number(text: str) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= 1:
        raise UsageError(f"min_score lies between 0 and 1, which {text!r} does not")
    return value
