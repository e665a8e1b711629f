"""``stsearch galleries``: the list of all galleries, which a search without --index goes through."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from stsearch.cli import output
from stsearch.cli.gallery import AsJson
from stsearch.cli.program import Program
from stsearch.cli.table import Cell
from stsearch.errors import StsearchError, UsageError
from stsearch.objects.url import Location, located, resolved

galleries = Program(help="List the galleries there are, find those that moved, take some off the list.")

_HERE, _MISSING = "here", "missing"


@dataclass(frozen=True, slots=True)
class _Listed:
    """One line of the list; ``photographs`` is None where the gallery cannot be opened."""

    gallery: Path
    folder: Location
    state: str
    photographs: int | None

    def facts(self) -> dict[str, object]:
        """Return it for programs."""
        return {
            "gallery": os.fspath(self.gallery),
            "folder": str(self.folder),
            "photos": self.photographs,
            "state": self.state,
        }

    def cells(self) -> dict[str, Cell]:
        """Return it for people."""
        return {
            "folder": Cell(output.printable(str(self.folder)), "bold", file=self.folder),
            "photos": Cell("-" if self.photographs is None else str(self.photographs), is_number=True),
            "state": Cell(output.printable(self.state), "" if self.state == _HERE else "yellow"),
        }


@galleries.callback(invoke_without_command=True)
def list_galleries(context: typer.Context, as_json: AsJson = False, quiet: output.Quiet = False) -> None:
    """List the galleries there are, find those that moved, take some off the list.

    A search from outside of every indexed folder goes through all of them.
    """
    if context.invoked_subcommand is not None:
        return
    from stsearch.gallery import registry

    home = registry.data_home(os.environ)
    listed = [_look_at(folder) for folder in registry.listed(home)]
    if as_json:
        for each in listed:
            print(json.dumps({"type": "gallery", "schema": output.JSON_SCHEMA, **each.facts()}))
        return
    output.print_rows([each.cells() for each in listed])
    if not listed:
        output.note("No photos are indexed yet; begin with: stsearch index FOLDER")
    elif any(each.state == _MISSING for each in listed):
        output.note(
            "A missing one was moved, deleted, or lies on a disk that is not there. If it was moved:"
            " stsearch galleries find FOLDER; if it is gone: stsearch galleries forget --missing"
        )


@galleries.command("find", epilog="Example: stsearch galleries find /mnt/photos")
def find(
    folder: Annotated[Path, typer.Argument(readable=False, help="Where to look, and below.")],
    quiet: output.Quiet = False,
) -> None:
    """Look for galleries in a folder and below, and list those that are not yet: moved or copied ones."""
    from stsearch.gallery import registry

    home = registry.data_home(os.environ)
    if not registry.is_folder(folder):
        raise UsageError(f"{folder} is no folder")
    known, found = set(registry.listed(home)), list(_galleries_below(folder))
    for place in found:
        if place not in known:
            registry.register(place, home)
            print(f"listed {output.shown_path(place)}")
    new = len([place for place in found if place not in known])
    number = output.counted(len(found), "gallery", "galleries")
    output.note(f"Found {number}, {new} of them new to the list.")
    if gone := [place for place in sorted(known) if not registry.is_gallery(place)]:
        named = ", ".join(output.shown_path(registry.short_name(place)) for place in gone)
        output.note(f"Missing: {named}. To take off the list: stsearch galleries forget --missing")


@galleries.command("forget", epilog="Example: stsearch galleries forget --missing")
def forget(
    folders: Annotated[
        list[str] | None, typer.Argument(help="Galleries, or the folders or URLs of their photos.")
    ] = None,
    missing: Annotated[bool, typer.Option("--missing", help="All that are not there any more.")] = False,
    quiet: output.Quiet = False,
) -> None:
    """Take galleries off the list. Nothing is deleted: indexing the folder lists its gallery again."""
    from stsearch.gallery import registry

    home = registry.data_home(os.environ)
    if not folders and not missing:
        raise UsageError("name the galleries to take off the list, or give --missing")
    known = registry.listed(home)
    chosen = [_choose(folder, known) for folder in folders or ()]
    if missing:
        chosen += [place for place in known if _look_at(place).state == _MISSING]
    for place in dict.fromkeys(chosen):
        registry.unregister(place, home)
        print(f"forgot {output.shown_path(place)}")
    number = output.counted(len(set(chosen)), "gallery", "galleries")
    output.note(f"Took {number} off the list; no file was deleted.")


@galleries.command(epilog="Example: stsearch galleries trust /srv/photos")
def trust(
    path: Annotated[str, typer.Argument(help="Photo folder, its URL, or gallery of another user.")],
    quiet: output.Quiet = False,
) -> None:
    """Use a gallery that another user made, for as long as its files belong to that user.

    Galleries of your own, and those of root, are used anyway.
    """
    from stsearch.gallery import registry
    from stsearch.gallery import trust as trust_module

    home = registry.data_home(os.environ)
    folder = registry.locate(located(path), home)
    trust_module.trust(folder, home)
    output.note(f"Trusted: {output.shown_path(folder)}.")


def _look_at(place: Path) -> _Listed:
    """Return what the list says of the gallery at ``place``, whatever is wrong with it."""
    from stsearch.gallery import registry
    from stsearch.gallery.gallery import Gallery

    folder = registry.short_name(place)
    try:
        if not registry.is_gallery(place):
            return _Listed(place, folder, _MISSING, None)
        with Gallery.open(place) as gallery:
            photos = gallery.photos
            is_here = not isinstance(photos, Path) or registry.is_folder(photos)
            state = _HERE if is_here else f"its photographs are missing: {photos}"
            return _Listed(place, photos, state, gallery.catalog.counts().photos)
    except (StsearchError, OSError) as error:  # one that cannot be opened does not hide the others
        reason = isinstance(error, OSError) and error.strerror
        return _Listed(place, folder, reason or str(error), None)


def _galleries_below(folder: Path) -> Iterator[Path]:
    """Yield the galleries in ``folder`` and below; links are not followed."""
    from stsearch.gallery import registry

    if registry.is_gallery(folder.resolve()):
        yield folder.resolve()
    for parent, names, _ in os.walk(folder.resolve()):
        if registry.FOLDER_NAME in names:
            names.remove(registry.FOLDER_NAME)
            place = Path(parent, registry.FOLDER_NAME)
            with suppress(OSError):
                if not place.is_symlink() and registry.is_gallery(place):
                    yield place
        names.sort()


def _choose(folder: str, known: Sequence[Path]) -> Path:
    """Return the listed gallery that ``folder`` names: its own folder, or that of its photographs.

    Raises:
        UsageError: it is not on the list.
    """
    named = resolved(folder)
    for place in known:
        if named in (place, _look_at(place).folder):
            return place
    raise UsageError(f"{folder} is not on the list; stsearch galleries shows what is")
