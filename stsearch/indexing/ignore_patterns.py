"""Patterns in the syntax of .gitignore, matched in linear time; pathspec says what they mean."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from pathspec import GitIgnoreSpec
from pathspec.pattern import RegexPattern

from stsearch.gallery.paths import composed

_STAR, _ONE = "[^/]*", "[^/]"  # how pathspec spells * and ?
_ANY_FOLDERS = "(?:/.+)?/"  # and /**/ in the middle of a pattern
_LEADING_FOLDERS = "(?:.+/)?"  # and **/ at its beginning
_ITSELF_OR_BELOW = "(?:(?P<ps_d>/)|$)"  # and the end: pathspec lets a pattern match all below a folder


def pattern_of(name: str) -> str:
    r"""Return the pattern that leaves out the file or folder ``name``, relative to where the pattern stands.

    >>> print(pattern_of("private/IMG[1] .jpg"))
    /private/IMG\[1\] .jpg
    """
    escaped = re.sub(r"[\\*?\[\]]", r"\\\g<0>", name)
    bare = escaped.rstrip(" ")
    return f"/{bare}" + "\\ " * (len(escaped) - len(bare))


class Patterns:
    """The patterns of one place, for everything below the folder ``base`` ("" or with a slash at its end).

    Raises:
        ValueError: a pattern is invalid.
    """

    def __init__(self, base: str, lines: Iterable[str]) -> None:
        self._start = len(base)
        self._patterns = [_Pattern(line) for line in lines if line]

    def verdict(self, path: str) -> bool | None:
        """Return whether ``path``, a folder with a slash at its end, is excluded; None: none matches."""
        if not self._patterns:
            return None
        inside = _one_spelling(path[self._start :].removesuffix("/"))
        matching = (each for each in reversed(self._patterns) if each.matches(inside, path.endswith("/")))
        return next((each.excludes for each in matching), None)


class _Pattern:
    """A line of an ignore file, matched as git does: with a path itself, not with the folders above it.

    Else ``!b`` would include all of the folder ``b`` again. So of pathspec only the translation into regular
    expressions is used.

    Raises:
        ValueError: it is invalid.
    """

    def __init__(self, line: str) -> None:
        self._folders_only = line.rstrip(" ").endswith("/")
        line = line.rstrip(" ").rstrip("/") if self._folders_only else line
        (pattern,) = GitIgnoreSpec.from_lines([_one_spelling(line)]).patterns if line else (None,)
        self.excludes = bool(pattern and pattern.include)
        regex = pattern.regex if isinstance(pattern, RegexPattern) else None
        self._regex = re.compile(_without_backtracking(regex.pattern)) if regex else None

    def matches(self, path: str, is_folder: bool) -> bool:
        """Return whether the pattern matches ``path``, spelled by ``_one_spelling``."""
        if self._regex is None or (self._folders_only and not is_folder):
            return False
        return self._regex.match(path) is not None


def _without_backtracking(regex: str) -> str:
    """Return pathspec's ``regex`` so that it takes linear time, and matches a path itself only.

    Of two wildcards in a row, the first best stops at the first place where what stands between them fits:
    the second reaches from there whatever it reaches from a later one. So an atomic group never has to give
    back what it took, and only the last wildcard tries several places. A class such as [!a] matches no slash,
    as in git.
    """
    regex = re.sub(r"\[\^(?!/)", "[^/", regex.replace(_ITSELF_OR_BELOW, "$"))
    first, *rest = regex.split(_ANY_FOLDERS)
    if not rest:
        return _stop_early(first)
    *between, last = map(_stop_early, rest)
    first = _stop_early(first).replace(_LEADING_FOLDERS, "(?:.+?/)??", 1)
    return "".join(
        [f"(?>{first}(?=/))", *(f"(?>(?:/.+?)??/{each}(?=/))" for each in between), _ANY_FOLDERS, last]
    )


def _stop_early(regex: str) -> str:
    """Return ``regex`` with atomic groups for all ``*`` but the last of each name in a path."""
    first, *rest = regex.split(_STAR)
    stops = [
        f"(?>{_STAR}?{each})" if i + 1 < len(rest) and "/" not in each.replace(_ONE, "") else f"{_STAR}{each}"
        for i, each in enumerate(rest)
    ]
    return "".join([first, *stops])


def _one_spelling(text: str) -> str:
    """Return ``text`` composed, and with no line break: the wildcards of pathspec stop at one."""
    return composed(text.replace("\n", "\N{REPLACEMENT CHARACTER}"))


def ignore_lines(content: bytes) -> list[str]:
    """Return the lines of an ignore file as git reads them."""
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [os.fsdecode(line.removesuffix(b"\r")) for line in lines]
