"""``stsearch search``: options in, hits out; the ranking itself is ``stsearch.search.engine``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stsearch.cli import output
from stsearch.cli.completion import weights
from stsearch.cli.pictures import Wanted
from stsearch.errors import GalleryDamagedError, ImageError, UsageError

if TYPE_CHECKING:
    from stsearch.api.model import ImageQuery
    from stsearch.api.photos import Photos
    from stsearch.search.engine import Hit
    from stsearch.search.photo_filter import PhotoFilter
    from stsearch.search.query import Query

NO_MATCH = 1

Option = typer.Option
QueryText = Annotated[str | None, typer.Argument(help="What the photos should show: see above.")]
Top = Annotated[int, Option("--top", "-n", min=1, help="Show at most this many hits a query.")]
Group = Annotated[Literal["word", "photo"], Option(help="One hit a word or phrase, or one a photo.")]
MinScore = Annotated[
    float | None,
    Option(
        min=0,
        max=1,
        show_default="0.2; any with --fuzzy",
        help="Leave out hits that are less probable; with 0, --group photo ranks photos without words too.",
    ),
]
Exact = Annotated[bool, Option("--exact", help="Only words read exactly so; the same as --fuzzy 0.")]
Fuzzy = Annotated[int | None, Option(min=0, max=2, help="Only words read so but for this many characters.")]
QueryFile = Annotated[
    Path | None, Option(metavar="FILE", help="Search for every line of FILE; - is standard input.")
]
Like = Annotated[
    Path | None,
    Option(metavar="PICTURE", help="Search for the word that fills this picture: a crop, a logo."),
]
PathGlob = Annotated[
    list[str] | None,
    Option("--path", metavar="GLOB", help="Look at photos of this path in the folder, or below; repeatable."),
]
Since = Annotated[
    str | None,
    Option(metavar="DATE", help="Taken then or later: YYYY, YYYY-MM or YYYY-MM-DD (EXIF or file)."),
]
Until = Annotated[str | None, Option(metavar="DATE", help="Taken then or before, that day or year included.")]
IndexPath = Annotated[
    Path | None,
    Option(envvar="STSEARCH_INDEX", help="Photo folder or gallery to search; default: see above."),
]
Model = Annotated[
    str | None,
    Option(help="Weights that made the gallery: a folder; default: as it says.", autocompletion=weights),
]
Explain = Annotated[bool, Option("--explain", help="Show why each hit was found.")]
Boxes = Annotated[bool, Option("--boxes", help="Show in the table too where each word stands.")]
Preview = Annotated[bool, Option("--preview", help="Show the words as cut out; on a terminal only.")]
Json = Annotated[bool, Option("--json", help="Print JSON Lines.")]
Paths = Annotated[bool, Option("--paths", "-l", help="Print the paths of the photos alone.")]
Null = Annotated[bool, Option("--null", "-0", help="Print paths, each followed by a NUL byte.")]
Save = Annotated[
    Path | None, Option(metavar="DIR", help="Put copies of the photos there, the words outlined.")
]
Sheet = Annotated[
    Path | None, Option(metavar="FILE.html", help="Write one page that shows all hits, to open in a browser.")
]
Opens = Annotated[bool, Option("--open", help="Open that page, or a passing one, in a browser.")]
MaxMegapixels = Annotated[float, Option(min=0, help="Do not decode larger photos for --save and --sheet.")]


def search(
    query: QueryText = None,
    top: Top = 20,
    group: Group = "word",
    min_score: MinScore = None,
    exact: Exact = False,
    fuzzy: Fuzzy = None,
    queries: QueryFile = None,
    like: Like = None,
    path: PathGlob = None,
    since: Since = None,
    until: Until = None,
    index: IndexPath = None,
    model: Model = None,
    explain: Explain = False,
    boxes: Boxes = False,
    preview: Preview = False,
    as_json: Json = False,
    paths: Paths = False,
    null: Null = False,
    save: Save = None,
    sheet: Sheet = None,
    opens: Opens = False,
    max_megapixels: MaxMegapixels = 178.0,
    quiet: output.Quiet = False,
) -> None:
    """Find photos by the words in them, the best match first.

    Case and accents do not matter, and misread letters cost little. Without --index the nearest gallery in
    this folder or its parents is searched, else every gallery there is. Exit code 1: nothing matches.

    coffee             a word
    open 24            several words: all of them in one photo
    "open 24 hours"    a phrase: neighbours, on a line or from one to the next
    RE16*  *gasse      * stands for any run of characters, or none
    B?R                ? stands for any one character
    coffee -starbucks  not: photos with the second word leave; also -"a phrase"
    coffee OR tea      either; OR binds weaker than the space

    Put the query in single quotes, so that the shell leaves it alone; after -- it may begin with a minus.
    Words are made of the letters a to z and digits; punctuation is ignored.
    """
    began = time.perf_counter()
    asked = _parse(query, queries, like)
    only_paths = paths or null
    if only_paths and as_json:
        raise UsageError("-l and -0 print paths alone, --json prints all there is: give one of them")
    options = _Options(
        top, "photo" if only_paths else group, min_score, exact, fuzzy, path, since, until, explain
    )
    with ExitStack() as stack:
        photos = _open(index, model, stack)
        pictures = Wanted(save, sheet, opens, max_megapixels)
        pictures.check(gallery.photos for gallery in photos.galleries)
        limits = options.limits(photos) if explain else None
        style = output.Style(
            as_json, only_paths, b"\0" if null else b"\n", limits, queries is not None, preview, boxes
        )
        hits = _answer([_image_query(photos, like)] if like else asked, photos, options, style)
    if not (style.paths or style.json):
        took = f"{1000 * (time.perf_counter() - began):.0f} ms"
        output.note(f"{_summary(hits, max(len(asked), 1), style)} · {took}")
    _note_deleted(hits)
    if pictures.make(hits, datetime.now()):
        raise typer.Exit(ImageError.exit_code)
    if code := _code_of_damage(photos):
        raise typer.Exit(code)


@dataclass(frozen=True, slots=True)
class _Options:
    """How hits are chosen, as ``Photos.search`` takes it."""

    top: int
    group: Literal["word", "photo"]
    min_score: float | None
    exact: bool
    fuzzy: int | None
    globs: list[str] | None
    since: str | None
    until: str | None
    explain: bool

    def __post_init__(self) -> None:
        if self.exact and self.fuzzy:
            raise UsageError(f"--exact allows no edit, --fuzzy {self.fuzzy} does: give one of them")

    @property
    def photos(self) -> PhotoFilter | None:
        from stsearch.api.photos import photo_filter

        return photo_filter(self.globs or (), self.since, self.until)

    def limits(self, photos: Photos) -> output.Limits:
        """Return what a hit has to pass, for --explain."""
        from stsearch.api.photos import resolve_min_score

        edits = 0 if self.exact else self.fuzzy
        [(_, encoder), *_others] = photos.searchable
        return output.Limits(resolve_min_score(self.min_score, edits, encoder.info), edits)

    def search(self, photos: Photos, query: Query | ImageQuery) -> list[Hit]:
        return photos.search(
            query,
            top=self.top,
            group=self.group,
            min_score=self.min_score,
            exact=self.exact,
            fuzzy=self.fuzzy,
            paths=self.globs or (),
            since=self.since,
            until=self.until,
            explain=self.explain,
        )

    def best(self, photos: Photos, query: Query | ImageQuery) -> list[Hit]:
        """Return the best hit, whatever its score."""
        return photos.search(
            query, top=1, min_score=0.0, paths=self.globs or (), since=self.since, until=self.until
        )


def _open(index: Path | None, model: str | None, stack: ExitStack) -> Photos:
    """Open the gallery that is named, else the nearest, else every registered one; say which on stderr."""
    from stsearch.api.photos import open as open_photos
    from stsearch.gallery import pending

    named = () if index is None else (index,)
    photos = stack.enter_context(open_photos(*named, model=model, notify=output.note))
    for gallery in photos.galleries:
        if remark := pending.remark(gallery):
            output.note(remark)
    if index is None:
        output.note("Searching " + ", ".join(output.shown_path(each.photos) for each in photos.galleries))
    return photos


def _answer(
    queries: Sequence[Query | ImageQuery], photos: Photos, options: _Options, style: output.Style
) -> list[Hit]:
    """Print the hits of every query, and return them.

    Raises:
        typer.Exit: no query has any.
    """
    found: list[Hit] = []
    for query in queries:
        hits = options.search(photos, query)
        if hits:
            output.print_hits(hits, style, already={hit.path for hit in found})
            if style.previews and sys.stdout.isatty() and not (style.json or style.paths):
                from stsearch.cli.crop_preview import graphics_of, print_crops

                print_crops(hits, graphics_of(os.environ))
            found += hits
        else:
            subject = f"{output.printable(query.text)}: No match" if style.names_query else "No match"
            _say_why_none(photos, query, options, subject)
    if not found:
        raise typer.Exit(_code_of_damage(photos) or NO_MATCH)
    return found


def _code_of_damage(photos: Photos) -> int:
    """Return the exit code for galleries that were passed over because they are damaged, 0 without any."""
    return max(
        (error.exit_code for error in photos.passed_over if isinstance(error, GalleryDamagedError)), default=0
    )


def _note_deleted(hits: Sequence[Hit]) -> None:
    deleted = {hit.path for hit in hits if output.is_deleted(hit)}
    if deleted:
        these = "1 photo is" if len(deleted) == 1 else f"{len(deleted)} photos are"
        output.note(f"{these} no longer there; what was deleted leaves at the next stsearch index.")


def _say_why_none(photos: Photos, query: Query | ImageQuery, options: _Options, subject: str) -> None:
    best = options.best(photos, query)
    chosen = options.photos
    galleries = [gallery for gallery, _ in photos.searchable]
    if best:
        (hit,) = best
        found = f"{hit.score:.2f}: {output.printable(hit.transcript)!r} in {output.shown_path(hit.path)}"
        output.note(f"{subject} (best was {found}). Try a lower --min-score, or a higher --fuzzy.")
    elif chosen and not any(gallery.all_photos(chosen.admits) for gallery in galleries):
        output.note(f"{subject}: there are no such photos. Try without --path, --since or --until.")
    elif any(gallery.catalog.counts().words for gallery in galleries):
        output.note(f"{subject}. Try the words alone, without quotes and without -word.")
    else:
        output.note(f"{subject}: no words were found in the photos.")


def _summary(hits: Sequence[Hit], queries: int, style: output.Style) -> str:
    """Return in words how many hits there are; of several queries, also how many of them matched."""
    photos = output.counted(len({hit.path for hit in hits}), "photo")
    summary = f"{output.counted(len(hits), 'hit')} in {photos}"
    matched = len({hit.query for hit in hits})
    return f"{summary} · {matched} of {queries} queries matched" if style.names_query else summary


def _parse(text: str | None, file: Path | None, picture: Path | None) -> list[Query]:
    """Return the query that was typed, or those in ``file``; none yet where a ``picture`` is asked for."""
    from stsearch.search.query import Query

    if sum(each is not None for each in (text, file, picture)) != 1:
        raise UsageError(
            "give either a query, as in stsearch search coffee, or --queries FILE with one a line,"
            " or --like PICTURE of a word"
        )
    if picture is not None:
        return []
    return _read_queries(file) if text is None else [Query(text)]


def _image_query(photos: Photos, picture: Path) -> ImageQuery:
    try:
        asked = photos.image_query(picture, os.fspath(picture))
    except ImageError as error:
        raise UsageError(f"--like needs a picture of a word: {output.printable(str(error))}") from error
    word = asked.query.words[0]
    read = f"read {word!r}" if word else "nothing is read in it; only its similarity counts"
    output.note(f"Searching for the word in {output.shown_path(picture)}: {read}")
    return asked


def _read_queries(file: Path | None) -> list[Query]:
    """Return the queries in ``file``, one a line."""
    from stsearch.search.query import Query

    queries = []
    for number, line in enumerate(_lines(file), start=1):
        if line.strip():
            try:
                queries.append(Query(line.strip()))
            except UsageError as error:
                raise UsageError(f"{file}, line {number}: {error}") from error
    if not queries:
        raise UsageError(f"{file} holds no query: write one on each line")
    return queries


def _lines(file: Path | None) -> list[str]:
    try:
        content = sys.stdin.buffer.read() if file == Path("-") else Path(file or "").read_bytes()
        return content.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise UsageError(f"cannot read the queries in {file}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"the queries in {file} are not UTF-8 ({error}): convert the file") from error
