"""``stsearch index``: options in, progress and a summary out; the work itself is ``stsearch.indexing``."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from stsearch.cli import output, signals
from stsearch.cli.completion import folders, weights
from stsearch.cli.progress import indexing_progress
from stsearch.errors import UsageError
from stsearch.objects.url import Location, located, resolved

if TYPE_CHECKING:
    from stsearch.api.photos import Photos
    from stsearch.gallery.address import Address
    from stsearch.gallery.records import PhotoFile
    from stsearch.indexing.changes import IndexReport
    from stsearch.indexing.dry_run import Preview
    from stsearch.indexing.worker_processes import Loaded
    from stsearch.types import ModelInfo

FILES_FAILED = 3
_FAILURES_SHOWN = 20

Option = typer.Option
Folder = Annotated[
    str,
    typer.Argument(
        metavar="FOLDER", help="Folder of photos, or their URL: s3://BUCKET/PREFIX, gs://..., az://..."
    ),
]
Index = Annotated[
    str | None,
    Option(
        metavar="FOLDER|URL",
        help="Folder for the gallery, or postgresql://HOST/NAME; default: FOLDER/.stsearch, of a URL in your"
        " data folder.",
        autocompletion=folders,
    ),
]
Device = Annotated[str, Option(envvar="STSEARCH_DEVICE", help="auto, cpu or cuda[:N].")]
Engine = Annotated[
    str,
    Option(
        envvar="STSEARCH_ENGINE",
        help="auto, openvino, onnx or torch; auto: exported graphs on a CPU. Or ray, or ray://HOST:10001.",
    ),
]
Model = Annotated[str, Option(help="Weights: a name or a folder.", autocompletion=weights)]
Batch = Annotated[int | None, Option(min=1, help="Photos at once; default: 4, on a GPU 32.")]
NoRead = Annotated[bool, Option("--no-read", help="Do without the recognizer: faster, rougher transcripts.")]
Exclude = Annotated[
    list[str] | None,
    Option(metavar="PATTERN", help="Leave out what matches, as a line of .stsearchignore would; repeatable."),
]
Follow = Annotated[bool, Option("--follow", help="Follow symbolic links to folders and files.")]
FilesFrom = Annotated[
    str | None, Option(metavar="FILE", help="Look at the photos listed there only, one a line; - is stdin.")
]
Null = Annotated[bool, Option("--null", "-0", help="The list of --files-from is NUL-separated.")]
Reread = Annotated[
    bool, Option("--reread", help="Read known photos again, in place; with other weights than before, too.")
]
Moved = Annotated[bool, Option("--moved", help="The photos of the gallery of --index lie in FOLDER now.")]
Prune = Annotated[
    bool, Option("--prune", help="Remove missing photos even if it looks as if a share were not mounted.")
]
DryRun = Annotated[bool, Option("--dry-run", help="Say what would be read and removed, and do nothing.")]
MaxMegapixels = Annotated[float, Option(min=0, help="Refuse larger photos without decoding them.")]
MaxBytes = Annotated[int, Option(min=0, help="Refuse larger files without reading them.")]
PhotoTimeout = Annotated[
    float, Option(min=0, help="Seconds after which reading a file, or decoding a page, is given up.")
]
FirstPage = Annotated[
    bool, Option("--first-page", help="Of several pages, or frames of an animation, read the first only.")
]
Workers = Annotated[
    int | None,
    Option(
        min=1,
        envvar="STSEARCH_WORKERS",
        help="Processes that look for words at the same time; default: one a core, as memory allows.",
    ),
]
AsJson = Annotated[bool, Option("--json", help="Print the summary as a JSON line.")]


def index(
    folder: Folder,
    index: Index = None,
    device: Device = "auto",
    engine: Engine = "auto",
    model: Model = "tiny",
    batch: Batch = None,
    workers: Workers = None,
    no_read: NoRead = False,
    exclude: Exclude = None,
    follow: Follow = False,
    files_from: FilesFrom = None,
    null: Null = False,
    reread: Reread = False,
    moved: Moved = False,
    prune: Prune = False,
    dry_run: DryRun = False,
    max_megapixels: MaxMegapixels = 178.0,
    max_bytes: MaxBytes = 1_000_000_000,
    photo_timeout: PhotoTimeout = 60.0,
    first_page: FirstPage = False,
    as_json: AsJson = False,
    quiet: output.Quiet = False,
) -> None:
    """Read the words in the photos of a folder, so that they can be searched.

    Run it again after photos came, went or changed: only new content is read. It may be interrupted at any
    time. What .stsearchignore files name is left out. Exit code 3: done, but some files could not be read, or
    so many are missing that nothing was removed.
    """
    from stsearch.api.index_plan import IndexPlan

    plan = IndexPlan.of(folder, index, exclude or (), follow, _read_list(files_from, null))
    if dry_run:
        found = plan.preview(output.note, not no_read, prune)
        _print_preview(found, as_json, quiet)
        if found.vanished or found.failed:
            raise typer.Exit(FILES_FAILED)
        return
    output.note(f"Indexing {output.shown_path(resolved(folder))} → {output.shown_place(plan.place)} …")
    from stsearch.api.jobs import index as index_photos

    def tell_loaded(info: ModelInfo, loaded: Loaded) -> None:
        weights = f"{info.name} (sha256 {info.sha256[:8]}…)"
        output.note(f"Device: {loaded.device}, {loaded.precision} · weights: {weights}")

    warnings.filterwarnings("ignore", module="PIL")  # what is odd about a photo that can be read anyway
    try:
        with _stoppable(), indexing_progress(hidden=quiet) as progress:
            photos = index_photos(
                plan,
                model=model,
                device=device,
                engine=engine,
                read=not no_read,
                batch=batch,
                workers=workers,
                max_megapixels=max_megapixels,
                max_bytes=max_bytes,
                photo_timeout_s=photo_timeout,
                first_page=first_page,
                reread=reread,
                moved=moved,
                prune=prune,
                progress=progress,
                loaded=tell_loaded,
                notify=output.complain,
            )
    except KeyboardInterrupt:
        _print_interrupted(plan.place)
        raise
    if not _print_report(photos, resolved(folder), as_json, quiet):
        raise typer.Exit(FILES_FAILED)


@contextmanager
def _stoppable() -> Iterator[None]:
    """Answer the first Ctrl-C at once, and end the process at the second."""

    def stop(_signal: int, _frame: object) -> NoReturn:
        signal.signal(signal.SIGINT, lambda *_: signals.leave(signals.INTERRUPTED))
        output.note("Stopping …")
        signals.interrupt()

    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN:  # in a background job
        yield
        return
    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _print_interrupted(place: Address) -> None:
    from stsearch.api.photos import open as open_photos
    from stsearch.gallery.access import is_there

    if not is_there(place):
        return
    with open_photos(place, notify=output.note) as photos:
        [gallery] = photos.galleries
        found = gallery.folder_state().unfinished
        of = f" of {found}" if found else ""
        output.note(f"Stopped: {len(photos)}{of} photos can be searched. Run the same command to go on.")


def _print_report(photos: Photos, folder: Location, as_json: bool, quiet: bool) -> bool:
    """Print what the run over ``folder`` did, and return whether it could do everything."""
    report = photos.report
    assert report is not None  # a run has one
    with photos:
        if as_json:
            print(json.dumps({"type": "summary", "schema": output.JSON_SCHEMA, **asdict(report)}))
        elif not quiet:
            _print_summary(photos, folder, report)
        failed = [each for some in photos.galleries for each in some.failures() if _is_of(folder, each.file)]
        incomplete = [
            each for some in photos.galleries for each in some.incomplete() if _is_of(folder, each.file)
        ]
        places = [output.name_in_command(gallery) for gallery in photos.galleries]
    failures = [(each.file.path, each.reason) for each in (*failed, *report.not_reread)]
    command = shlex.join(["stsearch", "status", *places, "--failed"])
    _print_failures(failures, f"could not be read ({command})")
    _print_failures([(each.file.path, each.note) for each in incomplete], "could be read in part only")
    return not (failures or incomplete or report.vanished)


def _is_of(root: Location, file: PhotoFile) -> bool:
    """Return whether ``file`` lies in ``root``; a gallery of several folders names files by whole paths."""
    from stsearch.gallery.paths import name_in

    path = located(file.path)
    is_relative = isinstance(path, Path) and not path.is_absolute()
    return is_relative or name_in(path, root) is not None


def _read_list(files_from: str | None, null: bool) -> list[str] | None:
    """Return the paths that the file of --files-from lists; None without one."""
    if files_from is None:
        if null:
            raise UsageError("--null says how the list of --files-from is separated: give that too")
        return None
    try:
        listing = sys.stdin.buffer.read() if files_from == "-" else Path(files_from).read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the list {files_from}: {error.strerror or error}") from error
    return [os.fsdecode(name) for name in listing.split(b"\0" if null else b"\n") if name]


def _print_preview(found: Preview, as_json: bool, quiet: bool) -> None:
    """Print a line for each photo that a run would read or remove, then how many there are of each kind."""
    changes = {"new": found.new, "changed": found.changed, "moved": found.moved, "removed": found.removed}
    counts = {**{kind: len(paths) for kind, paths in changes.items()}, "unchanged": found.unchanged}
    counts["reread"] = found.reread
    lines = [(kind, path) for kind, paths in changes.items() for path in paths]
    if as_json:
        for kind, path in lines:
            print(json.dumps({"type": kind, "schema": output.JSON_SCHEMA, "path": path}))
        seen = {"vanished": found.vanished and asdict(found.vanished), "passed_over": found.passed_over}
        print(json.dumps({"type": "preview", "schema": output.JSON_SCHEMA, **counts, **seen}))
    elif not quiet:
        for kind, path in lines:
            print(kind, output.printable(path), sep="\t")
        _print_counts(counts, found.passed_over)
    if found.vanished:
        output.complain(str(found.vanished))
    _print_failures([(each.file.path, each.reason) for each in found.failed], "cannot be looked at")


def _print_summary(photos: Photos, folder: Location, report: IndexReport) -> None:
    from stsearch.api.words import count_words

    if not photos.galleries:
        output.note(f"No photos found in {output.shown_path(folder)}.")
    kinds = ("new", "changed", "moved", "removed", "unchanged", "reread")
    _print_counts({name: getattr(report, name) for name in kinds}, report.passed_over)
    for gallery in photos.galleries:
        count = gallery.counts().photos
        size = gallery.status().size_bytes / 1e6
        print(
            f"Done: {output.counted(count, 'photo')}, {count_words(gallery)},"
            f" {size:.1f} MB gallery, {report.seconds:.1f} s."
        )


def _print_counts(changes: Mapping[str, int], passed_over: Mapping[str, int]) -> None:
    """Print how many files changed in each way, and how many are no photos."""
    shown = {**changes, "read again": changes["reread"]}
    names = [name for name in shown if name != "reread" and (shown[name] or name != "read again")]
    print(", ".join(f"{shown[name]} {name}" for name in names))
    if passed_over:
        print(f"Passed over: {output.passed_over(passed_over)}.")
        _tell_missing_packages(passed_over)


def _tell_missing_packages(passed_over: Mapping[str, int]) -> None:
    """Tell after which commands some of the files that were passed over are read."""
    from stsearch.images import install_hint

    endings: dict[str, dict[str, int]] = {}  # with how many files each, by command
    for ending, number in passed_over.items():
        if command := install_hint(ending):
            endings.setdefault(command, {})[ending] = number
    for command, files in endings.items():
        output.note(f"To read {output.passed_over(files)} too: {command}")


def _print_failures(failures: Sequence[tuple[str, str]], what: str) -> None:
    """Say on stderr that something happened to files, given by path and reason."""
    if failures:
        output.complain(f"{output.counted(len(failures), 'file')} {what}:")
    for path, reason in failures[:_FAILURES_SHOWN]:
        output.complain(f"  {output.printable(path)}: {output.printable(reason)}")
    if len(failures) > _FAILURES_SHOWN:
        output.complain(f"  and {len(failures) - _FAILURES_SHOWN} more")
