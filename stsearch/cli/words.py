"""``stsearch words``: what was read in one photograph, a folder, or a whole gallery."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stsearch.api.json_lines import group_words, word_line
from stsearch.cli import output
from stsearch.cli.gallery import AsJson, IndexPath, gallery_of
from stsearch.cli.table import Cell
from stsearch.objects.url import Location, resolved

if TYPE_CHECKING:
    from stsearch.api.words import Word
    from stsearch.gallery.protocol import Gallery

NO_WORDS = 1


def words(
    path: Annotated[
        str | None,
        typer.Argument(help="A photo, a folder or a gallery, or its URL; default: the whole gallery."),
    ] = None,
    top: Annotated[int | None, typer.Option("--top", "-n", min=1, help="Show at most so many.")] = None,
    index: IndexPath = None,
    as_json: AsJson = False,
    quiet: output.Quiet = False,
) -> None:
    """List the words that were read: how often, how surely, and where.

    Of a photo every word is listed, from top to bottom, with its place; of a folder or a gallery every
    different word, the most frequent first. Exit code 1: there is none.

    Of each place only the likeliest reading is listed. A search also finds what else it may say.
    """
    from stsearch.api.words import words_of
    from stsearch.gallery.access import open_gallery
    from stsearch.gallery.address import DatabaseUrl, parse_named

    named = None if path is None else parse_named(path)
    place = None if isinstance(named, DatabaseUrl) else named
    where = named if isinstance(named, DatabaseUrl) else gallery_of(index, place)
    with open_gallery(where, output.note) as gallery:
        files = None if place is None else _files(gallery, place)
        found = list(words_of(gallery, files))
        failure = _failure(gallery, files) if not found else None
        is_photo = place is not None and files is not None and _is_photo(place, files)
    groups = [[word] for word in sorted(found, key=_place)] if is_photo else group_words(found)
    cells = _in_photo if is_photo else _in_photos
    if as_json:
        for group in groups[:top]:
            print(json.dumps(word_line(group)))
    else:
        output.print_rows([cells(group) for group in groups[:top]])
        output.note(failure or _summary(found, groups, top))
    if not found:
        raise typer.Exit(NO_WORDS)


def _files(gallery: Gallery, path: Location) -> list[Location] | None:
    """Return which files of ``gallery`` are meant by ``path``; None: all, since it names the gallery."""
    return None if str(resolved(path)) == gallery.name else gallery.paths_below(path)


def _is_photo(path: Location, files: Sequence[Location]) -> bool:
    """Return whether ``path`` is the one photograph that ``files`` names, and not a folder of one alone."""
    if len(files) != 1:
        return False
    return not path.is_dir() if isinstance(path, Path) else path == files[0]


def _failure(gallery: Gallery, files: Sequence[Location] | None) -> str | None:
    """Return why the only one of ``files`` could not be read, if it could not."""
    if not files or len(files) != 1:
        return None
    roots = gallery.roots
    return next(
        (
            f"{each.file.path} could not be read: {each.reason}"
            for each in gallery.failures()
            if any(root / each.file.path == files[0] for root in roots)
        ),
        None,
    )


def _place(word: Word) -> tuple[int, float, float]:
    left, top = word.polygon.min(axis=0).tolist()
    return word.page or 0, top, left


def _in_photo(group: Sequence[Word]) -> dict[str, Cell]:
    [word] = group
    page = {} if word.page is None else {"page": Cell(str(word.page), is_number=True)}
    return {
        "word": Cell(output.printable(word.transcript), "bold"),
        "confidence": output.score_cell(word.confidence),
        **page,
        "box (x,y,w,h)": Cell(output.bounds(word.polygon)),
    }


def _in_photos(group: Sequence[Word]) -> dict[str, Cell]:
    best = group[0]
    photos = len({word.path for word in group})
    return {
        "word": Cell(output.printable(best.transcript), "bold"),
        "count": Cell(str(len(group)), is_number=True),
        "photos": Cell(str(photos), is_number=True),
        "confidence": output.score_cell(best.confidence),
        "surest in": Cell(output.shown_path(best.path), file=best.path),
    }


def _summary(found: Sequence[Word], groups: Sequence[object], top: int | None) -> str:
    photos = output.counted(len({word.path for word in found}), "photo")
    summary = f"{output.counted(len(found), 'word')} in {photos}"
    if len(groups) < len(found):
        summary += f", {len(groups)} different"
    hidden = len(groups) - len(groups[:top])
    return f"{summary}; {hidden} more: --top {len(groups)}" if hidden else summary
