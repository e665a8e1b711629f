"""``stsearch status``, ``verify``, ``rebuild`` and ``forget``: what a gallery holds, and keeping it whole."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stsearch.cli import output
from stsearch.cli.completion import folders
from stsearch.errors import GalleryNotFoundError, UsageError
from stsearch.objects.url import Location, located

if TYPE_CHECKING:
    from stsearch.api.status import GalleryState
    from stsearch.gallery.address import Address
    from stsearch.gallery.protocol import Gallery

DAMAGED = 1

Option = typer.Option
# Whether a folder can be read is said by what reads it, with the exit code for that, and not by typer.
IndexPath = Annotated[
    str | None,
    Option(
        metavar="PATH|URL",
        envvar="STSEARCH_INDEX",
        help="Photo folder, its URL, or gallery; default: the nearest, or the only one.",
        autocompletion=folders,
    ),
]
Folder = Annotated[
    str | None,
    typer.Argument(
        metavar="[FOLDER]",
        help="Photo folder, its URL, or gallery; default: that of --index, or the nearest.",
        autocompletion=folders,
    ),
]
AsJson = Annotated[bool, Option("--json", help="Print JSON Lines.")]


def status(
    folder: Folder = None,
    index: IndexPath = None,
    failed: Annotated[
        bool, Option("--failed", help="List the files that could not be read, or in part only.")
    ] = False,
    as_json: AsJson = False,
    quiet: output.Quiet = False,
) -> None:
    """Show what a gallery holds, when it was brought up to date, and what could not be read."""
    from stsearch.api.status import GalleryState
    from stsearch.gallery.access import open_gallery

    with open_gallery(_named(folder, index), output.note) as gallery:
        state = GalleryState.of(gallery)
        failures = _failures(gallery) if failed else []
        if remark := gallery.remark():
            output.note(remark)
    if as_json:
        print(json.dumps({"type": "status", "schema": output.JSON_SCHEMA, **state.facts()}))
        for kind, path, reason in failures:
            print(json.dumps({"type": kind, "schema": output.JSON_SCHEMA, "path": path, "reason": reason}))
    elif failed:
        for _, path, reason in failures:
            print(output.printable(path), output.printable(reason), sep="\t")
    else:
        for name, value in _lines(state):
            print(f"{name:<11}  {output.printable(value)}")


def verify(
    folder: Folder = None,
    index: IndexPath = None,
    deep: Annotated[
        bool, Option("--deep", help="Also search the vector file and read the photos again.")
    ] = False,
    as_json: AsJson = False,
    quiet: output.Quiet = False,
) -> None:
    """Check every byte of a gallery that matters. Exit code 1: damage was found."""
    from stsearch.gallery.access import verify_gallery

    place = _named(folder, index)
    whole = True
    for finding in verify_gallery(place, deep, output.note):
        whole = False
        if as_json:
            line = {"type": "damage", "schema": output.JSON_SCHEMA, "file": os.fspath(finding.file)}
            print(json.dumps({**line, "what": finding.what}))
        else:
            print(f"{output.shown_place(finding.file)}: {output.printable(finding.what)}")
    if not whole:
        itself = (
            "the catalog itself is damaged: delete the folder and index again"
            if isinstance(place, Path)
            else "take back a backup of the database, or index into an empty one"
        )
        output.note(
            f"Keep a copy of {output.shown_place(place)}; then remake what is damaged with:"
            f" stsearch rebuild {shlex.quote(output.short_place(str(place)))}. Where that does not help,"
            f" {itself}."
        )
        raise typer.Exit(DAMAGED)
    output.note(f"No damage in {output.shown_place(place)}.")


def rebuild(folder: Folder = None, index: IndexPath = None, quiet: output.Quiet = False) -> None:
    """Remake the vector file and the manifest from the catalog, without reading a photo.

    A damaged list of your galleries is begun anew with this one. In a database the tables are written anew,
    with their indexes, and nothing is left of what was removed; meanwhile they cannot be used.
    """
    from stsearch.api.words import count_words
    from stsearch.gallery import registry
    from stsearch.gallery.access import edit_gallery

    place = _named(folder, index)
    with edit_gallery(place, output.note, restore=True) as gallery:
        gallery.finish(anew=True)
        if isinstance(place, Path):
            registry.mend(place, registry.data_home(os.environ))
        output.note(f"Remade {output.shown_place(place)}: {count_words(gallery)}.")


def forget(
    paths: Annotated[
        list[str], typer.Argument(help="Photos or folders, relative to this folder, or their URLs.")
    ],
    index: IndexPath = None,
    quiet: output.Quiet = False,
) -> None:
    """Take photos and their words out of the gallery, without a trace in its files.

    In a database no search finds them any more, and stsearch rebuild removes the traces. The photos
    themselves stay, so the next stsearch index reads them again; name them in .stsearchignore to keep them
    out.
    """
    from stsearch.gallery.access import edit_gallery

    photos = [located(path) for path in paths]
    places = dict.fromkeys(gallery_of(index, photo) for photo in photos)
    if len(places) > 1:
        names = ", ".join(map(output.shown_place, places))
        raise UsageError(f"these lie in several galleries ({names}): forget those of one after the other")
    [place] = places
    with edit_gallery(place, output.note) as gallery:
        count = gallery.forget(photos)
        output.note(f"Forgot {output.counted(count, 'file')} in {output.shown_place(place)}.")
        if there := [path for path in photos if isinstance(path, Path) and path.exists()]:
            output.note(_way_to_keep_out(there, gallery.roots))


def _way_to_keep_out(paths: Sequence[Path], roots: Sequence[Location]) -> str:
    """Return what to do so that ``paths`` are not read again from the folders ``roots``."""
    from stsearch.gallery.paths import name_in
    from stsearch.indexing.ignore_patterns import pattern_of
    from stsearch.indexing.walk import IGNORE_FILE

    lines: dict[Location, list[str]] = {}
    for path in paths:
        for root in roots:
            if name := name_in(path, root):
                lines.setdefault(root, []).append(pattern_of(name))
                break
    unless = " and ".join(
        f"{output.shown_path(root / IGNORE_FILE)} has the line {', '.join(patterns)}"
        for root, patterns in lines.items()
    )
    again = "What is still there is read again by the next stsearch index"
    return f"{again}, unless {unless}" if unless else again


def galleries_or_environment(given: list[str] | None) -> list[str] | None:
    """Return what ``--index`` names, else what STSEARCH_INDEX does: a URL, or paths with a colon between."""
    named = os.environ.get("STSEARCH_INDEX", "")
    if given or not named:
        return given
    return [named] if "://" in named else named.split(os.pathsep)


def gallery_of(index: str | None, path: Location | None = None) -> Address:
    """Return where the gallery is that is meant: the one that ``index`` names, else that of ``path``.

    Raises:
        UsageError: ``path`` is not there, and in no folder that is indexed.
        GalleryNotFoundError: it is in no folder that is indexed.
    """
    from stsearch.gallery import registry
    from stsearch.gallery.address import DatabaseUrl, parse_named

    named = None if index is None else parse_named(index)
    if isinstance(named, DatabaseUrl):
        return named
    home = registry.data_home(os.environ)
    if path is None or index is not None:
        return registry.choose(named, Path.cwd(), home, output.note)
    if (found := registry.of_path(path, home, output.note)) is not None:
        return found
    folder = path
    if isinstance(path, Path):
        if not (path.exists() or path.is_symlink()):
            raise UsageError(f"there is no file or folder {path}")
        folder = path if path.is_dir() else path.parent
    raise GalleryNotFoundError(
        f"{path} lies in no indexed folder; to read it: stsearch index {output.quoted_path(folder)}"
    )


def _failures(gallery: Gallery) -> list[tuple[str, str, str]]:
    """Return kind, path and reason of what could not be read, or in part only."""
    failed = [("failure", each.file.path, each.reason) for each in gallery.failures()]
    return failed + [("incomplete", each.file.path, each.note) for each in gallery.incomplete()]


def _named(folder: str | None, index: str | None) -> Address:
    """Return the gallery that ``folder`` names or lies in; without it, the one that is meant."""
    from stsearch.gallery import registry
    from stsearch.gallery.address import DatabaseUrl, parse_named

    if folder is None:
        return gallery_of(index)
    named = parse_named(folder)
    if isinstance(named, DatabaseUrl):
        return named
    home = registry.data_home(os.environ)
    is_there = not isinstance(named, Path) or named.exists()
    return (is_there and registry.of_path(named, home, output.note)) or registry.find(named, home)


def _lines(state: GalleryState) -> Iterator[tuple[str, str]]:
    """Yield what people are told of a gallery, each figure with its name."""
    from stsearch.gallery.address import parse_address

    status, model = state.status, state.model
    yield "photographs", f"{state.counts.photos:,} in {', '.join(map(str, state.roots))}"
    yield "words", str(state.words).rpartition(" ")[0]
    yield "last run", f"{status.last_run:%-d %B %Y, %H:%M}" if status.last_run else "not known"
    parts = [output.counted(state.counts.failed, "file")] if state.counts.failed else []
    if state.counts.incomplete:
        parts.append(f"{output.counted(state.counts.incomplete, 'file')} in part")
    if parts:
        # The folder of photographs names a gallery in a folder; where there are several, its URL does.
        known = str(state.roots[0]) if isinstance(parse_address(state.name), Path) else state.name
        yield "not read", f"{', '.join(parts)}: {shlex.join(['stsearch', 'status', known, '--failed'])}"
    if state.passed_over:
        yield "passed over", output.passed_over(state.passed_over)
    if workers := status.store.get("workers"):
        yield "at work", f"{workers} indexing processes" if workers != 1 else "1 indexing process"
    if left := str(state.pending):
        yield "left to do", f"{left}: {state.index_command}"
    yield "gallery", f"{state.name}, {output.sized(status.size_bytes)}"
    yield "weights", f"{model.name} (sha256 {model.sha256[:12]}…)"
    if status.engine:
        yield "device", status.engine
