"""Photographs by the checksum of their content: a name that tells nothing, and no path can be made of."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stsearch.errors import GalleryNotFoundError
from stsearch.gallery import registry
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.manifest import FILE_NAME
from stsearch.gallery.paths import name_in
from stsearch.gallery.records import Linked
from stsearch.objects.url import Location

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Photograph:
    """A photograph that a gallery has read.

    Attributes:
        sha256: of its content, which is what it is asked for by.
        content: id of its content in the gallery.
        path: of the first of its files, absolute, or its URL.
        height: as displayed, in pixels; of several pages, of one of them.
        width: likewise.
        size_bytes: of its file when it was read.
    """

    sha256: str
    content: int
    path: Location
    height: int
    width: int
    size_bytes: int


def find_photograph(gallery: Gallery, sha256: str) -> Photograph | None:
    """Return the photograph in ``gallery`` whose content has this checksum, None where there is none."""
    if not _SHA256.fullmatch(sha256):
        return None
    for content, height, width in gallery.catalog.contents_with(sha256):
        for path in gallery.photos_of([content]).get(content, []):
            record = gallery.catalog.record_at(name_in(path, gallery.photos) or "")
            if isinstance(record, Linked):
                return Photograph(sha256, content, path, height, width, record.file.size)
    return None


def identify(gallery: Gallery, paths: Iterable[Location]) -> dict[Location, str]:
    """Return the checksums of the contents of those of ``paths`` that ``gallery`` has read."""
    root = gallery.photos
    names = {name: path for path in paths if (name := name_in(path, root))}
    return {names[name]: sha256 for name, sha256 in gallery.catalog.checksums_of(names).items()}


def version_of(gallery: Gallery) -> object:
    """Return what is another value once somebody has written to the files of ``gallery``.

    Raises:
        GalleryNotFoundError: they are gone.
    """
    try:
        files = [(gallery.folder / name).stat() for name in (registry.CATALOG_NAME, FILE_NAME)]
    except OSError as error:
        raise GalleryNotFoundError(f"the gallery in {gallery.folder} is gone: {error.strerror}") from error
    return [(each.st_ino, each.st_mtime_ns, each.st_size) for each in files]
