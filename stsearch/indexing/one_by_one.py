"""What goes wrong with several files is tried again with each alone: one of them fails, and no run does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from stsearch.errors import DeviceError, GalleryLockedError, StsearchError, WriteError
from stsearch.gallery.catalog import Failed, PhotoFile, Record
from stsearch.gallery.protocol import WritableGallery
from stsearch.indexing.walk import NEVER
from stsearch.memory import is_out_of_memory


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
        DeviceError: there is too little memory, whatever the photograph: each is scaled to the same size.
    """
    try:
        return together(photos)
    except StsearchError:
        raise
    except Exception as error:  # libraries raise anything where a size or a value is odd
        if is_out_of_memory(error):
            raise _too_little_memory(f"look for words in {photos[0].file.path!a}") from error
        if len(photos) > 1:
            return [each for photo in photos for each in spot(together, [photo])]
        [photo] = photos
        return [Failed(replace(photo.file, mtime_ns=NEVER), f"cannot be searched for words: {error!a}")]


def store(gallery: WritableGallery, records: Sequence[Record]) -> Sequence[Record]:
    """Add ``records`` to ``gallery`` and return them; one with a value that it cannot hold as failed.

    Raises:
        WriteError: the gallery cannot be written to.
        GalleryLockedError: another process holds it.
        DeviceError: there is too little memory.
    """
    try:
        gallery.add(records)
    except (WriteError, GalleryLockedError, DeviceError):
        raise
    except Exception as error:  # no record is in the gallery now
        if is_out_of_memory(error):
            raise _too_little_memory("keep the words that were found") from error
        if len(records) > 1:
            return [each for record in records for each in store(gallery, [record])]
        [record] = records
        failed = Failed(PhotoFile(record.file.path, 0, NEVER), f"cannot be kept: {error!a}")
        if record == failed:
            raise
        return store(gallery, [failed])
    return records


def _too_little_memory(to_do: str) -> DeviceError:
    return DeviceError(
        f"there is too little memory to {to_do}; what was finished is kept: close other programs, or lift the"
        " limit (ulimit -v), and run the command again"
    )
