"""Folders of photographs that lie in each other, and have a gallery each."""

from __future__ import annotations

from pathlib import Path

from stsearch.errors import StsearchError
from stsearch.gallery import registry
from stsearch.gallery.manifest import Manifest


def overlapping(photos: Path, place: Path, home: Path) -> list[Path]:
    """Return the folders above or below ``photos`` that other galleries hold, as far as those are known.

    Args:
        photos: a resolved folder of photographs.
        place: the folder of its own gallery.
        home: the folder that lists galleries.
    """
    above = [parent / registry.FOLDER_NAME for parent in photos.parents]
    found = set()
    for folder in {*registry.listed(home), *above} - {place}:
        try:
            other = (folder / Manifest.read(folder).photos).resolve()
        except (StsearchError, OSError):  # not there, or nothing that can be said of it
            continue
        if other != photos and (other in photos.parents or photos in other.parents):
            found.add(other)
    return sorted(found)
