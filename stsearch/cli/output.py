"""How hits and progress are shown: a table for people, tab-separated or JSON lines for programs, paths."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stsearch.indexing.indexer import Progress
    from stsearch.search.engine import Hit, Match
    from stsearch.types import Polygon

JSON_SCHEMA = 1
"""Rises when a JSON line changes in a way that breaks its readers."""


def note(message: str) -> None:
    """Tell the user something on stderr; what a terminal could act on, such as in a name, is escaped."""
    print("\n".join(map(printable, message.splitlines())), file=sys.stderr)


def printable(text: str) -> str:
    r"""Return ``text`` with everything a terminal could act on, or not show, escaped.

    >>> printable("a\x1b[31m.jpg")
    'a\\x1b[31m.jpg'
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted(number: int, noun: str) -> str:
    """Return a number with its noun.

    >>> counted(1, "photo"), counted(2, "photo")
    ('1 photo', '2 photos')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def shown_path(path: Path) -> str:
    """Return ``path`` relative to the current folder if it lies in it, printable."""
    here = Path.cwd()
    return printable(str(path.relative_to(here) if path.is_relative_to(here) else path))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a hit had to pass: its least score, and how many characters may differ (None: any)."""

    min_score: float
    fuzzy: int | None


@dataclass(frozen=True, slots=True)
class Style:
    """How hits are printed.

    Attributes:
        json: as JSON Lines.
        paths: only the paths of their photographs.
        end: follows each path.
        explains: says why each hit was found, which passed these limits; None: does not.
        names_query: says, in lines that do not anyway, which query each hit answers: there are several.
        previews: shows the words as cut out of their photographs, on a terminal, below a table.
    """

    json: bool = False
    paths: bool = False
    end: bytes = b"\n"
    explains: Limits | None = None
    names_query: bool = False
    previews: bool = False


def print_hits(hits: Sequence[Hit], style: Style = Style(), already: Container[Path] = ()) -> None:
    """Print the hits of one query; of paths those that are not ``already`` printed.

    On a terminal they are a table, else lines of score, path, word and x,y,w,h between tabs, then the page of
    a hit in a file with several; after the query where there are several, and before the explanation where
    one is wanted.
    """
    if style.paths:
        _print_paths([hit.path for hit in hits if hit.path not in already], style.end)
    elif style.json:
        for hit in hits:
            print(json.dumps(_as_json(hit, style.explains)))
    elif sys.stdout.isatty():
        has_pages = any(hit.page for hit in hits)
        _print_table(
            [{"#": str(rank), **_cells(hit, style, has_pages)} for rank, hit in enumerate(hits, start=1)]
        )
    else:
        _print_lines(_cells(hit, style, hit.page is not None) for hit in hits)


def print_rows(rows: Sequence[Mapping[str, str]]) -> None:
    """Print rows, cells by their headings: a table on a terminal, else lines of cells between tabs."""
    if sys.stdout.isatty():
        _print_table(rows)
    else:
        _print_lines(rows)


def _print_lines(rows: Iterable[Mapping[str, str]]) -> None:
    for row in rows:
        print(*row.values(), sep="\t")


def _print_paths(paths: Sequence[Path], end: bytes) -> None:
    """Print each photograph once: on a terminal escaped, else its very bytes, followed by ``end``."""
    for path in dict.fromkeys(paths):
        if sys.stdout.isatty():
            print(printable(str(path)))
        else:
            sys.stdout.buffer.write(os.fsencode(path) + end)


