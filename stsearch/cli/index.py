"""``stsearch index``: options in, progress and a summary out; the work itself is ``stsearch.indexing``."""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from stsearch.cli import output, signals
from stsearch.cli.completion import weights
from stsearch.errors import UsageError

if TYPE_CHECKING:
    from stsearch.api.model import Model as Networks
    from stsearch.gallery.gallery import Gallery
    from stsearch.indexing.indexer import IndexReport
    from stsearch.indexing.walk import WalkRules

FILES_FAILED = 3
_FAILURES_SHOWN = 20

Option = typer.Option
Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder of photos.")]
Index = Annotated[Path | None, Option(help="Folder for the gallery; default: FOLDER/.stsearch.")]
Device = Annotated[str, Option(envvar="STSEARCH_DEVICE", help="auto, cpu or cuda[:N].")]
Engine = Annotated[
    str,
    Option(envvar="STSEARCH_ENGINE", help="auto, openvino, onnx or torch; auto: exported graphs on a CPU."),
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
DryRun = Annotated[bool, Option("--dry-run", help="Say what would be read and removed, and do nothing.")]
MaxMegapixels = Annotated[float, Option(min=0, help="Refuse larger photos without decoding them.")]
MaxBytes = Annotated[int, Option(min=0, help="Refuse larger files without reading them.")]
PhotoTimeout = Annotated[
    float, Option(min=0, help="Seconds after which reading a file, or decoding a page, is given up.")
]
FirstPage = Annotated[
    bool, Option("--first-page", help="Of several pages, or frames of an animation, read the first only.")
]
AsJson = Annotated[bool, Option("--json", help="Print the summary as a JSON line.")]
Quiet = Annotated[bool, Option("--quiet", "-q", help="Show errors only.")]


def index(
    folder: Folder,
    index: Index = None,
    device: Device = "auto",
    engine: Engine = "auto",
    model: Model = "tiny",
    batch: Batch = None,
    no_read: NoRead = False,
    exclude: Exclude = None,
    follow: Follow = False,
    files_from: FilesFrom = None,
    null: Null = False,
    dry_run: DryRun = False,
    max_megapixels: MaxMegapixels = 178.0,
    max_bytes: MaxBytes = 1_000_000_000,
    photo_timeout: PhotoTimeout = 60.0,
    first_page: FirstPage = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Read the words in the photos of a folder, so that they can be searched.

    Run it again after photos came, went or changed: only new content is read. It may be interrupted at any
    time. What .stsearchignore files name is left out. Exit code 3: done, but some files could not be read.
    """
    tell = (lambda _: None) if quiet else output.note
    only = _read_list(files_from, null)
    rules = _rules(folder, exclude, follow, only)  # what is wrong with them is said before anything is done
    if dry_run:
        _print_preview(folder, index, rules, as_json, quiet)
        return
    tell(f"Indexing {output.shown_path(folder.absolute())} …")
    from stsearch.api.jobs import gallery_folder
    from stsearch.api.jobs import index as index_photos

    place = gallery_folder(folder, index)

    def tell_loaded(networks: Networks) -> None:
        info, spotter = networks.info, networks.spotter
        weights = f"{info.name} (sha256 {info.sha256[:8]}…)"
        tell(f"Device: {spotter.device}, {spotter.precision} · weights: {weights}")

    warnings.filterwarnings("ignore", module="PIL")  # what is odd about a photo that can be read anyway
    try:
        with _stoppable(), output.progress_bar(hidden=quiet) as progress:
            photos = index_photos(
                folder,
                gallery=index,
                model=model,
                device=device,
                engine=engine,
                read=not no_read,
                batch=batch,
                exclude=exclude or (),
                follow=follow,
                only=only,
                max_megapixels=max_megapixels,
                max_bytes=max_bytes,
                photo_timeout_s=photo_timeout,
                first_page=first_page,
                progress=progress,
                loaded=tell_loaded,
                notify=output.note,
            )
    except KeyboardInterrupt:
        _print_interrupted(place)
        raise
    with photos:
        [gallery] = photos.galleries
        if photos.report is not None:
            _print_report(gallery, photos.report, as_json, quiet)
        is_all_read = _print_unread(gallery)
    if not is_all_read:
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


def _print_interrupted(place: Path) -> None:
    from stsearch.api.photos import open as open_photos
    from stsearch.gallery import registry

    if not registry.is_gallery(place):
        return
    with open_photos(place, notify=output.note) as photos:
        output.note(
            f"Stopped: {output.counted(len(photos), 'photo')} can be searched. Run the same command to go on."
        )


def _print_report(gallery: Gallery, report: IndexReport, as_json: bool, quiet: bool) -> None:
    if as_json:
        print(json.dumps({"type": "summary", "schema": output.JSON_SCHEMA, **asdict(report)}))
    elif not quiet:
        _print_summary(gallery, report)


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


def _rules(
    photos: Path, exclude: Sequence[str] | None, follow: bool, only: Sequence[str] | None
) -> WalkRules:
    from stsearch.indexing.walk import WalkRules, listed_photos

    return WalkRules(tuple(exclude or ()), follow, None if only is None else listed_photos(only, photos))


def _print_preview(folder: Path, index: Path | None, rules: WalkRules, as_json: bool, quiet: bool) -> None:
    """Print a line for each photo that a run would read or remove, then how many there are of each kind."""
    from stsearch.api.jobs import gallery_folder
    from stsearch.gallery import registry
    from stsearch.gallery.gallery import Gallery
    from stsearch.indexing.dry_run import preview

    place = gallery_folder(folder, index)
    with ExitStack() as stack:
        gallery = (
            stack.enter_context(Gallery.open(place, output.note)) if registry.is_gallery(place) else None
        )
        found = preview(folder, gallery, rules)
    changes = {"new": found.new, "changed": found.changed, "removed": found.removed}
    counts = {**{kind: len(paths) for kind, paths in changes.items()}, "unchanged": found.unchanged}
    lines = [(kind, path) for kind, paths in changes.items() for path in paths]
    if as_json:
        for kind, path in lines:
            print(json.dumps({"type": kind, "schema": output.JSON_SCHEMA, "path": path}))
        print(json.dumps({"type": "preview", "schema": output.JSON_SCHEMA, **counts}))
    elif not quiet:
        for kind, path in lines:
            print(kind, output.printable(path), sep="\t")
        print(", ".join(f"{number} {kind}" for kind, number in counts.items()))
    _print_failures([(each.file.path, each.reason) for each in found.failed], "cannot be looked at")


def _print_summary(gallery: Gallery, report: IndexReport) -> None:
    counts = gallery.catalog.counts()
    changes = (
        f"{getattr(report, name)} {name}" for name in ("new", "changed", "moved", "removed", "unchanged")
    )
    size = sum(file.stat().st_size for file in gallery.folder.iterdir()) / 1e6
    print(", ".join(changes))
    print(
        f"Done: {output.counted(counts.photos, 'photo')}, {output.counted(counts.words, 'reading')},"
        f" {size:.1f} MB gallery, {report.seconds:.1f} s."
    )


def _print_unread(gallery: Gallery) -> bool:
    """Say on stderr what could not be read, or in part only; return whether there is nothing to say."""
    failures = [(each.file.path, each.reason) for each in gallery.catalog.failures()]
    incomplete = [(each.file.path, each.note) for each in gallery.catalog.incomplete()]
    _print_failures(failures, "could not be read")
    _print_failures(incomplete, "could be read in part only")
    return not failures and not incomplete


def _print_failures(failures: Sequence[tuple[str, str]], what: str) -> None:
    """Say on stderr that something happened to files, given by path and reason."""
    if failures:
        output.note(f"{output.counted(len(failures), 'file')} {what}:")
    for path, reason in failures[:_FAILURES_SHOWN]:
        output.note(f"  {output.printable(path)}: {output.printable(reason)}")
    if len(failures) > _FAILURES_SHOWN:
        output.note(f"  and {len(failures) - _FAILURES_SHOWN} more")
