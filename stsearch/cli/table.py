"""Tables for terminals of any width: a row a line, long paths cut in the middle, other cells at their end.

What is cut is never lost: a path leads to its file where the terminal follows links (OSC 8), and into a pipe
everything goes whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from stsearch.objects.url import Location

_GAP, _INDENT = "  ", "   "
_SHORTEST_PATH = 16  # columns; a path is not cut further before other cells are
_SHORTEST_CELL = 8
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one column of a row.

    Attributes:
        text: printable.
        style: of rich; empty: plain.
        file: that the text is the path or URL of, absolute; it is cut in the middle, and leads there.
        is_number: flush right.
    """

    text: str
    style: str = ""
    file: Location | None = None
    is_number: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table, by the headings of its columns, and what is written in lines of their own below."""

    cells: Mapping[str, Cell]
    notes: Sequence[str] = ()


def print_table(rows: Sequence[Row]) -> None:
    """Print ``rows``, all of the same columns, under their headings; nothing where there are none."""
    from rich.console import Console
    from rich.text import Text

    if not rows:
        return
    columns, lines = shutil.get_terminal_size()  # rich takes 80 columns where TERM is dumb
    console = Console(highlight=False, width=columns, height=lines)
    headings = list(rows[0].cells)
    widths = _fit(_natural_widths(rows), _path_columns(rows), console.width)
    titles = {name: Cell(name, "bold", is_number=rows[0].cells[name].is_number) for name in headings}
    for row in (Row(titles), *rows):
        line = Text(_GAP).join(_text(row.cells[name], widths[name], console) for name in headings)
        line.rstrip()
        console.print(line, no_wrap=True, overflow="crop", crop=True, soft_wrap=False)
        for note in row.notes:
            _print_note(note, console)


def shorten_path(path: str, width: int) -> str:
    """Return ``path`` with its middle left out, so that it fills at most ``width`` columns.

    >>> shorten_path("photos/2019/rome/IMG_2231.jpg", 22)
    'photos/…e/IMG_2231.jpg'
    """
    from rich.cells import cell_len

    if cell_len(path) <= width:
        return path
    kept = max(width - cell_len(_ELLIPSIS), 1)
    name = cell_len(path.rpartition("/")[2]) + 1  # of the file, which says most, with the stroke before it
    end = min(kept, max(name, kept - kept // 3))
    start, tail = path, path
    while cell_len(start) > kept - end:
        start = start[:-1]
    while cell_len(tail) > end:
        tail = tail[1:]
    return start + _ELLIPSIS + tail


def _natural_widths(rows: Sequence[Row]) -> dict[str, int]:
    from rich.cells import cell_len

    return {
        name: max(cell_len(name), *(cell_len(row.cells[name].text) for row in rows)) for name in rows[0].cells
    }


def _path_columns(rows: Sequence[Row]) -> list[str]:
    return [name for name in rows[0].cells if any(row.cells[name].file for row in rows)]


def _fit(widths: Mapping[str, int], paths: Sequence[str], width: int) -> dict[str, int]:
    """Return the widths of columns with which a row fits into ``width``: paths give way first."""
    fitted = dict(widths)
    others = sorted((name for name in fitted if name not in paths), key=lambda name: -fitted[name])
    for name, shortest in (
        *((name, _SHORTEST_PATH) for name in paths),
        *((name, _SHORTEST_CELL) for name in others),
    ):
        excess = sum(fitted.values()) + len(_GAP) * (len(fitted) - 1) - width
        if excess > 0 and fitted[name] > shortest:
            fitted[name] = max(shortest, fitted[name] - excess)
    return fitted


def _text(cell: Cell, width: int, console: Console) -> Text:
    from rich.cells import cell_len, set_cell_size
    from rich.style import Style
    from rich.text import Text

    if cell.file is None:
        shown = cell.text if cell_len(cell.text) <= width else set_cell_size(cell.text, width - 1) + _ELLIPSIS
    else:
        shown = shorten_path(cell.text, width)
    space = " " * (width - cell_len(shown))
    style = Style.parse(cell.style)
    if cell.file is not None and _follows_links(console):
        style += Style(link=cell.file.as_uri())
    text = Text(shown, style)
    return Text(space) + text if cell.is_number else text + Text(space)


def _follows_links(console: Console) -> bool:
    """Return whether links may be sent: the text console of Linux would show them as text."""
    return console.is_terminal and os.environ.get("TERM") != "linux"


def _print_note(note: str, console: Console) -> None:
    """Print ``note`` indented below a row, wrapped between words."""
    from rich.text import Text

    indent = " " * (len(_INDENT) + len(note) - len(note.lstrip()))
    for line in Text(note.lstrip(), "dim").wrap(console, max(console.width - len(indent), 1)):
        line.rstrip()
        console.print(Text(indent) + line, no_wrap=True, overflow="crop")
