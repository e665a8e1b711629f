"""Indexed photographs, open for searching."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self, get_args

from stsearch.api.model import ImageQuery, Picture, decode, load
from stsearch.errors import (
    GalleryDamagedError,
    GalleryLockedError,
    GalleryNotFoundError,
    GalleryUnreadableError,
    StsearchError,
    UsageError,
    WeightsError,
)
from stsearch.gallery import registry
from stsearch.gallery.access import open_gallery
from stsearch.gallery.address import Address, DatabaseUrl, Named, parse_named
from stsearch.gallery.protocol import Gallery, Notify
from stsearch.indexing.changes import IndexReport
from stsearch.search import query_encoder
from stsearch.search.calibration import default_min_score
from stsearch.search.engine import Answer, Encoder, Found, SearchOptions, answer, merge_answers
from stsearch.search.hits import Hit
from stsearch.search.photo_filter import PhotoFilter, span
from stsearch.search.query import Query
from stsearch.search.ranking import Group
from stsearch.types import ModelInfo
from stsearch.weights import card

_UNUSABLE = (GalleryDamagedError, GalleryLockedError, GalleryUnreadableError)
"""Of several galleries, one that ends so is passed over."""


def warn(message: str) -> None:
    """Tell the caller of the library something that is no error."""
    warnings.warn(message, stacklevel=3)


class Photos:
    """Indexed photographs, in one gallery or several; :func:`index` and :func:`open` return them.

    Attributes:
        galleries: open, for reading.
        report: what the run that indexed them did; None where none did.
        passed_over: why each gallery that was not named could not be opened or searched.
    """

    def __init__(
        self,
        galleries: Sequence[Gallery],
        model: str | None = None,
        notify: Notify = warn,
        report: IndexReport | None = None,
        passed_over: Sequence[StsearchError] | None = None,
    ) -> None:
        self.galleries = tuple(galleries)
        self.report = report
        self.passed_over = list(passed_over or ())
        self._are_named = passed_over is None  # and not all that there are
        self._model = model
        self._notify = notify
        self._is_closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        """Return how many photographs there are, and in which folders."""
        folders = ", ".join(repr(str(root)) for gallery in self.galleries for root in gallery.roots)
        return f"<Photos of {folders or 'nothing'}: {'closed' if self._is_closed else len(self)}>"

    def __len__(self) -> int:
        """Return how many photographs there are."""
        return sum(gallery.counts().photos for gallery in self.galleries)

    def close(self) -> None:
        """Close the files of the galleries."""
        self._is_closed = True
        for gallery in self.galleries:
            gallery.close()

    def search(
        self,
        query: str | Query | ImageQuery,
        *,
        top: int = 20,
        group: Group = "word",
        min_score: float | None = None,
        exact: bool = False,
        fuzzy: int | None = None,
        paths: str | Sequence[str] = (),
        since: str | int | date | None = None,
        until: str | int | date | None = None,
        explain: bool = False,
    ) -> list[Hit]:
        """Return the hits for ``query``, best first.

        Args:
            query: words, a "phrase", patterns such as ``RE16*``, ``-unwanted``, ``OR``; see README.
            top: how many hits at most.
            group: "word" gives one hit a word or phrase, "photo" one a photograph.
            min_score: hits that are less probable are left out; None: 0.2, or any with ``fuzzy``. With 0 and
                ``group="photo"``, photographs without such a word are ranked too.
            exact: only words that are read exactly so; the same as ``fuzzy=0``.
            fuzzy: only words that are read so but for this many characters.
            paths: globs; only photographs of such a path in their folder, or below it.
            since: YYYY, YYYY-MM or YYYY-MM-DD, or a date; only photographs taken then or later.
            until: only photographs taken then or before, that day or year included.
            explain: gather what else was read where the hits are.

        Raises:
            UsageError: the query or an option cannot be used.
            WeightsError: the weights that made the gallery are not here.
        """
        return self.find(
            query,
            top=top,
            group=group,
            min_score=min_score,
            exact=exact,
            fuzzy=fuzzy,
            paths=paths,
            since=since,
            until=until,
            explain=explain,
            advice=0,
        ).hits

    def find(  # noqa: D417 - the other arguments are those of search
        self,
        query: str | Query | ImageQuery,
        *,
        top: int = 20,
        group: Group = "word",
        min_score: float | None = None,
        exact: bool = False,
        fuzzy: int | None = None,
        paths: str | Sequence[str] = (),
        since: str | int | date | None = None,
        until: str | int | date | None = None,
        explain: bool = False,
        advice: int = 3,
        counts: bool = False,
    ) -> Found:
        """Return the hits that ``search`` returns, how many there are, and what nearly matches otherwise.

        Args:
            query: as for ``search``.
            advice: where nothing matches, how many searches to propose that do.
            counts: without advice too, count the hits beyond ``top``.

        Raises:
            UsageError: the query or an option cannot be used.
            WeightsError: the weights that made the gallery are not here.
        """
        if self._is_closed:
            raise UsageError("these photographs are closed: open them again with stsearch.open")
        if exact and fuzzy:
            raise UsageError(f"exact allows no edit, fuzzy allows {fuzzy}: give one of them")
        options = SearchOptions(
            top=top,
            group=group,
            fuzzy=0 if exact else fuzzy,
            blank=group == "photo" and min_score == 0,
            photos=photo_filter(paths, since, until),
            explain=explain,
            advice=advice,
            counts=counts,
        )
        _check_values(group, top, fuzzy, min_score)
        if isinstance(query, str):
            query = Query(query)
        if not isinstance(query, Query | ImageQuery):
            raise UsageError(
                f"a query is text, a Query or an ImageQuery, not {query!r}; several words are one text"
            )
        text = query.query if isinstance(query, ImageQuery) else query
        answers: list[Answer] = []
        for gallery, encoder in list(self.searchable):
            by = query.encoder if isinstance(query, ImageQuery) else encoder
            limit = resolve_min_score(min_score, options.fuzzy, by.info)
            try:
                answers.append(answer(gallery, text, by, replace(options, min_score=limit)))
            except _UNUSABLE as error:
                self._pass_over((gallery, encoder), error)
        return merge_answers(text, answers, options)

    def _pass_over(self, which: tuple[Gallery, Encoder], error: StsearchError) -> None:
        """Search one gallery no more; where it was named, or is the last, raise the ``error`` it has."""
        if self._are_named or len(self.searchable) == 1:
            raise error
        self.searchable.remove(which)
        self.passed_over.append(error)
        self._notify(f"passed over: {error}")

    def image_query(self, picture: Picture, name: str = "picture", device: str = "auto") -> ImageQuery:
        """Return the query for the word that fills ``picture``, read by the weights that made the gallery.

        Raises:
            ImageError: it cannot be read.
            WeightsError: the weights that made the gallery are not here.
        """
        pixels = decode(picture, None).image
        [(gallery, _), *_others] = self.searchable
        return load(self._model or _weights_of(gallery), device).query(pixels, name)

    @cached_property
    def searchable(self) -> list[tuple[Gallery, Encoder]]:
        """The galleries whose weights are here, each with what embeds queries for it.

        Of several galleries, those that cannot be searched are passed over with a note.

        Raises:
            WeightsError: no gallery can be searched.
            GalleryNotFoundError: there is none, because the folder that was indexed holds no photographs.
        """
        if not self.galleries:
            raise GalleryNotFoundError("there are no photos: nothing is indexed")
        encoders: dict[str, Encoder] = {}
        found: list[tuple[Gallery, Encoder]] = []
        refused: list[WeightsError] = []
        for gallery in self.galleries:
            try:
                name = self._model or _weights_of(gallery)
                if name not in encoders:
                    encoders[name] = query_encoder.load_query_encoder(name)
                gallery.check_model(encoders[name].info)
                found.append((gallery, encoders[name]))
            except WeightsError as error:
                refused.append(error)
        if refused and not found:
            raise refused[0]
        for reason in refused:
            self._notify(f"passed over: {reason}")
        return found


def _check_values(group: object, top: object, fuzzy: object, min_score: object) -> None:
    """Refuse values that no option can have, whatever their types.

    Raises:
        UsageError: one cannot.
    """
    if group not in get_args(Group):
        raise UsageError(f"group is one of {', '.join(get_args(Group))}, not {group!r}")
    if not isinstance(top, int) or top < 1:
        raise UsageError(f"top is a whole number from 1 on, not {top!r}")
    if fuzzy not in (None, 0, 1, 2):
        raise UsageError(f"fuzzy is 0, 1 or 2, not {fuzzy!r}")
    if min_score is not None and not (isinstance(min_score, float | int) and 0 <= min_score <= 1):
        raise UsageError(f"min_score lies between 0 and 1, which {min_score!r} does not")


def resolve_min_score(min_score: float | None, fuzzy: int | None, info: ModelInfo) -> float:
    """Return the least score of a hit: ``min_score``, else what suits the weights and the limit of edits."""
    if min_score is not None:
        return min_score
    # A limit of edits has chosen already.
    return default_min_score(info.calibration) if fuzzy is None else 1e-6


def photo_filter(
    paths: str | Sequence[str], since: str | int | date | None, until: str | int | date | None
) -> PhotoFilter | None:
    """Return what chooses photographs by path and date; None where all are meant.

    Raises:
        UsageError: a date is none.
    """
    if not (paths or since or until):
        return None
    first = span(str(since))[0] if since else datetime.min
    globs = (paths,) if isinstance(paths, str) else tuple(paths)
    return PhotoFilter(
        globs, first, span(str(until))[1] if until else datetime.max, tuple(map(_place, globs))
    )


def _place(glob: str) -> str:
    """Return a glob as it would be printed: an absolute path, or a URL."""
    return glob if "://" in glob else os.fspath(Path(glob).parent.resolve() / Path(glob).name)


def _weights_of(gallery: Gallery) -> str:
    """Return the name of the installed weights that made ``gallery``.

    Raises:
        WeightsError: they are not installed.
    """
    try:
        return card.find_by_sha256(gallery.model.sha256, gallery.model.name)
    except WeightsError as error:
        raise WeightsError(
            f"{gallery.name}: {error}, or read its photos anew with: {gallery.index_command()} --reread"
        ) from error


def open(*folders: Named | str, model: str | None = None, notify: Notify = warn) -> Photos:
    """Open indexed photographs for searching.

    Args:
        folders: of photographs or their URLs, or galleries, or URLs of galleries in PostgreSQL; several are
            searched together. Without any: the gallery of the current folder or the nearest above it, else
            all that were indexed and are still there.
        model: weights that made the galleries; None: the installed ones that the galleries name.
        notify: is told in one sentence when something is slower or less than it could be.

    Raises:
        GalleryNotFoundError: nothing is indexed there.
        GalleryDamagedError, GalleryUnreadableError, GalleryUntrustedError: a gallery is damaged or of a newer
            format, cannot be read, or belongs to another user. Where no folder is given, such a gallery is
            passed over with a note, unless there is no other.
    """
    home = registry.data_home(os.environ)
    if folders:
        return Photos(_open_all([_find(parse_named(each), home) for each in folders], notify), model, notify)
    places = registry.usable(Path.cwd(), home, notify)
    if not places:
        raise GalleryNotFoundError("no photos are indexed yet; begin with: stsearch index FOLDER")
    if len(places) == 1:
        return Photos(_open_all(places, notify), model, notify)
    return _open_usable(places, model, notify)


def _find(named: Named, home: Path) -> Address:
    return named if isinstance(named, DatabaseUrl) else registry.find(named, home)


def _open_all(places: Sequence[Address], notify: Notify) -> list[Gallery]:
    """Open all galleries at ``places``, or none of them."""
    with ExitStack() as stack:
        galleries = [stack.enter_context(open_gallery(place, notify)) for place in places]
        stack.pop_all()
    return galleries


def _open_usable(places: Sequence[Path], model: str | None, notify: Notify) -> Photos:
    """Open all galleries at ``places`` that can be; the others are passed over with a note.

    Raises:
        GalleryDamagedError, GalleryUnreadableError, GalleryLockedError: none can be opened.
    """
    galleries: list[Gallery] = []
    passed_over: list[StsearchError] = []
    for place in places:
        try:
            galleries.append(open_gallery(place, notify))
        except (*_UNUSABLE, GalleryNotFoundError) as error:  # gone since it was looked for
            passed_over.append(error)
    if not galleries:
        raise passed_over[0]
    for reason in passed_over:
        notify(f"passed over: {reason}")
    return Photos(galleries, model, notify, passed_over=passed_over)
