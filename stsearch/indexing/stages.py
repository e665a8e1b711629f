"""What a file is on its way to the gallery, between listed and recorded."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stsearch.errors import ImageError, ImageRefusedError
from stsearch.gallery.catalog import Failed, Linked, PhotoFile, Record
from stsearch.images import Decoded
from stsearch.images.files import Content
from stsearch.indexing.reader import OpenPhoto
from stsearch.indexing.walk import NEVER


def is_as_recorded(file: PhotoFile, known: Record | None) -> bool:
    """Return whether a file that was listed is the one of the record that the gallery has of its path.

    An object is by its size and stamp, whatever its time: that changes when it is copied or archived. Where
    one of the two has no stamp, the time decides.
    """
    if known is None:
        return False
    if None in (file.stamp, known.file.stamp):
        return (known.file.size, known.file.mtime_ns) == (file.size, file.mtime_ns)
    is_settled = known.file.mtime_ns != NEVER
    return is_settled and (known.file.size, known.file.stamp) == (file.size, file.stamp)


@dataclass(frozen=True, slots=True, eq=False)
class ReadFile:
    """A file that was read."""

    file: PhotoFile
    content: Content


@dataclass(frozen=True, slots=True, eq=False)
class DecodedPhoto:
    """A photograph that waits for the spotter."""

    file: PhotoFile
    sha256: str
    decoded: Decoded


@dataclass(frozen=True, slots=True, eq=False)
class Document:
    """A file whose pages wait to be decoded, and for the spotter."""

    file: PhotoFile
    photo: OpenPhoto


@dataclass(frozen=True, slots=True)
class Copy:
    """A file whose content another file in work has: it is not spotted twice."""

    file: PhotoFile
    sha256: str

    def like(self, original: Record) -> Record:
        """Return the record of this file, given that of the file it is a copy of."""
        if not isinstance(original, Failed):
            return Linked(self.file, self.sha256)
        tried_again = original.file.mtime_ns == NEVER
        return Failed(replace(self.file, mtime_ns=NEVER) if tried_again else self.file, original.reason)


def failed_record(file: PhotoFile, error: ImageError) -> Failed:
    """Return the record of a file that cannot be read; one that was refused is tried again."""
    is_for_now = isinstance(error, ImageRefusedError)
    return Failed(replace(file, mtime_ns=NEVER) if is_for_now else file, str(error))
