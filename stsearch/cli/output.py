"""How hits and progress are shown: a table for people, tab-separated or JSON lines for programs, paths."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stsearch.types import Polygon

if TYPE_CHECKING:
    from stsearch.indexing import Progress
    from stsearch.search import Hit

JSON_SCHEMA = 1
"""Rises when a JSON line changes in a way that breaks its readers."""


def note(message: str) -> None:
    """Tell the user something on stderr."""
    print(message, file=sys.stderr)


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


def print_hits(hits: Sequence[Hit]) -> None:
    """Print hits as a table on a terminal, else as lines of score, path, word and x,y,w,h between tabs."""
    rows = [
        (f"{hit.score:.2f}", shown_path(hit.path), printable(hit.transcript), _bounds(hit.polygon))
        for hit in hits
    ]
    if sys.stdout.isatty():
        _print_table(rows)
    else:
        for row in rows:
            print(*row, sep="\t")


def print_json(hits: Sequence[Hit]) -> None:
    """Print one JSON object a hit, a line each."""
    for hit in hits:
        match = {
            "type": "match",
            "schema": JSON_SCHEMA,
            "query": hit.query,
            "rank": hit.rank,
            "score": round(hit.score, 4),
            "similarity": round(hit.similarity, 4),
            "path": os.fspath(hit.path),
            "box": hit.box.round(1).tolist(),
            "transcript": hit.transcript,
            "confidence": round(hit.confidence, 4),
            "characters": [round(confidence, 3) for confidence in hit.characters],
        }
        print(json.dumps(match))


def print_paths(hits: Sequence[Hit], end: bytes) -> None:
    """Print each photograph once, its bytes as the file system has them, followed by ``end``."""
    for path in dict.fromkeys(hit.path for hit in hits):
        sys.stdout.buffer.write(os.fsencode(path) + end)


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
    """Return the upright box around ``polygon`` as x,y,w,h in whole pixels."""
    low, high = np.floor(polygon.min(axis=0)), np.ceil(polygon.max(axis=0))
    return ",".join(str(int(value)) for value in (*low, *(high - low)))


def _print_table(rows: Sequence[tuple[str, str, str, str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("#", justify="right")
    table.add_column("score")
    table.add_column("photo", overflow="fold")
    table.add_column("word", overflow="fold", style="bold")
    table.add_column("box (x,y,w,h)", no_wrap=True)
    for rank, row in enumerate(rows, start=1):
        table.add_row(str(rank), *map(Text, row))
    Console().print(table)
