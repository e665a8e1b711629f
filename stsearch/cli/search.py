"""``stsearch search``: options in, hits out; the ranking itself is ``stsearch.search``."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from stsearch.cli import output
from stsearch.errors import GalleryNotFoundError, WeightsError

if TYPE_CHECKING:
    from stsearch.index.gallery import Gallery
    from stsearch.query import Query
    from stsearch.search import Encoder, Hit, SearchOptions

NO_MATCH = 1

Option = typer.Option
IndexPath = Annotated[
    Path | None,
    Option(envvar="STSEARCH_INDEX", help="Photo folder or gallery to search; default: see above."),
]


def search(
    query: Annotated[str, typer.Argument(help="A word, or several that one photo should show.")],
    top: Annotated[int, Option("--top", "-n", min=1, help="Show at most this many hits.")] = 20,
    group: Annotated[Literal["word", "photo"], Option(help="One hit a word, or one a photo.")] = "word",
    min_score: Annotated[float, Option(min=0, max=1, help="Leave out hits that score less.")] = 0.6,
    index: IndexPath = None,
    model: Annotated[str, Option(help="Weights the gallery was made with: a name or a folder.")] = "tiny",
    as_json: Annotated[bool, Option("--json", help="Print JSON Lines.")] = False,
    paths: Annotated[bool, Option("--paths", "-l", help="Print the paths of the photos alone.")] = False,
    nul: Annotated[bool, Option("--nul", "-0", help="Print paths, each followed by a NUL byte.")] = False,
) -> None:
    """Find photos by the words in them, the best match first.

    Case and accents do not matter, and misread letters cost little. Without --index the nearest gallery in
    this folder or its parents is searched, else every gallery there is. Exit code 1: nothing matches.
    """
    from stsearch.query import Query
    from stsearch.search import SearchOptions

    wanted = Query(query)
    options = SearchOptions(top, "photo" if paths or nul else group, min_score)
    began = time.perf_counter()
    with ExitStack() as stack:
        galleries = _open_galleries(index, stack)
        encoder = _load_encoder(model)
        hits = _search_all(galleries, wanted, encoder, options)
        if not hits:
            _explain_no_match(_search_all(galleries, wanted, encoder, SearchOptions(top=1)))
            raise typer.Exit(NO_MATCH)
    if nul or paths:
        output.print_paths(hits, b"\0" if nul else b"\n")
    elif as_json:
        output.print_json(hits)
    else:
        output.print_hits(hits)
        photos = output.counted(len({hit.path for hit in hits}), "photo")
        took_ms = 1000 * (time.perf_counter() - began)
        output.note(f"{output.counted(len(hits), 'hit')} in {photos} · {took_ms:.0f} ms")


def _open_galleries(index: Path | None, stack: ExitStack) -> list[Gallery]:
    """Open the gallery that is named, else the nearest, else every registered one; say which on stderr."""
    from stsearch.index import registry
    from stsearch.index.gallery import Gallery

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
    from stsearch.query_encoder import load_query_encoder

    return load_query_encoder(model)


def _search_all(
    galleries: list[Gallery], query: Query, encoder: Encoder, options: SearchOptions
) -> list[Hit]:
    """Search every gallery; of several, those made with other weights are passed over with a note."""
    from stsearch.search import merge_hits
    from stsearch.search import search as search_one

    found: list[list[Hit]] = []
    for gallery in galleries:
        try:
            found.append(search_one(gallery, query, encoder, options))
        except WeightsError as error:
            if len(galleries) == 1:
                raise
            output.note(f"passed over: {error}")
    return merge_hits(found, options.top)


def _explain_no_match(best: list[Hit]) -> None:
    if not best:
        output.note("No match: no words were found in the photos.")
        return
    (hit,) = best
    word, path = output.printable(hit.transcript), output.shown_path(hit.path)
    output.note(f"No match (best was {hit.score:.2f}: {word!r} in {path}). Try a lower --min-score.")
