"""``stsearch status``, ``verify``, ``rebuild`` and ``forget``: what a gallery holds, and keeping it whole."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stsearch.cli import output

if TYPE_CHECKING:
    from stsearch.gallery.gallery import Gallery

DAMAGED = 1

Option = typer.Option
IndexPath = Annotated[
    Path | None,
    Option(envvar="STSEARCH_INDEX", help="Photo folder or gallery; default: the nearest, or the only one."),
]
AsJson = Annotated[bool, Option("--json", help="Print JSON Lines.")]


def status(
    index: IndexPath = None,
    failed: Annotated[
        bool, Option("--failed", help="List the files that could not be read, or in part only.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what a gallery holds, and which weights filled it."""
    from stsearch.gallery.gallery import Gallery

    with Gallery.open(_folder(index), output.note) as gallery:
        facts = _facts(gallery)
        failures = _failures(gallery) if failed else []
        if remark := gallery.vector_file_remark():
            output.note(remark)
    if as_json:
        print(json.dumps({"type": "status", "schema": output.JSON_SCHEMA, **facts}))
        for kind, path, reason in failures:
            print(json.dumps({"type": kind, "schema": output.JSON_SCHEMA, "path": path, "reason": reason}))
    elif failed:
        for _, path, reason in failures:
            print(output.printable(path), output.printable(reason), sep="\t")
    else:
        for name, value in facts.items():
            print(f"{name:<10} {_shown(value)}")


def verify(
    index: IndexPath = None,
    deep: Annotated[
        bool, Option("--deep", help="Also search the vector file and read the photos again.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Check every byte of a gallery that matters. Exit code 1: damage was found."""
    from stsearch.gallery.verify import verify as find

    folder = _folder(index)
    whole = True
    for finding in find(folder, deep, output.note):
        whole = False
        if as_json:
            line = {"type": "damage", "schema": output.JSON_SCHEMA, "file": os.fspath(finding.file)}
            print(json.dumps({**line, "what": finding.what}))
        else:
            print(f"{output.shown_path(finding.file)}: {output.printable(finding.what)}")
    if not whole:
        output.note(
            "A damaged vector file or manifest is remade with: stsearch rebuild;"
            f" for a damaged catalog delete {output.shown_path(folder)} and index again."
        )
        raise typer.Exit(DAMAGED)
    output.note(f"No damage in {output.shown_path(folder)}.")


def rebuild(index: IndexPath = None) -> None:
    """Remake the vector file and the manifest from the catalog, without reading a photo."""
    from stsearch.gallery.gallery import Gallery

    with Gallery.edit(_folder(index), output.note, restore=True) as gallery:
        gallery.finish(anew=True)
        words = output.counted(gallery.catalog.words(), "reading")
        output.note(f"Remade {output.shown_path(gallery.folder)}: {words}.")


def forget(
    paths: Annotated[list[Path], typer.Argument(help="Photos or folders, relative to this folder.")],
    index: IndexPath = None,
) -> None:
    """Take photos and their words out of the gallery, without a trace in its files.

    The photos themselves stay; those in an indexed folder are read again by the next stsearch index.
    """
    from stsearch.gallery.gallery import Gallery

    with Gallery.edit(_folder(index), output.note) as gallery:
        count = gallery.forget(paths)
        output.note(f"Forgot {output.counted(count, 'file')} in {output.shown_path(gallery.folder)}.")


def _folder(index: Path | None) -> Path:
    """Return the folder of the gallery that is meant."""
    from stsearch.gallery import registry

    return registry.choose(index, Path.cwd(), registry.data_home(os.environ))


def _failures(gallery: Gallery) -> list[tuple[str, str, str]]:
    """Return kind, path and reason of what could not be read, or in part only."""
    failed = [("failure", each.file.path, each.reason) for each in gallery.catalog.failures()]
    return failed + [("incomplete", each.file.path, each.note) for each in gallery.catalog.incomplete()]


def _facts(gallery: Gallery) -> dict[str, object]:
    """Return what ``stsearch status`` shows, by name."""
    from stsearch.gallery.manifest import FORMAT

    counts, manifest = gallery.catalog.counts(), gallery.manifest
    return {
        "gallery": os.fspath(gallery.folder),
        "folder": os.fspath(gallery.photos),
        **asdict(counts),
        "bytes": sum(file.stat().st_size for file in gallery.folder.iterdir()),
        "weights": {"name": manifest.model.name, "sha256": manifest.model.sha256},
        "format": {"manifest": FORMAT, "catalog": gallery.catalog.format},
        "store": (
            {"kind": "hnsw", "file": manifest.store.file, "vectors": manifest.store.count}
            if manifest.store
            else {"kind": "exact"}
        ),
    }


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(f"{name} {_shown(each)}" for name, each in value.items())
    return output.printable(str(value))