def _as_json(hit: Hit, limits: Limits | None) -> dict[str, object]:
    match: dict[str, object] = {
        "type": "match",
        "schema": JSON_SCHEMA,
        "query": hit.query,
        "rank": hit.rank,
        "score": round(hit.score, 4),
        "similarity": round(hit.similarity, 4),
        "path": os.fspath(hit.path),
        "page": hit.page,
        "box": [[round(float(value), 1) for value in point] for point in hit.box],
        "transcript": hit.transcript,
        "confidence": round(hit.confidence, 4),
        "characters": _rounded(hit.characters),
    }
    if limits:
        match["limits"] = {"min_score": limits.min_score, "fuzzy": limits.fuzzy}
        match["matches"] = [
            {
                "word": each.word,
                "similarity": round(each.similarity, 4),
                "transcript": each.transcript,
                "characters": _rounded(each.characters),
                "edits": each.edits,
                "likelihood": None if each.likelihood is None else round(each.likelihood, 4),
                "alternatives": list(each.alternatives),
            }
            for each in hit.matches
        ]
    return match


def _rounded(confidences: Sequence[float]) -> list[float]:
    return [round(confidence, 3) for confidence in confidences]


def _cells(hit: Hit, style: Style, names_page: bool) -> dict[str, str]:
    """Return what a line or a row of a table shows, by the heading of its column."""
    cells = {
        "score": f"{hit.score:.2f}",
        "photo": shown_path(hit.path),
        "word": printable(hit.transcript),
        "box (x,y,w,h)": _bounds(hit.polygon),
    }
    if names_page:
        cells["page"] = "" if hit.page is None else f"page {hit.page}"
    if style.names_query:
        cells = {"query": printable(hit.query), **cells}
    if style.explains:
        cells["why"] = "; ".join([*map(_why, hit.matches), _limits(style.explains)])
    return cells


def _limits(options: Limits) -> str:
    edits = "" if options.fuzzy is None else f", of at most {counted(options.fuzzy, 'edit')}"
    return f"shown from {options.min_score:.2f}{edits}"


def _why(match: Match) -> str:
    """Return one line, such as "tea: read t3a (t.99 3.41 a.98), or toa, 1 edit, similarity 0.83"."""
    text = printable(match.transcript)
    read = f"read {text}" if text else "not read"
    if match.characters and len(match.characters) == len(match.transcript):
        spelled = zip(match.transcript, match.characters, strict=True)
        read += f" ({' '.join(f'{printable(c)}{_share(confidence)}' for c, confidence in spelled)})"
    others = "".join(f", or {printable(other)}" for other in match.alternatives if other)
    edits = counted(match.edits, "edit")
    likely = "" if match.likelihood is None else f", likelihood {match.likelihood:.2f}"
    return f"{match.word}: {read}{others}, {edits}, similarity {match.similarity:.2f}{likely}"


def _share(confidence: float) -> str:
    return f"{min(confidence, 0.99):.2f}".removeprefix("0")


@contextmanager
def progress_bar(hidden: bool) -> Iterator[Callable[[Progress], None]]:
    """Yield a callback that shows progress on stderr as a bar with rate and ETA, on a terminal only."""
    from rich import progress as bars
    from rich.console import Console

    columns = (
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("img · {task.fields[words]} words · {task.fields[rate]:.1f} img/s · ETA"),
        bars.TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with bars.Progress(
        *columns, console=console, transient=True, disable=hidden or not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=None, words=0, rate=0.0)

        def update(now: Progress) -> None:
            rate = bar.tasks[task].finished_speed or bar.tasks[task].speed or 0.0
            bar.update(task, completed=now.done, total=now.total, words=now.words, rate=rate)

        yield update


def _bounds(polygon: Polygon) -> str:
    """Return the upright box around ``polygon`` as x,y,w,h in whole pixels; nothing around nothing."""
    if not len(polygon):
        return ""
    left, top = (math.floor(value) for value in polygon.min(axis=0))
    right, bottom = (math.ceil(value) for value in polygon.max(axis=0))
    return f"{left},{top},{right - left},{bottom - top}"


def _print_table(rows: Sequence[Mapping[str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for heading in rows[0] if rows else ():
        table.add_column(
            heading,
            overflow="fold",
            justify="right" if heading == "#" else "left",
            no_wrap=heading.startswith("box"),
            style="bold" if heading == "word" else None,
        )
    for row in rows:
        table.add_row(*map(Text, row.values()))
    Console().print(table)
