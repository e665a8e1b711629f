"""``stsearch search``: options in, hits out; the ranking itself is ``stsearch.search.engine``."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stsearch.cli import output
from stsearch.cli.completion import weights
from stsearch.cli.pictures import Wanted
from stsearch.errors import GalleryNotFoundError, ImageError, UsageError, WeightsError

if TYPE_CHECKING:
    from stsearch.gallery.gallery import Gallery
    from stsearch.search.engine import Encoder, Hit, SearchOptions
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
    str, Option(help="Weights the gallery was made with: a name or a folder.", autocompletion=weights)
]
Explain = Annotated[bool, Option("--explain", help="Show why each hit was found.")]
Preview = Annotated[bool, Option("--preview", help="Show the words as cut out; on a terminal only.")]
Json = Annotated[bool, Option("--json", help="Print JSON Lines.")]
Paths = Annotated[bool, Option("--paths", "-l", help="Print the paths of the photos alone.")]
Nul = Annotated[bool, Option("--nul", "-0", help="Print paths, each followed by a NUL byte.")]
Save = Annotated[
    Path | None, Option(metavar="DIR", help="Put copies of the photos there, the words outlined.")
]
Sheet = Annotated[
    Path | None, Option(metavar="FILE.html", help="Write one page that shows all hits, to open in a browser.")
]


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
    model: Model = "tiny",
    explain: Explain = False,
    preview: Preview = False,
    as_json: Json = False,
    paths: Paths = False,
    nul: Nul = False,
    save: Save = None,
    sheet: Sheet = None,
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
    asked = _ask(query, queries, like, model)
    only_paths = paths or nul
    options = _options(asked.encoder, top, "photo" if only_paths else group, min_score, exact, fuzzy)
    options = replace(options, photos=_photo_filter(path, since, until), explain=explain)
    end = b"\0" if nul else b"\n"
    limits = options if explain else None
    style = output.Style(as_json, only_paths, end, limits, queries is not None, preview)
    _search(asked, index, options, style, Wanted(save, sheet))


def _search(
    asked: _Asked, index: Path | None, options: SearchOptions, style: output.Style, pictures: Wanted
) -> None:
    with ExitStack() as stack:
        galleries = _open_galleries(index, stack)
        pictures.check(gallery.photos for gallery in galleries)
        hits = _answer(asked.queries, _Searcher.of(galleries, asked.encoder), options, style)
    if not (style.paths or style.json):
        took = f"{1000 * (time.perf_counter() - asked.began):.0f} ms"
        output.note(f"{_summary(hits, len(asked.queries), style)} · {took}")
    if pictures.make(hits):
        raise typer.Exit(ImageError.exit_code)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked for, since when, and what embeds it."""

    queries: list[Query]
    encoder: Encoder
    began: float


@dataclass(frozen=True, slots=True)
class _Searcher:
    """Galleries, open, and what embeds queries for them."""

    galleries: Sequence[Gallery]
    encoder: Encoder

    @classmethod
    def of(cls, galleries: Sequence[Gallery], encoder: Encoder) -> _Searcher:
        """Keep the galleries made with these weights; of several, the others are passed over with a note."""
        kept = []
        for gallery in galleries:
            try:
                gallery.check_model(encoder.info)
                kept.append(gallery)
            except WeightsError as error:
                if len(galleries) == 1:
                    raise
                output.note(f"passed over: {error}")
        return cls(kept, encoder)

    def hits(self, query: Query, options: SearchOptions) -> list[Hit]:
        from stsearch.search.engine import merge_hits, search

        found = [search(gallery, query, self.encoder, options) for gallery in self.galleries]
        return merge_hits(found, options.top)

    def say_why_none(self, query: Query, photos: PhotoFilter | None, subject: str) -> None:
        from stsearch.search.engine import SearchOptions

        best = self.hits(query, SearchOptions(top=1, photos=photos))
        if best:
            (hit,) = best
            found = f"{hit.score:.2f}: {output.printable(hit.transcript)!r} in {output.shown_path(hit.path)}"
            output.note(f"{subject} (best was {found}). Try a lower --min-score, or a higher --fuzzy.")
        elif photos and not any(gallery.all_photos(photos.admits) for gallery in self.galleries):
            output.note(f"{subject}: there are no such photos. Try without --path, --since or --until.")
        elif any(gallery.catalog.counts().words for gallery in self.galleries):
            output.note(f"{subject}. Try the words alone, without quotes and without -word.")
        else:
            output.note(f"{subject}: no words were found in the photos.")


