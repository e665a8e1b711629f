"""``stsearch search``: options in, hits out; the ranking itself is ``stsearch.search.engine``."""

from __future__ import annotations

import os
import sys
import time
from codecs import BOM_UTF8
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stsearch.api.json_lines import Limits, is_deleted
from stsearch.cli import output
from stsearch.cli.completion import folders, weights
from stsearch.cli.gallery import galleries_or_environment
from stsearch.cli.no_match import Scope, report_wrong_query, say_no_match, say_what_nearly_matches
from stsearch.cli.pictures import Wanted
from stsearch.cli.progress import watched
from stsearch.cli.typed_query import join_words
from stsearch.errors import GalleryDamagedError, ImageError, UsageError
from stsearch.objects.url import located

if TYPE_CHECKING:
    from stsearch.api.model import ImageQuery
    from stsearch.api.photos import Photos
    from stsearch.gallery.address import Named
    from stsearch.search.engine import Found
    from stsearch.search.hits import Hit
    from stsearch.search.photo_filter import PhotoFilter
    from stsearch.search.query import Query

NO_MATCH = 1
_ADVICE = 3  # searches to propose where nothing matches

Option = typer.Option
QueryText = Annotated[list[str] | None, typer.Argument(help="What the photos should show: see above.")]
Top = Annotated[int, Option("--top", "-n", min=1, help="Show at most this many hits a query.")]
Group = Annotated[Literal["word", "photo"], Option(help="One hit a word or phrase, or one a photo.")]
MinScore = Annotated[
    float | None,
    Option(
        min=0,
        max=1,
        help="Leave out hits that are less probable; default: 0.2, any with --fuzzy. With 0, --group photo"
        " ranks photos without words too.",
    ),
]
Exact = Annotated[bool, Option("--exact", help="Only words read exactly so; the same as --fuzzy 0.")]
Fuzzy = Annotated[int | None, Option(min=0, max=2, help="Only words read so but for this many characters.")]
QueryFile = Annotated[
    Path | None, Option(metavar="FILE", help="Search for every line of FILE; - is standard input.")
]
Like = Annotated[
    str | None,
    Option(metavar="PICTURE", help="Search for the word that fills this picture or URL: a crop, a logo."),
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
    list[str] | None,
    Option(
        metavar="FOLDER|URL",
        help="Photos, their URL, or gallery to search; repeatable; default: $STSEARCH_INDEX, else see above.",
        callback=galleries_or_environment,
        autocompletion=folders,
    ),
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
    coffee -starbucks  photos with the second word leave; also NOT word, -"a b"
    coffee OR tea      either, also coffee|tea; OR binds weaker than the space: AND

    Put signs and quotes in single quotes, so that the shell leaves them alone; several words need none.
    Words are made of the letters a to z and digits; punctuation is ignored.
    """
    from stsearch.gallery.address import parse_named

    began = time.perf_counter()
    asked = _parse(join_words(query) if query else None, queries, like, as_json)
    only_paths = paths or null
    if only_paths and as_json:
        raise UsageError("-l and -0 print paths alone, --json prints all there is: give one of them")
    options = _Options(
        top, "photo" if only_paths else group, min_score, exact, fuzzy, path, since, until, explain
    )
    for each in asked:
        if each.remark:
            output.note(each.remark)
    with ExitStack() as stack:
        where = [parse_named(each) for each in index or ()]
        photos = _open(where, model, stack)
        scope = Scope(where, model, path or (), since, until)
        pictures = Wanted(save, sheet, opens, max_megapixels)
        pictures.check(root for gallery in photos.galleries for root in gallery.roots)
        limits = options.limits(photos) if explain else None
        style = output.Style(
            as_json, only_paths, b"\0" if null else b"\n", limits, queries is not None, preview, boxes
        )
        # Hits on a terminal scroll by themselves.
        hidden = len(asked) < 2 or sys.stdout.isatty()
        shown = stack.enter_context(watched(asked, "queries", lambda query: query.text, hidden))
        wanted = [_image_query(photos, like)] if like else shown
        found = _answer(wanted, photos, options, scope, style)
    hits = [hit for each in found for hit in each.hits]
    if not (style.paths or style.json):
        took = f"{1000 * (time.perf_counter() - began):.0f} ms"
        output.note(f"{_summary(found, style, options.top)} · {took}")
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

    def limits(self, photos: Photos) -> Limits:
        """Return what a hit has to pass, for --explain."""
        from stsearch.api.photos import resolve_min_score

        edits = 0 if self.exact else self.fuzzy
        [(_, encoder), *_others] = photos.searchable
        return Limits(resolve_min_score(self.min_score, edits, encoder.info), edits)

    def find(self, photos: Photos, query: Query | ImageQuery, advice: int) -> Found:
        return photos.find(
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
            advice=advice,
        )


def _open(index: Sequence[Named], model: str | None, stack: ExitStack) -> Photos:
    """Open the galleries that are named, else the nearest, else every registered one; say which on stderr."""
    from stsearch.api.photos import open as open_photos
    from stsearch.gallery import pending

    photos = stack.enter_context(open_photos(*index, model=model, notify=output.note))
    for gallery in photos.galleries:
        if remark := pending.remark(gallery):
            output.note(remark)
    if not index:
        roots = (root for gallery in photos.galleries for root in gallery.roots)
        output.note("Searching " + ", ".join(map(output.shown_path, roots)))
    return photos


def _answer(
    queries: Iterable[Query | ImageQuery],
    photos: Photos,
    options: _Options,
    scope: Scope,
    style: output.Style,
) -> list[Found]:
    """Print the hits of every query, and return them.

    Raises:
        typer.Exit: no query has any.
    """
    answers: list[Found] = []
    for query in queries:
        found = options.find(photos, query, advice=1 if style.names_query else _ADVICE)
        if found.hits:
            already = {hit.path for each in answers for hit in each.hits}
            output.print_hits(found.hits, style, already=already)
            if style.previews and sys.stdout.isatty() and not (style.json or style.paths):
                from stsearch.cli.crop_preview import graphics_of, print_crops

                print_crops(found.hits, graphics_of(os.environ))
            say_what_nearly_matches(found.nearly, style)
        else:
            _say_why_none(photos, query, found, options, scope, style)
        answers.append(found)
    if not any(found.hits for found in answers):
        raise typer.Exit(_code_of_damage(photos) or NO_MATCH)
    return answers


def _code_of_damage(photos: Photos) -> int:
    """Return the exit code for galleries that were passed over because they are damaged, 0 without any."""
    return max(
        (error.exit_code for error in photos.passed_over if isinstance(error, GalleryDamagedError)), default=0
    )


def _note_deleted(hits: Sequence[Hit]) -> None:
    deleted = {hit.path for hit in hits if is_deleted(hit)}
    if deleted:
        these = "1 photo is" if len(deleted) == 1 else f"{len(deleted)} photos are"
        output.note(f"{these} no longer there; what was deleted leaves at the next stsearch index.")


def _say_why_none(
    photos: Photos,
    query: Query | ImageQuery,
    found: Found,
    options: _Options,
    scope: Scope,
    style: output.Style,
) -> None:
    from stsearch.search.advice import Advice
    from stsearch.search.query import Query

    galleries = [gallery for gallery, _ in photos.searchable]
    reason, chosen = None, options.photos
    if not any(gallery.instance_count() for gallery in galleries):
        reason = "no words were found in the photos"
    elif chosen and not any(each.all_photos(chosen) for each in galleries):
        reason = "no photo is chosen by --path, --since and --until"
    proposals = [(scope, each) for each in found.advice]
    if scope.has_filters and isinstance(query, Query) and photos.find(query, top=1, advice=0).hits:
        proposals.insert(0, (scope.without_filters(), Advice("in all photos", query.text)))
    names = [output.name_in_command(gallery) for gallery in galleries]
    say_no_match(query.text, found.nearly, proposals, style, reason, names)


def _summary(found: Sequence[Found], style: output.Style, top: int) -> str:
    """Return in words how many hits there are, and of several queries how many of them matched."""
    from stsearch.search.engine import MAX_COUNTED

    hits = [hit for each in found for hit in each.hits]
    total, most = sum(each.total for each in found), max(each.total for each in found)
    where = f"in {output.counted(len({hit.path for hit in hits}), 'photo')}"
    if total > len(hits):
        over = "over " if most >= top + MAX_COUNTED else ""
        parts = [f"{len(hits)} of {over}{total:,} hits {where}", f"--top {most} shows more"]
    else:
        parts = [f"{output.counted(len(hits), 'hit')} {where}"]
    if style.names_query:
        parts.insert(1, f"{sum(bool(each.hits) for each in found)} of {len(found)} queries matched")
    return " · ".join(parts)


def _parse(text: str | None, file: Path | None, picture: str | None, as_json: bool) -> list[Query]:
    """Return the query that was typed, or those in ``file``; none yet where a ``picture`` is asked for."""
    from stsearch.search.query import Query

    if sum(each is not None for each in (text, file, picture)) != 1:
        raise UsageError(
            "give either a query, as in stsearch search coffee, or --queries FILE with one a line,"
            " or --like PICTURE of a word"
        )
    if picture is not None:
        return []
    return _read_queries(file, as_json) if text is None else [Query(text)]


def _image_query(photos: Photos, picture: str) -> ImageQuery:
    try:
        asked = photos.image_query(picture, picture)
    except ImageError as error:
        raise UsageError(f"--like needs a picture of a word: {output.printable(str(error))}") from error
    word = asked.query.words[0]
    read = f"read {word!r}" if word else "nothing is read in it; only its similarity counts"
    output.note(f"Searching for the word in {output.shown_path(located(picture))}: {read}")
    return asked


def _read_queries(file: Path | None, as_json: bool) -> list[Query]:
    """Return the queries in ``file``, one a line; a line that is none is named, and left out."""
    from stsearch.search.query import Query

    queries, wrong = [], []
    for number, line in enumerate(_lines(file), start=1):
        shown = line.decode("utf-8", "replace").strip()
        try:
            if shown:
                queries.append(Query(line.decode("utf-8").strip()))
        except UnicodeDecodeError:
            wrong.append((shown, f"{file}, line {number}: {shown!r} is not UTF-8: convert the file"))
        except UsageError as error:
            wrong.append((shown, f"{file}, line {number}: {error}"))
    if not queries:
        raise UsageError(wrong[-1][1] if wrong else f"{file} holds no query: write one on each line")
    for text, message in wrong:
        report_wrong_query(text, message, as_json)
    return queries


def _lines(file: Path | None) -> list[bytes]:
    try:
        content = sys.stdin.buffer.read() if file == Path("-") else Path(file or "").read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read the queries in {file}: {error.strerror or error}") from error
    return content.removeprefix(BOM_UTF8).splitlines()
