"""What is settled before a folder is indexed: which one, into which gallery, by which rules; a forecast."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from stsearch.errors import PhotosMissingError, UsageError
from stsearch.gallery import registry, trust
from stsearch.gallery.gallery import Gallery, Notify
from stsearch.gallery.nested import had_gallery, overlapping
from stsearch.indexing.dry_run import Preview, preview
from stsearch.indexing.remote_walk import walk_photos
from stsearch.indexing.walk import Walk, WalkRules, listed_photos


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """A folder of photographs, the folder of its gallery, and the rules that choose its files.

    Attributes:
        photos: as it was given.
        place: where the gallery lies, or shall lie.
        rules: built once, for the run or its forecast.
    """

    photos: Path
    place: Path
    rules: WalkRules

    @classmethod
    def of(
        cls,
        folder: Path | str,
        gallery: Path | str | None,
        exclude: Sequence[str],
        follow: bool,
        only: Sequence[Path | str] | None,
    ) -> IndexPlan:
        """Return the plan for the options of :func:`stsearch.index`.

        Raises:
            UsageError: the folder is none of photographs, a pattern is invalid, a listed path lies elsewhere.
            GalleryUnreadableError, GalleryUntrustedError: as :func:`stsearch.open`.
        """
        photos = Path(folder)
        if not photos.is_dir():
            raise UsageError(f"{folder} is no folder of photographs")
        if registry.is_gallery(photos):
            raise UsageError(f"{folder} is a gallery: index the folder of its photographs")
        listed = None if only is None else listed_photos([os.fspath(path) for path in only], photos)
        rules = WalkRules(tuple(exclude), follow, listed)
        return cls(photos, gallery_folder(photos, gallery), rules)

    def first_walk(self, prune: bool, notify: Notify) -> Walk | None:
        """Return what a folder without a gallery holds; None where it has one.

        Args:
            prune: whether somebody means that a gallery may be gone.
            notify: is told when another gallery holds some of the same photographs.

        Raises:
            PhotosMissingError: nothing is there, and a gallery was.
            UsageError: the folder cannot be listed.
        """
        if registry.is_gallery(self.place):
            return None
        home, photos = registry.data_home(os.environ), self.photos.resolve()
        walk = walk_photos(photos, self.rules)
        if walk.files or walk.failed:
            for other in overlapping(photos, self.place, home):
                notify(f"{other} is indexed too: what both folders hold is found twice")
        elif not prune and had_gallery(photos, home):
            raise PhotosMissingError(
                f"{self.photos} holds no photos, and did when it was indexed, as if a share were not mounted:"
                " nothing was made. Make it available and run the same command again; if it is gone for good,"
                " add --prune (in Python: prune=True)"
            )
        return walk

    def preview(self, notify: Notify, recognize: bool = True, prune: bool = False) -> Preview:
        """Return the changes that a run would make.

        Raises:
            UsageError: the folder cannot be listed.
            GalleryDamagedError: the gallery is damaged, or of a newer format.
        """
        has_gallery = registry.is_gallery(self.place)
        with Gallery.open(self.place, notify) if has_gallery else nullcontext() as gallery:
            return preview(self.photos, gallery, self.rules, recognize, prune)


def gallery_folder(photos: Path | str, gallery: Path | str | None = None) -> Path:
    """Return the folder in which :func:`stsearch.index` keeps the gallery of the folder ``photos``.

    Raises:
        GalleryUnreadableError, GalleryUntrustedError: as :func:`stsearch.open`.
    """
    photos, home = Path(photos), registry.data_home(os.environ)
    inside = gallery is None or Path(gallery).resolve() == photos.resolve()
    place = registry.place_for(photos, home) if inside else Path(gallery or photos).resolve()
    if place.is_symlink() or registry.is_gallery(place):
        trust.check_owner(place, home)
    return place
