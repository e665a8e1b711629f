"""What the other galleries of a user hold: folders that lie in each other, the same folder earlier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stsearch.errors import GalleryUnreadableError
from stsearch.gallery import registry
from stsearch.objects.url import Location


def overlapping(photos: Location, place: Path, home: Path) -> list[Location]:
    """Return the folders above or below ``photos`` that other galleries hold, as far as those are known.

    Args:
        photos: a resolved folder of photographs, or their URL.
        place: the folder of its own gallery.
        home: the folder that lists galleries.
    """
    parents: Sequence[Location] = photos.parents
    above = [parent / registry.FOLDER_NAME for parent in parents if isinstance(parent, Path)]
    others = {registry.photos_of(folder) for folder in {*_listed(home), *above} - {place}}
    related = [other for other in others if other and (other in parents or photos in _parents(other))]
    return sorted(related, key=str)


def _parents(location: Location) -> Sequence[Location]:
    return location.parents


def had_gallery(photos: Location, home: Path) -> bool:
    """Return whether a gallery of ``photos`` is or was listed in ``home``, there now or not."""
    is_folder = isinstance(photos, Path)
    inside = photos / registry.FOLDER_NAME if is_folder else registry.place_for(photos, home)
    return any(folder == inside or registry.photos_of(folder) == photos for folder in _listed(home))


def _listed(home: Path) -> list[Path]:
    try:
        return registry.listed(home)
    except GalleryUnreadableError:  # then nothing is known, as without a list
        return []
