"""``stsearch status``, ``verify``, ``rebuild`` and ``forget``: what a gallery holds, and keeping it whole."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stsearch.cli import output
from stsearch.errors import UsageError

if TYPE_CHECKING:
    from stsearch.api.words import WordCount
    from stsearch.gallery.gallery import Gallery
    from stsearch.gallery.pending import Pending
    from stsearch.gallery.records import Counts

DAMAGED = 1

Option = typer.Option
IndexPath = Annotated[
    Path | None,
    Option(envvar="STSEARCH_INDEX", help="Photo folder or gallery; default: the nearest, or the only one."),
]
Folder = Annotated[
    Path | None, typer.Argument(help="Photo folder or gallery; default: that of --index, or the nearest.")
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
    from stsearch.gallery.gallery import Gallery

    with Gallery.open(_named(folder, index), output.note) as gallery:
        state = _State.of(gallery)
        failures = _failures(gallery) if failed else []
        if remark := gallery.vector_file_remark():
            output.note(remark)
    if as_json:
        print(json.dumps({"type": "status", "schema": output.JSON_SCHEMA, **state.facts()}))
        for kind, path, reason in failures:
            print(json.dumps({"type": kind, "schema": output.JSON_SCHEMA, "path": path, "reason": reason}))
    elif failed:
        for _, path, reason in failures:
            print(output.printable(path), output.printable(reason), sep="\t")
    else:
        for name, value in state.lines():
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
    from stsearch.gallery import registry
    from stsearch.gallery.verify import verify as find

    place = _named(folder, index)
    whole = True
    for finding in find(place, deep, output.note):
        whole = False
        if as_json:
            line = {"type": "damage", "schema": output.JSON_SCHEMA, "file": os.fspath(finding.file)}
            print(json.dumps({**line, "what": finding.what}))
        else:
            print(f"{output.shown_path(finding.file)}: {output.printable(finding.what)}")
    if not whole:
        output.note(
            f"Keep a copy of {output.shown_path(place)}; then remake what is damaged with:"
            f" stsearch rebuild {output.quoted_path(registry.short_name(place))}. Where that does not help,"
            " the catalog itself is damaged: delete the folder and index again."
        )
        raise typer.Exit(DAMAGED)
    output.note(f"No damage in {output.shown_path(place)}.")


def rebuild(folder: Folder = None, index: IndexPath = None, quiet: output.Quiet = False) -> None:
    """Remake the vector file and the manifest from the catalog, without reading a photo.

    A damaged list of your galleries is begun anew with this one.
    """
    from stsearch.api.words import count_words
    from stsearch.gallery import registry
    from stsearch.gallery.gallery import Gallery

    with Gallery.edit(_named(folder, index), output.note, restore=True) as gallery:
        gallery.finish(anew=True)
        registry.mend(gallery.folder, registry.data_home(os.environ))
        words = output.counted_words(count_words(gallery))
        output.note(f"Remade {output.shown_path(gallery.folder)}: {words}.")


def forget(
    paths: Annotated[list[Path], typer.Argument(help="Photos or folders, relative to this folder.")],
    index: IndexPath = None,
    quiet: output.Quiet = False,
) -> None:
    """Take photos and their words out of the gallery, without a trace in its files.

    The photos themselves stay; those in an indexed folder are read again by the next stsearch index.
    """
    from stsearch.gallery.gallery import Gallery

    places = dict.fromkeys(gallery_of(index, path) for path in paths)
    if len(places) > 1:
        names = ", ".join(map(output.shown_path, places))
        raise UsageError(f"these lie in several galleries ({names}): forget those of one after the other")
    [place] = places
    with Gallery.edit(place, output.note) as gallery:
        count = gallery.forget(paths)
        output.note(f"Forgot {output.counted(count, 'file')} in {output.shown_path(gallery.folder)}.")


def gallery_of(index: Path | None, path: Path | None = None) -> Path:
    """Return the folder of the gallery that is meant: the one that ``index`` names, else that of ``path``."""
    from stsearch.gallery import registry

    home = registry.data_home(os.environ)
    found = registry.of_path(path, home, output.note) if path is not None and index is None else None
    return found or registry.choose(index, Path.cwd(), home, output.note)


def _failures(gallery: Gallery) -> list[tuple[str, str, str]]:
    """Return kind, path and reason of what could not be read, or in part only."""
    failed = [("failure", each.file.path, each.reason) for each in gallery.catalog.failures()]
    return failed + [("incomplete", each.file.path, each.note) for each in gallery.catalog.incomplete()]


def _named(folder: Path | None, index: Path | None) -> Path:
    """Return the gallery that ``folder`` names or lies in; without it, the one that is meant."""
    from stsearch.gallery import registry

    if folder is None:
        return gallery_of(index)
    home = registry.data_home(os.environ)
    found = registry.of_path(folder, home, output.note) if folder.exists() else None
    return found or registry.find(folder, home)


@dataclass(frozen=True, slots=True)
class _State:
    """What ``stsearch status`` says of a gallery."""

    gallery: Gallery
    counts: Counts
    words: WordCount
    last_run: datetime | None
    passed_over: Mapping[str, int]
    pending: Pending
    size_bytes: int

    @classmethod
    def of(cls, gallery: Gallery) -> _State:
        from stsearch.api.words import count_words
        from stsearch.gallery import last_run
        from stsearch.gallery.file_systems import statuses
        from stsearch.gallery.pending import Pending

        catalog = gallery.catalog
        size_bytes = sum(status.st_size for status in statuses(gallery.folder))
        return cls(
            gallery,
            catalog.counts(),
            count_words(gallery),
            last_run.when(gallery.folder),
            catalog.state.folder().passed_over,
            Pending.of(catalog),
            size_bytes,
        )

    def facts(self) -> dict[str, object]:
        """Return it for programs."""
        from stsearch.gallery.manifest import FORMAT

        manifest = self.gallery.manifest
        return {
            "gallery": os.fspath(self.gallery.folder),
            "folder": os.fspath(self.gallery.photos),
            **asdict(self.counts),
            "words": self.words.words,
            "words_are_estimated": self.words.is_estimate,
            "instances": self.counts.words,
            "last_run": self.last_run.astimezone().isoformat(timespec="seconds") if self.last_run else None,
            "passed_over": dict(self.passed_over),
            "pending": asdict(self.pending),
            "bytes": self.size_bytes,
            "device": manifest.engine or None,
            "weights": {"name": manifest.model.name, "sha256": manifest.model.sha256},
            "format": {"manifest": FORMAT, "catalog": self.gallery.catalog.format},
            "store": (
                {"kind": "hnsw", "file": manifest.store.file, "vectors": manifest.store.count}
                if manifest.store
                else {"kind": "exact"}
            ),
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield it for people, each figure with its name."""
        from stsearch.gallery.takeover import index_command

        gallery, manifest = self.gallery, self.gallery.manifest
        yield "photographs", f"{self.counts.photos:,} in {gallery.photos}"
        yield "words", output.counted_words(self.words)
        yield "last run", f"{self.last_run:%-d %B %Y, %H:%M}" if self.last_run else "not known"
        parts = [f"{output.counted(self.counts.failed, 'file')}"] if self.counts.failed else []
        if self.counts.incomplete:
            parts.append(f"{output.counted(self.counts.incomplete, 'file')} in part")
        if parts:
            command = f"stsearch status {shlex.quote(os.fspath(gallery.photos))} --failed"
            yield "not read", f"{', '.join(parts)}: {command}"
        if self.passed_over:
            yield "passed over", output.passed_over(self.passed_over)
        if left := str(self.pending):
            yield "left to do", f"{left}: {index_command(gallery.folder, gallery.photos)}"
        yield "gallery", f"{gallery.folder}, {output.sized(self.size_bytes)}"
        yield "weights", f"{manifest.model.name} (sha256 {manifest.model.sha256[:12]}…)"
        if manifest.engine:
            yield "device", manifest.engine
