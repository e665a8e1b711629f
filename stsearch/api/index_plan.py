"""What is settled before a folder is indexed: which one, into which gallery, by which rules; a forecast."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from stsearch.errors import PhotosMissingError, UsageError
from stsearch.gallery import registry, trust
from stsearch.gallery.access import view_folder
from stsearch.gallery.address import Address, DatabaseUrl, parse_address
from stsearch.gallery.nested import had_gallery, overlapping
from stsearch.gallery.protocol import Notify
from stsearch.indexing.dry_run import Preview, preview
from stsearch.indexing.walk import Walk, WalkRules, listed_photos, walk_photos


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """A folder of photographs, the folder of its gallery, and the rules that choose its files.

    Attributes:
        photos: as it was given.
        place: where the gallery lies, or shall lie.
        rules: built once, for the run or its forecast.
    """

    photos: Path
    place: Address
    rules: WalkRules

    @classmethod
    def of(
        cls,
        folder: Path | str,
        gallery: Path | str | DatabaseUrl | None,
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
        return cls(photos, gallery_place(photos, gallery), rules)

    def first_walk(self, prune: bool, notify: Notify) -> Walk | None:
        """Return what a folder without a gallery holds; None where it has one, or that is in a database.

        Args:
            prune: whether somebody means that a gallery may be gone.
            notify: is told when another gallery holds some of the same photographs.

        Raises:
            PhotosMissingError: nothing is there, and a gallery was.
            UsageError: the folder cannot be listed.
        """
        if isinstance(self.place, DatabaseUrl) or registry.is_gallery(self.place):
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
        with view_folder(self.place, self.photos, notify) or nullcontext() as gallery:
            return preview(self.photos, gallery, self.rules, recognize, prune)


def gallery_place(photos: Path | str, gallery: Path | str | DatabaseUrl | None = None) -> Address:
    """Return where :func:`stsearch.index` keeps the gallery of the folder ``photos``.

    Raises:
        GalleryUnreadableError, GalleryUntrustedError: as :func:`stsearch.open`.
    """
    photos, home = Path(photos), registry.data_home(os.environ)
    address = parse_address(photos if gallery is None else gallery)
    if isinstance(address, DatabaseUrl):
        return address
    inside = address.resolve() == photos.resolve()
    place = registry.place_for(photos, home) if inside else address.resolve()
    if registry.is_gallery(place):
        trust.check_owner(place, home)
    return place
