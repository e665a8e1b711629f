"""What the other galleries of a user hold: folders that lie in each other, the same folder earlier."""

from __future__ import annotations

from pathlib import Path

from stsearch.errors import GalleryUnreadableError
from stsearch.gallery import registry


def overlapping(photos: Path, place: Path, home: Path) -> list[Path]:
    """Return the folders above or below ``photos`` that other galleries hold, as far as those are known.

    Args:
        photos: a resolved folder of photographs.
        place: the folder of its own gallery.
        home: the folder that lists galleries.
    """
    above = [parent / registry.FOLDER_NAME for parent in photos.parents]
    others = {registry.photos_of(folder) for folder in {*_listed(home), *above} - {place}}
    return sorted(other for other in others if other and (other in photos.parents or photos in other.parents))


def had_gallery(photos: Path, home: Path) -> bool:
    """Return whether a gallery of the folder ``photos`` is or was listed in ``home``, there now or not."""
    inside = photos / registry.FOLDER_NAME
    return any(folder == inside or registry.photos_of(folder) == photos for folder in _listed(home))


def _listed(home: Path) -> list[Path]:
    try:
        return registry.listed(home)
    except GalleryUnreadableError:  # then nothing is known, as without a list
        return []