def _answer(
    queries: list[Query], searcher: _Searcher, options: SearchOptions, style: output.Style
) -> list[Hit]:
    """Print the hits of every query, and return them.

    Raises:
        typer.Exit: no query has any.
    """
    found: list[Hit] = []
    for query in queries:
        hits = searcher.hits(query, options)
        if hits:
            output.print_hits(hits, style, already={hit.path for hit in found})
            if style.previews and sys.stdout.isatty() and not (style.json or style.paths):
                from stsearch.cli.crop_preview import graphics_of, print_crops

                print_crops(hits, graphics_of(os.environ))
            found += hits
        else:
            subject = f"{output.printable(query.text)}: No match" if style.names_query else "No match"
            searcher.say_why_none(query, options.photos, subject)
    if not found:
        raise typer.Exit(NO_MATCH)
    return found


def _summary(hits: Sequence[Hit], queries: int, style: output.Style) -> str:
    """Return in words how many hits there are; of several queries, also how many of them matched."""
    photos = output.counted(len({hit.path for hit in hits}), "photo")
    summary = f"{output.counted(len(hits), 'hit')} in {photos}"
    matched = len({hit.query for hit in hits})
    return f"{summary} · {matched} of {queries} queries matched" if style.names_query else summary


def _ask(text: str | None, file: Path | None, picture: Path | None, model: str) -> _Asked:
    """Return the query that was typed, those in ``file``, or that for the word in ``picture``."""
    from stsearch.search.query import Query

    began = time.perf_counter()
    if sum(each is not None for each in (text, file, picture)) != 1:
        raise UsageError(
            "give either a query, as in stsearch search coffee, or --queries FILE with one a line,"
            " or --like PICTURE of a word"
        )
    if picture is not None:
        return _Asked(*_ask_with_picture(picture, model), began)
    queries = _read_queries(file) if text is None else [Query(text)]
    return _Asked(queries, _load_encoder(model), began)


def _ask_with_picture(picture: Path, model: str) -> tuple[list[Query], Encoder]:
    from stsearch.images import read_image
    from stsearch.search.query_by_image import query_by_image
    from stsearch.spotting.load import load_spotter

    try:
        image = read_image(picture)
    except ImageError as error:
        raise UsageError(f"--like needs a picture of a word: {output.printable(str(error))}") from error
    query, encoder = query_by_image(load_spotter(model), image, os.fspath(picture))
    read = f"read {query.words[0]!r}" if query.words[0] else "not read; its looks alone count"
    output.note(f"Searching for what {output.shown_path(picture)} shows: {read}")
    return [query], encoder


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


def _edit_limit(exact: bool, fuzzy: int | None) -> int | None:
    if exact and fuzzy:
        raise UsageError(f"--exact leaves no character to differ, --fuzzy {fuzzy} does: give one of them")
    return 0 if exact else fuzzy


def _options(
    encoder: Encoder,
    top: int,
    group: Literal["word", "photo"],
    min_score: float | None,
    exact: bool,
    fuzzy: int | None,
) -> SearchOptions:
    from stsearch.search.calibration import default_min_score
    from stsearch.search.engine import SearchOptions

    limit = _edit_limit(exact, fuzzy)
    if min_score is None:
        # A limit of edits has chosen already.
        least = default_min_score(encoder.info.calibration) if limit is None else 1e-6
        return SearchOptions(top, group, least, limit)
    return SearchOptions(top, group, min_score, limit, blank=group == "photo" and min_score == 0)


def _photo_filter(globs: list[str] | None, since: str | None, until: str | None) -> PhotoFilter | None:
    from stsearch.search.photo_filter import PhotoFilter, span

    if not (globs or since or until):
        return None
    first = span(since)[0] if since else datetime.min
    return PhotoFilter(tuple(globs or ()), first, span(until)[1] if until else datetime.max)


def _open_galleries(index: Path | None, stack: ExitStack) -> list[Gallery]:
    """Open the gallery that is named, else the nearest, else every registered one; say which on stderr."""
    from stsearch.gallery import registry
    from stsearch.gallery.gallery import Gallery

    home = registry.data_home(os.environ)
    if index is not None:
        return [stack.enter_context(Gallery.open(registry.find(index, home), output.note))]
    nearest = registry.nearest(Path.cwd())
    folders = [nearest] if nearest else registry.registered(home)
    if not folders:
        raise GalleryNotFoundError("no photos are indexed yet; begin with: stsearch index FOLDER")
    galleries = [stack.enter_context(Gallery.open(folder, output.note)) for folder in folders]
    output.note("Searching " + ", ".join(output.shown_path(gallery.photos) for gallery in galleries))
    return galleries


def _load_encoder(model: str) -> Encoder:
    from stsearch.search.query_encoder import load_query_encoder

    return load_query_encoder(model)
