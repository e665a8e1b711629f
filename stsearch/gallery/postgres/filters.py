"""Conditions on photographs as conditions of SQL on the rows of ``files``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from stsearch.gallery.paths import composed
from stsearch.gallery.request import PhotoChoice
from stsearch.objects.url import Location

_SET = re.compile(r"\[(!?)(\]?[^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of SQL.

    Attributes:
        sql: with a ``%s`` for each value.
        values: in their order.
    """

    sql: str = "true"
    values: tuple[object, ...] = ()

    @property
    def of_words(self) -> Condition:
        """The same as a condition on rows of ``words``: a file with their content meets it."""
        if self.sql == "true":
            return self
        return Condition(f"content IN (SELECT f.content FROM files f WHERE {self.sql})", self.values)


def condition_of(choice: PhotoChoice | None, roots: Mapping[int, Location]) -> Condition:
    """Return the condition on rows of ``files f`` that ``choice`` stands for.

    Args:
        choice: of photographs; None: all that were read.
        roots: all folders of photographs, by their ids.
    """
    read = "f.content IS NOT NULL"
    if choice is None:
        return Condition(read)
    sql, values = [read], list[object]()
    if choice.since > datetime.min:
        sql, values = [*sql, "f.moment >= %s"], [*values, choice.since]
    if choice.until < datetime.max:
        sql, values = [*sql, "f.moment < %s"], [*values, choice.until]
    places = [_place(root, choice.of_folder(path).globs) for root, path in roots.items()]
    if not all(place.sql == "true" for place in places):
        sql.append(f"({' OR '.join(place.sql for place in places)})")
        values += [value for place in places for value in place.values]
    return Condition(" AND ".join(sql), tuple(values))


def _place(root: int, globs: tuple[str, ...]) -> Condition:
    """Return the condition that a file lies in the folder ``root`` and matches one of ``globs``, if any."""
    if not globs:
        return Condition()
    names = [shown_name(glob) for glob in globs]
    patterns = [pattern for name in names for pattern in (name, f"{name.rstrip('/')}/*")]
    return Condition(
        "f.root = %s AND (f.name = ANY(%s) OR f.name ~ ANY(%s)"
        " OR EXISTS (SELECT FROM unnest(%s::text[]) folder WHERE starts_with(f.name, folder)))",
        (root, names, [regular(each) for each in patterns], [f"{name.rstrip('/')}/" for name in names]),
    )


def regular(glob: str) -> str:
    r"""Return the regular expression of PostgreSQL for what ``glob`` matches as ``fnmatchcase`` does.

    >>> regular("2024/[!a-c]*.jp?g"), regular("a[")
    ('^2024/[^a-c].*\\.jp.g$', '^a\\[$')
    """
    parts, at = [], 0
    while at < len(glob):
        found = _SET.match(glob, at)
        if found:
            parts.append(_set(bool(found[1]), found[2]))
            at = found.end()
            continue
        parts.append({"*": ".*", "?": "."}.get(glob[at]) or re.sub(r"([^\w/ -])", r"\\\1", glob[at]))
        at += 1
    return f"^{''.join(parts)}$"


def _set(is_excluded: bool, inside: str) -> str:
    """Return a set of characters; ranges that run backwards hold none."""
    kept = re.sub(r"(.)-(.)", lambda m: m[0] if m[1] <= m[2] else "", inside, flags=re.DOTALL)
    if not kept:
        return "." if is_excluded else "$."  # nothing comes after the end
    escaped = re.sub(r"([\\\[\]^])", r"\\\1", kept)
    return f"[{'^' if is_excluded else ''}{escaped}]"


def shown_name(path: str) -> str:
    """Return the name of the file at ``path`` as filters compare it: composed, and whole Unicode."""
    return composed(os.fsencode(path).decode("utf-8", "replace"))
