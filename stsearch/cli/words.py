"""``stsearch words``: what was read in one photograph, a folder, or a whole gallery."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stsearch.cli import output
from stsearch.cli.gallery import AsJson, IndexPath, gallery_of
from stsearch.cli.table import Cell

if TYPE_CHECKING:
    from stsearch.api.words import Word
    from stsearch.gallery.gallery import Gallery

NO_WORDS = 1


def words(
    path: Annotated[
        Path | None, typer.Argument(help="A photo or a folder; default: all photos of the gallery.")
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
    from stsearch.gallery.gallery import Gallery

    with Gallery.open(gallery_of(index, path), output.note) as gallery:
        files = None if path is None else _files(gallery, path)
        found = list(words_of(gallery, files))
        failure = _failure(gallery, files) if not found else None
        is_photo = path is not None and files is not None and len(files) == 1 and not path.is_dir()
    groups = [[word] for word in sorted(found, key=_place)] if is_photo else _by_word(found)
    cells = _in_photo if is_photo else _in_photos
    if as_json:
        for group in groups[:top]:
            print(json.dumps(_as_json(group)))
    else:
        output.print_rows([cells(group) for group in groups[:top]])
        output.note(failure or _summary(found, groups, top))
    if not found:
        raise typer.Exit(NO_WORDS)


def _files(gallery: Gallery, path: Path) -> list[str] | None:
    """Return which files of ``gallery`` are meant by ``path``; None: all, since it names the gallery."""
    if path.resolve() == gallery.folder:
        return None
    return gallery.files_below(path, gallery.catalog.paths())


def _failure(gallery: Gallery, files: Sequence[str] | None) -> str | None:
    """Return why the only one of ``files`` could not be read, if it could not."""
    from stsearch.gallery.records import Failed

    record = gallery.catalog.record_at(files[0]) if files and len(files) == 1 else None
    if not isinstance(record, Failed):
        return None
    return f"{record.file.path} could not be read: {record.reason}"


def _by_word(found: Iterable[Word]) -> list[list[Word]]:
    """Return the words that differ by more than case and accents, each with where it stands, surest first."""
    from stsearch.text.charset import normalize

    groups: dict[str, list[Word]] = {}
    for word in sorted(found, key=lambda word: -word.confidence):
        groups.setdefault(normalize(word.transcript) or word.transcript, []).append(word)
    return [group for _, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))]


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


def _as_json(group: Sequence[Word]) -> dict[str, object]:
    return {
        "type": "word",
        "schema": output.JSON_SCHEMA,
        "word": group[0].transcript,
        "count": len(group),
        "confidence": round(group[0].confidence, 4),
        "places": [
            {
                "path": os.fspath(word.path),
                "transcript": word.transcript,
                "confidence": round(word.confidence, 4),
                "page": word.page,
                "box": output.rounded_box(word.polygon),
            }
            for word in group
        ],
    }


def _summary(found: Sequence[Word], groups: Sequence[object], top: int | None) -> str:
    photos = output.counted(len({word.path for word in found}), "photo")
    summary = f"{output.counted(len(found), 'word')} in {photos}"
    if len(groups) < len(found):
        summary += f", {len(groups)} different"
    hidden = len(groups) - len(groups[:top])
    return f"{summary}; {hidden} more: --top {len(groups)}" if hidden else summary
