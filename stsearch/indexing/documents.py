"""Files of several pages and animations: one page after the other is decoded and spotted; none is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from stsearch.batching import batched
from stsearch.errors import ImageError
from stsearch.images import Decoded
from stsearch.images.frames import MAX_PAGES
from stsearch.indexing.reader import OpenPhoto, PhotoReader
from stsearch.types import PhotoSpotter, TextInstance

_MAX_FAILED = 3  # pages, after which the rest is not tried: each may take as long as a page may


@dataclass(frozen=True, slots=True, eq=False)
class SpottedPages:
    """The words of a file.

    Attributes:
        height: of the first page that could be read, as displayed.
        width: of that page.
        instances: of all pages; polygons in the pixels of their page.
        taken: as ``Decoded.taken``, of that page.
        note: which pages could not be read, or in part only; None where all could.
    """

    height: int
    width: int
    instances: Sequence[TextInstance]
    taken: str | None
    note: str | None


def spot_pages(photo: OpenPhoto, reader: PhotoReader, spotter: PhotoSpotter, batch: int) -> SpottedPages:
    """Find the words on the pages of ``photo``, ``batch`` pages at once.

    Raises:
        ImageError: no page could be read; the reason is that of the first.
    """
    failed: dict[int, ImageError] = {}
    instances: list[TextInstance] = []
    notes: list[str] = []
    first: Decoded | None = None
    pages = _decode_pages(photo, reader, spotter.decode_side, failed)
    for some in batched(pages, batch):
        first = first or some[0][1]
        found = spotter.spot([decoded.image for _, decoded in some])
        for (number, decoded), words in zip(some, found, strict=True):
            instances += to_original(decoded, words, number)
            if decoded.note:
                notes.append(f"page {number}: {decoded.note}")
    if first is None:
        raise next(iter(failed.values()))
    notes += [f"page {number}: {error}" for number, error in failed.items()]
    if len(failed) == _MAX_FAILED and next(reversed(failed)) != photo.pages[-1]:
        notes.append("the pages after that were not tried")
    if len(photo.pages) > MAX_PAGES:
        notes.append(f"the pages after {MAX_PAGES} were not read")
    return SpottedPages(first.height, first.width, instances, first.taken, "; ".join(notes) or None)


def to_original(
    decoded: Decoded, instances: Sequence[TextInstance], page: int | None = None
) -> list[TextInstance]:
    """Return ``instances``, whose polygons are in pixels of ``decoded``, in those of the page itself."""
    return [replace(each, polygon=decoded.to_original(each.polygon), page=page) for each in instances]


def _decode_pages(
    photo: OpenPhoto, reader: PhotoReader, longer_side: int, failed: dict[int, ImageError]
) -> Iterator[tuple[int, Decoded]]:
    """Yield the pages that can be decoded, by number; errors of the others are added to ``failed``."""
    for number in photo.pages[:MAX_PAGES]:
        try:
            yield number, reader.decode(photo, longer_side, number)
        except ImageError as error:
            failed[number] = error
            if len(failed) == _MAX_FAILED:
                return
