"""The contact sheet: one HTML file that shows every hit, the word cut out and outlined in its photograph."""

from __future__ import annotations

import os
import urllib.parse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from stsearch import __version__
from stsearch.api.json_lines import grade
from stsearch.cli import output
from stsearch.cli.text_file import write_text
from stsearch.pages import render
from stsearch.pages.drawing import close_up, cut_word, outline_words, shrink
from stsearch.pages.picture import Picture

if TYPE_CHECKING:
    from stsearch.objects.url import Location
    from stsearch.search.hits import Hit
    from stsearch.types import Image

_PHOTO_SIDE = 960  # pixels; twice the width of a card, for screens of fine resolution, and enough to fill one
_CLOSE_UP_SIDE = 720  # pixels
_CROP_HEIGHT = 96  # pixels; twice the height that is shown


@dataclass(frozen=True, slots=True)
class _Word:
    """A hit on the page; ``name`` is what links in the page call it."""

    name: str
    rank: int
    transcript: str
    score: str
    grade: str
    crop: Picture | None
    close_up: Picture | None


@dataclass(frozen=True, slots=True)
class _Card:
    """A photograph on the page, with its words in the order of their ranks."""

    name: str
    file: str
    folder: str
    link: str
    photo: Picture | None
    words: Sequence[_Word]


@dataclass(frozen=True, slots=True)
class _Section:
    """What one query found, best photograph first."""

    query: str
    cards: Sequence[_Card]


class ContactSheet:
    """Takes photographs with their hits one after the other, and writes the page.

    Args:
        file: of the page; links to photographs are relative to it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._cards: dict[str, list[_Card]] = {}  # by query
        self._hits: list[Hit] = []

    def add(self, path: Location, page: int | None, hits: Sequence[Hit], image: Image | None) -> None:
        """Add a page with all its hits; ``image`` is (H, W, 3) RGB, None when it cannot be read.

        Args:
            path: of the photograph.
            page: from 1; None in a photograph of one page.
            hits: in it.
            image: its pixels.
        """
        self._hits += hits
        for query in dict.fromkeys(hit.query for hit in hits):
            cards = self._cards.setdefault(query, [])
            answers = sorted((hit for hit in hits if hit.query == query), key=lambda hit: hit.rank)
            name = f"photo-{len(self._cards)}-{len(cards) + 1}"
            cards.append(_card(name, _link(path, page, self._file.parent), path, page, answers, image))

    def write(self, now: datetime) -> None:
        """Write the page into a folder that is there, over a page of that name; whole, or not at all.

        Args:
            now: when it was searched, in local time.

        Raises:
            WriteError: the disk is full, or the folder may not be written to.
        """
        photos = output.counted(len({hit.path for hit in self._hits}), "photo")
        page = render(
            "sheet.html",
            title=", ".join(self._cards),
            summary=f"{output.counted(len(self._hits), 'hit')} in {photos}",
            date=f"{now:%-d %B %Y, %H:%M}",
            sections=[
                _Section(query, sorted(cards, key=lambda card: card.words[0].rank))
                for query, cards in self._cards.items()
            ],
            version=__version__,
        )
        write_text(self._file, page)


def _card(
    name: str, link: str, path: Location, page: int | None, hits: Sequence[Hit], image: Image | None
) -> _Card:
    title = path.name if page is None else f"{path.name}, page {page}"
    photo = None
    if image is not None:
        small, scale = shrink(image, _PHOTO_SIDE)
        words = ", ".join(dict.fromkeys(hit.transcript for hit in hits if hit.transcript))
        description = f"{title}, outlined: {words}" if words else title
        photo = Picture.of(outline_words(small, [hit.polygon * scale for hit in hits]), description)
    words_shown = [_word(f"{name}-{number}", hit, image) for number, hit in enumerate(hits, start=1)]
    return _Card(name, title, output.shown_path(path.parent), link, photo, words_shown)


def _word(name: str, hit: Hit, image: Image | None) -> _Word:
    crop = surroundings = None
    if image is not None and len(hit.polygon):
        crop = Picture.of(cut_word(image, hit.polygon, _CROP_HEIGHT), hit.transcript)
        surroundings = Picture.of(close_up(image, hit.polygon, _CLOSE_UP_SIDE), hit.transcript)
    score = f"{hit.score:.2f}"
    return _Word(name, hit.rank, hit.transcript, score, grade(hit.score), crop, surroundings)


def _link(path: Location, page: int | None, start: Path) -> str:
    """Return the URL of a page of ``path``, or of all of it, as seen from the folder ``start``."""
    place = "" if page is None else f"#page={page}"
    if not isinstance(path, Path):
        return path.as_uri() + place
    target, here = path.resolve(), start.resolve()
    common = next(parent for parent in (here, *here.parents) if target.is_relative_to(parent))
    up = len(here.relative_to(common).parts)
    relative = "/".join([*[".."] * up, *target.relative_to(common).parts])
    return "./" + urllib.parse.quote(os.fsencode(relative)) + place
