"""How hits are shown: a table for people, tab-separated or JSON lines for programs, paths."""

from __future__ import annotations

import json
import math
import os
import shlex
import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stsearch.api.json_lines import JSON_SCHEMA as JSON_SCHEMA  # the other commands take it from here
from stsearch.api.json_lines import Limits, grade, hit_line, is_deleted
from stsearch.cli.table import Cell, Row, print_table
from stsearch.objects.url_secrets import without_secrets
from stsearch.text.counted import counted as counted  # likewise
from stsearch.text.printable import printable as printable  # every message goes through it

if TYPE_CHECKING:
    from stsearch.gallery.address import DatabaseUrl
    from stsearch.gallery.protocol import Gallery
    from stsearch.objects.url import Location
    from stsearch.search.hits import Hit, Match
    from stsearch.types import Polygon

_SURE = 0.9  # confidence of a letter from which it needs no mention
_COLOURS = {"good": "green", "fair": "yellow", "poor": "red"}

_ENDINGS_SHOWN = 12


class _Speech:
    """Whether the command at work says more than what went wrong."""

    is_quiet = False


def hush(quiet: bool) -> bool:
    """Say errors only from now on, or say everything again; return which."""
    _Speech.is_quiet = quiet
    return quiet


def is_quiet() -> bool:
    """Return whether errors only are said."""
    return _Speech.is_quiet


Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show errors only.", callback=hush)]
"""The option of every command that says more than its results; a command only has to take it."""


def note(message: str) -> None:
    """Tell the user something on stderr, unless errors only are wanted."""
    if not _Speech.is_quiet:
        complain(message)


def complain(message: str) -> None:
    """Tell the user on stderr what went wrong: no passwords, all that a terminal could act on escaped."""
    print("\n".join(map(printable, without_secrets(message).splitlines())), file=sys.stderr)


def sized(size_bytes: int) -> str:
    """Return the size of a file in the unit that suits it.

    >>> sized(900), sized(34_567), sized(2_400_000)
    ('1 kB', '35 kB', '2.4 MB')
    """
    return f"{size_bytes / 1e6:.1f} MB" if size_bytes >= 100_000 else f"{size_bytes / 1e3:.0f} kB"


def passed_over(files: Mapping[str, int]) -> str:
    """Return how many files are no photos, by ending, the most frequent first.

    >>> passed_over({".pdf": 3, "symbolic link": 2, "": 1})
    '3 .pdf, 2 symbolic links, 1 without an ending'
    """
    ranked = sorted(files.items(), key=lambda item: (-item[1], item[0]))
    shown_whole = _ENDINGS_SHOWN + (len(ranked) == _ENDINGS_SHOWN + 1)  # one more takes no more room
    first, rest = ranked[:shown_whole], ranked[shown_whole:]
    shown = [
        f"{number} {printable(ending) or 'without an ending'}"
        if ending[:1] in ("", ".")
        else counted(number, ending)
        for ending, number in first
    ]
    if rest:
        shown.append(f"{sum(number for _, number in rest)} with {len(rest)} other endings")
    return ", ".join(shown)


def shown_path(path: Location) -> str:
    """Return ``path`` relative to the current folder if it lies in it, printable."""
    here = Path.cwd()
    if isinstance(path, Path) and path.is_relative_to(here):
        path = path.relative_to(here)
    return printable(str(path))


def shown_place(place: Location | DatabaseUrl | str) -> str:
    """Return a path as ``shown_path`` does, or a part of a database, printable and without a password."""
    return shown_path(place) if isinstance(place, Path) else printable(str(place))


def short_place(name: str) -> str:
    """Return the shortest text that names a gallery in a command."""
    from stsearch.gallery import registry
    from stsearch.gallery.address import parse_address

    place = parse_address(name)
    return shown_path(registry.short_name(place)) if isinstance(place, Path) else name


def name_in_command(gallery: Gallery) -> str:
    """Return what a person names a gallery by: its URL, that of its photographs, or its folder."""
    from stsearch.gallery.address import DatabaseUrl, parse_address

    if isinstance(parse_address(gallery.name), DatabaseUrl):
        return gallery.name
    [root] = gallery.roots
    return short_place(gallery.name) if isinstance(root, Path) else str(root)


