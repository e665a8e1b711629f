"""What goes wrong with several files is tried again with each alone: one of them fails, and no run does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from stsearch.errors import GalleryLockedError, StsearchError, WriteError
from stsearch.gallery.catalog import Failed, PhotoFile, Record
from stsearch.gallery.protocol import WritableGallery
from stsearch.indexing.walk import NEVER


class HasFile(Protocol):
    """A photograph at work."""

    @property
    def file(self) -> PhotoFile:
        """The file it is."""


Photo = TypeVar("Photo", bound=HasFile)


def spot(
    together: Callable[[Sequence[Photo]], Sequence[Record]], photos: Sequence[Photo]
) -> Sequence[Record]:
    """Return the records of ``photos``; one that no word can be looked for in has failed.

    Args:
        together: returns the records of several photographs.
        photos: one or more.

    Raises:
        StsearchError: what ``together`` raises on purpose, such as that a device has no memory left.
    """
    try:
        return together(photos)
    except StsearchError:
        raise
    except Exception as error:  # noqa: BLE001  # libraries raise anything where a size or a value is odd
        if len(photos) > 1:
            return [each for photo in photos for each in spot(together, [photo])]
        [photo] = photos
        return [Failed(replace(photo.file, mtime_ns=NEVER), f"cannot be searched for words: {error!a}")]


def store(gallery: WritableGallery, records: Sequence[Record]) -> Sequence[Record]:
    """Add ``records`` to ``gallery`` and return them; one with a value that it cannot hold as failed.

    Raises:
        WriteError: the gallery cannot be written to.
        GalleryLockedError: another process holds it.
    """
    try:
        gallery.add(records)
    except (WriteError, GalleryLockedError):
        raise
    except Exception as error:  # no record is in the gallery now
        if len(records) > 1:
            return [each for record in records for each in store(gallery, [record])]
        [record] = records
        failed = Failed(PhotoFile(record.file.path, 0, NEVER), f"cannot be kept: {error!a}")
        if record == failed:
            raise
        return store(gallery, [failed])
    return records
