"""The words of indexed photographs as a person counts them: one a place, whatever else was read there."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from stsearch.batching import batched
from stsearch.gallery.protocol import Gallery
from stsearch.objects.url import Location
from stsearch.spotting.proposals import suppress_overlaps
from stsearch.text.counted import counted
from stsearch.types import Polygon, TextInstance

_BATCH = 200  # photographs whose instances are in memory together
_COUNTED = 500  # photographs, a millisecond each; of a larger gallery some so many are a sample


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """One word of one photograph.

    Attributes:
        path: of the photograph; in a bucket its URL.
        transcript: as read.
        confidence: of the transcript, in [0, 1].
        polygon: (P, 2) float32, in original pixels.
        page: of the photograph, from 1, that the polygon is in; None where it has one.
    """

    path: Location
    transcript: str
    confidence: float
    polygon: Polygon
    page: int | None = None


@dataclass(frozen=True, slots=True)
class WordCount:
    """The number of words in a gallery, and whether it was estimated from a sample of its photographs.

    >>> str(WordCount(1, False)), str(WordCount(12345, True))
    ('1 word', 'about 12,345 words')
    """

    words: int
    is_estimate: bool

    def __str__(self) -> str:
        """Return it as a person counts."""
        return ("about " if self.is_estimate else "") + counted(self.words, "word", form=",")


def words_of(gallery: Gallery, files: Container[Location] | None = None) -> Iterator[Word]:
    """Yield the words of the photographs in ``gallery``, photograph by photograph.

    Args:
        gallery: open.
        files: paths of photographs, as it names them; None: all.
    """
    photos = [each for each in gallery.all_photos() if files is None or each[0] in files]
    for some in batched(photos, _BATCH):
        found = _words_by_content(gallery, [content for _, content in some])
        for path, content in some:
            for each in found.get(content, ()):
                yield Word(path, each.transcript, each.confidence, each.polygon, each.page)


def instances_in(gallery: Gallery, content: int) -> list[TextInstance]:
    """Return the words of one photograph, one a place, page by page, each from top to bottom.

    Args:
        gallery: open.
        content: id of the content of the photograph.
    """
    found = _words_by_content(gallery, [content]).get(content, [])
    return sorted(found, key=lambda each: (_page(each), *each.polygon.min(axis=0)[::-1].tolist()))


def count_words(gallery: Gallery) -> WordCount:
    """Count the words of all photographs in ``gallery``; of more than 500 in a sample of them."""
    sample, photos = gallery.sample_contents(_COUNTED), gallery.counts().photos
    found_words = 0
    for some in batched(sample, _BATCH):
        found = _words_by_content(gallery, some)
        found_words += sum(len(found.get(content, ())) for content in some)
    if len(sample) >= photos:
        return WordCount(found_words, False)
    if not found_words:  # the few there may be in other photographs
        readings = gallery.instance_count()
        return WordCount(readings, readings > 0)
    return WordCount(round(found_words * photos / len(sample)), True)


def _words_by_content(gallery: Gallery, contents: Sequence[int]) -> dict[int, list[TextInstance]]:
    found = gallery.text_instances_of(dict.fromkeys(contents))
    return {
        content: [each for page in _by_page(instances) for each in suppress_overlaps(page) if each.transcript]
        for content, instances in found.items()
    }


def _by_page(instances: Iterable[TextInstance]) -> Iterator[list[TextInstance]]:
    ordered = sorted(instances, key=_page)
    return (list(page) for _, page in groupby(ordered, _page))


def _page(instance: TextInstance) -> int:
    return instance.page or 0
