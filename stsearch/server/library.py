"""Open galleries, searched by one thread: SQLite's connections belong to the thread that opened them.

They are opened anew when somebody has written to them; encoder and tables stay in memory between searches.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from stsearch.api.json_lines import Limits
from stsearch.api.model import ImageQuery
from stsearch.api.photos import Photos, resolve_min_score
from stsearch.api.photos import open as open_photos
from stsearch.api.words import instances_in
from stsearch.errors import GalleryNotFoundError, UsageError
from stsearch.gallery.address import DatabaseUrl, Named, parse_named
from stsearch.gallery.gallery import Gallery, Notify
from stsearch.gallery.photographs import Photograph, find_photograph, identify, version_of
from stsearch.gallery.protocol import Gallery as AnyGallery
from stsearch.objects.url import Location
from stsearch.search.advice import Advice
from stsearch.search.engine import Found
from stsearch.search.query_by_image import query_by_word
from stsearch.server.ask import Ask
from stsearch.text.printable import printable
from stsearch.types import TextInstance

_ADVICE = 3  # searches to propose where nothing matches
_KEPT_WHOLE = 200_000  # instances of a gallery whose table is kept in memory: 2 KB each, a tenth of the time
_WAIT = 3.0  # times what opening took, that is waited before opening again while an index run writes


class NoPhotographError(GalleryNotFoundError):
    """No open gallery has such a photograph."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a search found.

    Attributes:
        ask: what was asked for.
        text: the query in words.
        found: the hits, or what nearly matches.
        photographs: checksums of the photographs of all hits, by path.
        limits: what a hit had to pass.
        remark: what may have been meant otherwise.
    """

    ask: Ask
    text: str
    found: Found
    photographs: dict[Location, str]
    limits: Limits
    remark: str | None = None


@dataclass(frozen=True, slots=True)
class PhotographWords:
    """A photograph with every word in it, one a place."""

    photograph: Photograph
    gallery: str
    words: Sequence[TextInstance] = field(repr=False)


class Library:
    """The galleries of a server; every method is called by the same thread.

    Args:
        folders: of photographs or their URLs, or their galleries; none: as for ``stsearch.open``.
        model: weights that made the galleries; None: as they say.
        notify: is told in one sentence when something is slower or less than it could be.

    Raises:
        UsageError: one is a database.
        GalleryNotFoundError and others, as ``stsearch.open``.
    """

    def __init__(self, folders: Sequence[Named | str], model: str | None, notify: Notify) -> None:
        self._folders = [parse_named(each) for each in folders]
        for each in self._folders:
            if isinstance(each, DatabaseUrl):
                raise UsageError(
                    f"{each} is a database, whose photographs cannot be shown or served: name a gallery in a"
                    " folder, or search it with stsearch search --index"
                )
        self._model, self._notify = model, notify
        self._chosen: dict[tuple[str, ...], Photos] = {}
        self.generation = 0
        self._open()

    def close(self) -> None:
        """Close the galleries."""
        self._photos.close()

    @property
    def names(self) -> tuple[str, ...]:
        """What the galleries are called in URLs."""
        return tuple(self._galleries)

    def folder_of(self, name: str) -> Location:
        """Return the folder of the photographs of a gallery.

        Raises:
            UsageError: there is no such gallery.
        """
        return self._gallery(name).photos

    def gallery_folder_of(self, name: str) -> Path:
        """Return the folder that a gallery lies in.

        Raises:
            UsageError: there is no such gallery.
        """
        return self._gallery(name).folder

    def refresh(self) -> int:
        """Open the galleries anew if somebody has written to them, and return the number of the opening.

        Raises:
            GalleryNotFoundError: they are gone.
        """
        if time.monotonic() >= self._fresh_until and self._versions() != self._version:
            before = self._photos
            self._open()
            before.close()
        return self.generation

    def search(self, ask: Ask, image_query: ImageQuery | None = None) -> Answer:
        """Answer a search; ``image_query`` is the query of ``ask.picture``.

        Raises:
            UsageError: it cannot be searched for.
        """
        query = image_query or (self._like(ask.like) if ask.like else ask.query)
        photos = self._choose(ask.galleries if isinstance(query, str) else self._of_weights(ask, query))
        found = self._find(photos, ask, query, _ADVICE if ask.advice else 0)
        if not found.hits and ask.advice and ask.has_filters and isinstance(query, str):
            everywhere = ask.without_filters()
            if self._find(self._choose(()), everywhere, query, 0, top=1).hits:
                found = replace(found, advice=[Advice("in all photos", ask.query), *found.advice])
        hits = [*found.hits, *found.nearly]
        known: dict[Location, str] = {}
        for gallery in _local(photos.galleries):
            known |= identify(gallery, (hit.path for hit in hits))
        [(_, encoder), *_others] = photos.searchable
        limits = Limits(resolve_min_score(ask.min_score, ask.fuzzy, encoder.info), ask.fuzzy)
        text = query if isinstance(query, str) else query.text
        return Answer(ask, text, found, known, limits, _remark(ask.query))

    def photograph(self, sha256: str) -> PhotographWords:
        """Return a photograph and its words.

        Raises:
            NoPhotographError: no gallery has it.
        """
        for name, gallery in self._galleries.items():
            if photograph := find_photograph(gallery, sha256):
                return PhotographWords(photograph, name, instances_in(gallery, photograph.content))
        raise NoPhotographError("no gallery has this photograph; search again")

    def weights_name(self, ask: Ask) -> tuple[str, str]:
        """Return name and checksum of the weights to read a picture with."""
        [(gallery, _), *_others] = self._choose(ask.galleries).searchable
        return gallery.model.name, gallery.model.sha256

    def _of_weights(self, ask: Ask, query: ImageQuery) -> tuple[str, ...]:
        """Return the galleries that compare with a word that was read in a picture."""
        sha256 = query.encoder.info.sha256
        names = (name for name in ask.galleries or self.names if self._gallery(name).model.sha256 == sha256)
        return tuple(names) or ask.galleries

    def _find(
        self, photos: Photos, ask: Ask, query: str | ImageQuery, advice: int, top: int | None = None
    ) -> Found:
        return photos.find(
            query,
            top=top or ask.top,
            group=ask.group,
            min_score=ask.min_score,
            fuzzy=ask.fuzzy,
            paths=ask.paths,
            since=ask.since or None,
            until=ask.until or None,
            explain=ask.explain,
            advice=advice,
            counts=True,
        )

    def _like(self, name: str) -> ImageQuery:
        """Return the query for what looks and reads like a word of a photograph."""
        sha256, _, number = name.partition("-")
        here = self.photograph(sha256)
        if not (number.isascii() and number.isdigit() and int(number) < len(here.words)):
            raise UsageError("the photograph has no such word any more: search for it again")
        word = here.words[int(number)]
        gallery = self._galleries[here.gallery]
        infos = [by.info for each, by in self._photos.searchable if each is gallery]
        if not infos:
            raise UsageError("the weights that read this word are not here")
        return ImageQuery(*query_by_word(word, infos[0], word.transcript or "this word"))

    def _choose(self, names: tuple[str, ...]) -> Photos:
        """Return some galleries as one; what embeds queries for them is loaded once."""
        if not names or set(names) == set(self._galleries):
            return self._photos
        if names not in self._chosen:
            galleries = [self._gallery(name) for name in names]
            chosen = Photos(galleries, self._model, self._notify, passed_over=[])
            if usable := [pair for pair in self._photos.searchable if pair[0] in galleries]:
                chosen.searchable = usable
            self._chosen[names] = chosen
        return self._chosen[names]

    def _gallery(self, name: str) -> Gallery:
        if name not in self._galleries:
            raise UsageError(f"there is no gallery {name!r}; there are: {', '.join(self._galleries)}")
        return self._galleries[name]

    def _open(self) -> None:
        began = time.monotonic()
        with ExitStack() as stack:
            photos = stack.enter_context(open_photos(*self._folders, model=self._model, notify=self._notify))
            galleries = _local(photos.galleries)
            version = [version_of(gallery) for gallery in galleries]
            for gallery in galleries:
                if gallery.catalog.words() <= _KEPT_WHOLE:
                    gallery.instances()
            photos.find("warm", top=1, advice=0)  # loads the rest: what embeds queries, and graphs
            stack.pop_all()
        self._photos, self._version = photos, version
        self._galleries = _named(galleries)
        self._chosen.clear()
        self.generation += 1
        ended = time.monotonic()
        self._fresh_until = ended + _WAIT * (ended - began)

    def _versions(self) -> list[object]:
        return [version_of(gallery) for gallery in _local(self._photos.galleries)]


def _local(galleries: Sequence[AnyGallery]) -> list[Gallery]:
    """Return galleries as those in folders, which all are."""
    return [gallery for gallery in galleries if isinstance(gallery, Gallery)]


def _named(galleries: Sequence[Gallery]) -> dict[str, Gallery]:
    """Return the galleries by the names of their folders of photographs, those that repeat numbered."""
    named: dict[str, Gallery] = {}
    for gallery in galleries:
        name = base = printable(gallery.photos.name) or "photos"
        number = 1
        while name in named:
            number += 1
            name = f"{base}-{number}"
        named[name] = gallery
    return named


def _remark(text: str) -> str | None:
    from stsearch.search.query import Query

    return Query(text).remark if text else None
