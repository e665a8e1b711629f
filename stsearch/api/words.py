"""The words of indexed photographs as a person counts them: one a place, whatever else was read there."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from stsearch.batching import batched
from stsearch.gallery.gallery import Gallery
from stsearch.spotting.proposals import suppress_overlaps
from stsearch.types import Polygon, TextInstance

_BATCH = 200  # photographs whose instances are in memory together
_COUNTED = 500  # photographs, a millisecond each; of a larger gallery some so many are a sample


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """One word of one photograph.

    Attributes:
        path: of the photograph.
        transcript: as read.
        confidence: of the transcript, in [0, 1].
        polygon: (P, 2) float32, in original pixels.
        page: of the photograph, from 1, that the polygon is in; None where it has one.
    """

    path: Path
    transcript: str
    confidence: float
    polygon: Polygon
    page: int | None = None


@dataclass(frozen=True, slots=True)
class WordCount:
    """The number of words in a gallery, and whether it was estimated from a sample of its photographs."""

    words: int
    is_estimate: bool


def words_of(gallery: Gallery, files: Container[str] | None = None) -> Iterator[Word]:
    """Yield the words of the photographs in ``gallery``, photograph by photograph.

    Args:
        gallery: open.
        files: paths relative to its folder of photographs; None: all.
    """
    photos = [(name, content) for name, content in gallery.catalog.photos() if files is None or name in files]
    root = gallery.photos
    for some in batched(photos, _BATCH):
        found = _words_by_content(gallery, [content for _, content in some])
        for name, content in some:
            path = root / name
            for each in found.get(content, ()):
                yield Word(path, each.transcript, each.confidence, each.polygon, each.page)


def count_words(gallery: Gallery) -> WordCount:
    """Count the words of all photographs in ``gallery``; of more than 500 in a sample of them."""
    contents = [content for _, content in gallery.catalog.photos()]
    step = -(-len(contents) // _COUNTED) or 1
    sample = contents[::step]
    counted = 0
    for some in batched(sample, _BATCH):
        found = _words_by_content(gallery, some)
        counted += sum(len(found.get(content, ())) for content in some)
    if step == 1:
        return WordCount(counted, False)
    if not counted:  # the few there may be in other photographs
        readings = gallery.catalog.words()
        return WordCount(readings, readings > 0)
    return WordCount(round(counted * len(contents) / len(sample)), True)


def _words_by_content(gallery: Gallery, contents: Sequence[int]) -> dict[int, list[TextInstance]]:
    found = gallery.catalog.text_instances_of(dict.fromkeys(contents))
    return {
        content: [each for page in _by_page(instances) for each in suppress_overlaps(page) if each.transcript]
        for content, instances in found.items()
    }


def _by_page(instances: Iterable[TextInstance]) -> Iterator[list[TextInstance]]:
    ordered = sorted(instances, key=_page)
    return (list(page) for _, page in groupby(ordered, _page))


def _page(instance: TextInstance) -> int:
    return instance.page or 0
