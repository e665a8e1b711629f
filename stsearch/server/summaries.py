"""What is said of whole galleries and photographs: their state, and their words."""

from __future__ import annotations

from stsearch.api.json_lines import JSON_SCHEMA, group_words, word_line
from stsearch.api.status import GalleryState
from stsearch.api.words import Word, words_of
from stsearch.errors import UsageError
from stsearch.gallery.gallery import Gallery
from stsearch.server.library import PhotographWords
from stsearch.server.service import Service

Lines = list[dict[str, object]]


async def gallery_lines(service: Service) -> Lines:
    """Return the fields of ``stsearch status --json`` for every gallery, and what each is called in URLs."""
    await service.refresh()
    return [
        {"type": "status", "schema": JSON_SCHEMA, "name": name, **await service.of_gallery(name, state_facts)}
        for name in service.library.names
    ]


async def word_lines(service: Service, name: str) -> Lines:
    """Return the fields of ``stsearch words --json``: every different word, the most frequent first.

    Args:
        service: with the galleries.
        name: of one of them; empty: the only one.

    Raises:
        UsageError: there is no such gallery, or there are several.
    """
    await service.refresh()
    names = service.library.names
    if not name and len(names) > 1:
        raise UsageError(f"there are several galleries; name one with gallery=NAME: {', '.join(names)}")
    return await service.of_gallery(name or names[0], grouped_words)


def photograph_words(here: PhotographWords) -> Lines:
    """Return the fields of ``stsearch words PHOTO --json``, from top to bottom."""
    path = here.photograph.path
    words = [Word(path, each.transcript, each.confidence, each.polygon, each.page) for each in here.words]
    return [word_line([word]) for word in words]


def grouped_words(gallery: Gallery) -> Lines:
    """Return a line for every different word of ``gallery``, the most frequent first."""
    return [word_line(group) for group in group_words(words_of(gallery))]


def state_facts(gallery: Gallery) -> dict[str, object]:
    """Return what ``stsearch status`` says of ``gallery``."""
    return GalleryState.of(gallery).facts()