def quoted_path(path: Location) -> str:
    """Return ``path`` as ``shown_path`` does, quoted for a shell."""
    return shlex.quote(shown_path(path))


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
        boxes: says in a table too where in its photograph each word stands.
    """

    json: bool = False
    paths: bool = False
    end: bytes = b"\n"
    explains: Limits | None = None
    names_query: bool = False
    previews: bool = False
    boxes: bool = False


def print_hits(hits: Sequence[Hit], style: Style = Style(), already: Container[Location] = ()) -> None:
    """Print the hits of one query; of paths those that are not ``already`` printed.

    On a terminal they are a table, else lines of score, path, word and x,y,w,h between tabs, then the page of
    a hit in a file with several; after the query where there are several, and before the explanation where
    one is wanted.
    """
    if style.paths:
        _print_paths([hit.path for hit in hits if hit.path not in already], style.end)
    elif style.json:
        for hit in hits:
            print(json.dumps(hit_line(hit, style.explains)))
    elif sys.stdout.isatty():
        has_pages = any(hit.page for hit in hits)
        print_table([_row(hit, rank, style, has_pages) for rank, hit in enumerate(hits, start=1)])
    else:
        _print_lines(cells(hit, style) for hit in hits)


def print_rows(rows: Sequence[Mapping[str, Cell]]) -> None:
    """Print rows, cells by their headings: a table on a terminal, else lines of cells between tabs."""
    if sys.stdout.isatty():
        print_table([Row(row) for row in rows])
    else:
        _print_lines([cell.text for cell in row.values()] for row in rows)


def _print_lines(rows: Iterable[Sequence[str]]) -> None:
    for row in rows:
        print(*row, sep="\t")


def _print_paths(paths: Sequence[Location], end: bytes) -> None:
    """Print each photograph once: on a terminal escaped, else its very bytes, followed by ``end``."""
    for path in dict.fromkeys(paths):
        if sys.stdout.isatty():
            print(printable(str(path)))
        else:
            sys.stdout.buffer.write(os.fsencode(str(path)) + end)


def _row(hit: Hit, rank: int, style: Style, names_page: bool) -> Row:
    """Return a row of a table: the word first, then how likely it is there, and where."""
    cells = {
        "#": Cell(str(rank), is_number=True),
        "word": Cell(printable(hit.transcript), "bold"),
        "score": score_cell(hit.score),
        "photo": _photo_cell(hit),
    }
    if names_page:
        cells["page"] = Cell("" if hit.page is None else str(hit.page), is_number=True)
    if style.names_query:
        cells = {"#": cells.pop("#"), "query": Cell(printable(hit.query)), **cells}
    if style.boxes:
        cells["box (x,y,w,h)"] = Cell(bounds(hit.polygon))
    return Row(cells, explanation(hit, style.explains) if style.explains else ())


def _photo_cell(hit: Hit) -> Cell:
    return Cell(shown_path(hit.path) + (" (deleted)" if is_deleted(hit) else ""), file=hit.path)


def score_cell(score: float) -> Cell:
    """Return a score or a confidence in [0, 1], coloured by how far it can be relied on."""
    return Cell(f"{score:.2f}", _COLOURS[grade(score)], is_number=True)


def cells(hit: Hit, style: Style) -> list[str]:
    """Return what a line into a pipe shows."""
    cells = [f"{hit.score:.2f}", shown_path(hit.path), printable(hit.transcript), bounds(hit.polygon)]
    if hit.page is not None:
        cells.append(f"page {hit.page}")
    if style.names_query:
        cells.insert(0, printable(hit.query))
    if style.explains:
        cells.append("; ".join([*map(_why, hit.matches), _limits(style.explains)]))
    return cells


def explanation(hit: Hit, limits: Limits) -> list[str]:
    """Return the lines below a row that say why a hit was found: a few for each match, then the limits."""
    lines = []
    for match in hit.matches:
        read = printable(match.transcript)
        spelled = _doubtful(match)
        lines.append(f"{match.word}: read as {read}{spelled}" if read else f"{match.word}: not read")
        likely = "" if match.likelihood is None else f" · likelihood {match.likelihood:.2f}"
        edits = counted(match.edits, "letter") + (" differs" if match.edits == 1 else " differ")
        lines.append(
            f"  {edits if match.edits else 'same letters'} · similarity {match.similarity:.2f}{likely}"
        )
        if others := [printable(each) for each in match.alternatives if each]:
            lines.append(f"  also read there: {', '.join(others)}")
    return [*lines, f"{_limits(limits)}; read with confidence {hit.confidence:.2f}"]


def _edits(number: int) -> str:
    return {0: "same letters", 1: "1 letter differs"}.get(number, f"{number} letters differ")


def _doubtful(match: Match) -> str:
    """Return in brackets how sure the letters are: the doubtful ones, each with its confidence."""
    if not match.characters or len(match.characters) != len(match.transcript):
        return ""
    spelled = zip(match.transcript, match.characters, strict=True)
    doubtful = [f"{printable(letter)} {share:.2f}" for letter, share in spelled if share < _SURE]
    if not doubtful:
        return " (every letter is sure)"
    return f" (less sure: {', '.join(doubtful)})"


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


def bounds(polygon: Polygon) -> str:
    """Return the upright box around ``polygon`` as x,y,w,h in whole pixels; nothing around nothing."""
    if not len(polygon):
        return ""
    left, top = (math.floor(value) for value in polygon.min(axis=0))
    right, bottom = (math.ceil(value) for value in polygon.max(axis=0))
    return f"{left},{top},{right - left},{bottom - top}"
