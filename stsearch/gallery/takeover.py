"""Who may write to a gallery: its own weights and its own folder, or others that are to take its place."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from stsearch.errors import UsageError, WeightsError
from stsearch.gallery import registry
from stsearch.gallery.catalog import Catalog
from stsearch.gallery.manifest import Manifest
from stsearch.objects.url import Location
from stsearch.types import ModelInfo


def index_command(folder: Path, photos: Location) -> str:
    """Return the command that brings the gallery in ``folder`` up to date with its ``photos``."""
    place = "" if registry.is_default_place(folder, photos) else f" --index {shlex.quote(str(folder))}"
    return f"stsearch index {shlex.quote(str(photos))}{place}"


def check_model(folder: Path, manifest: Manifest, model: ModelInfo) -> None:
    """Refuse weights other than those that filled the gallery, because their embeddings do not compare.

    Raises:
        WeightsError: they are others; the message names the two ways out.
    """
    if model.sha256 != manifest.model.sha256:
        made, given = (f"{each.name} (sha256 {each.sha256[:12]})" for each in (manifest.model, model))
        command = index_command(folder, manifest.location(folder))
        raise WeightsError(
            f"{folder} was made with the weights {made}, these are {given}: give those with --model,"
            f" or read its photos anew with: {command} --reread, and the same --model if one was given"
        )


def check_photos(folder: Path, manifest: Manifest, photos: Location) -> None:
    """Refuse to read another folder of photographs into the gallery.

    Raises:
        UsageError: it holds those of another; the message names the two ways out.
    """
    known = manifest.location(folder)
    if photos != known:
        raise UsageError(
            f"{folder} holds the photographs of {known}, not of {photos}: if these are the same in another"
            " place, add --moved; else name another gallery with --index"
        )


def begin_reread(catalog: Catalog, manifest: Manifest, model: ModelInfo) -> Manifest:
    """Let every photograph wait for being read by ``model``, and return the manifest that says so.

    It is to be written afterwards; where a kill comes in between, whoever opens the gallery next does.
    Where all of them do already, since a run that did not come to its end, nothing changes.
    """
    waiting = catalog.rereads.counts()
    if model.sha256 == manifest.model.sha256:
        if not (waiting["weights"] or waiting["request"]):
            catalog.begin_reread(manifest, "request")
        return manifest
    new = replace(manifest, model=model, store=None)
    catalog.begin_reread(new, "weights")
    return new


def move(catalog: Catalog, manifest: Manifest, photos: str) -> Manifest:
    """Let the photographs lie in ``photos``, as manifests write it, and return the manifest that says so."""
    new = replace(manifest, photos=photos)
    catalog.state.set_folder(replace(catalog.state.folder(), devices={}))
    catalog.set_manifest_copy(new)
    return new
