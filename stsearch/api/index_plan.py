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
from stsearch.indexing.sources import source_of
from stsearch.indexing.walk import Walk, WalkRules, listed_photos
from stsearch.objects.url import Location, ObjectUrl, located, resolved


@dataclass(frozen=True, slots=True)
class IndexPlan:
    """Photographs, the folder of their gallery, and the rules that choose them.

    Attributes:
        photos: their folder as it was given, or their URL.
        place: where the gallery lies, or shall lie.
        rules: built once, for the run or its forecast.
    """

    photos: Location
    place: Address
    rules: WalkRules

    @classmethod
    def of(
        cls,
        folder: Location | str,
        gallery: Path | str | DatabaseUrl | None,
        exclude: Sequence[str],
        follow: bool,
        only: Sequence[Path | str] | None,
    ) -> IndexPlan:
        """Return the plan for the options of :func:`stsearch.index`.

        Raises:
            UsageError: the folder is none of photographs, the URL none of object storage, a pattern is
                invalid, a listed path lies elsewhere.
            GalleryUnreadableError, GalleryUntrustedError: as :func:`stsearch.open`.
        """
        photos = located(folder)
        if isinstance(photos, Path):
            if not registry.is_folder(photos):
                raise UsageError(f"{folder} is no folder of photographs")
            if registry.is_gallery(photos):
                raise UsageError(f"{folder} is a gallery: index the folder of its photographs")
        listed = None if only is None else _listed([os.fspath(path) for path in only], photos)
        rules = WalkRules(tuple(exclude), follow, listed)
        return cls(photos, gallery_place(photos, gallery), rules)

    def first_walk(self, prune: bool, notify: Notify) -> Walk | None:
        """Return what a folder without a gallery holds; None where it has one, or that is in a database.

        Args:
            prune: whether somebody means that a gallery may be gone.
            notify: is told when another gallery holds some of the same photographs.

        Raises:
            PhotosMissingError: nothing is there, and a gallery was.
            UsageError: the folder cannot be listed, or there is nothing below the URL.
            GalleryUnreadableError: as ``walk_photos``.
            PhotosUnreachableError: the bucket cannot be listed to its end now.
        """
        if isinstance(self.place, DatabaseUrl) or registry.is_gallery(self.place):
            return None
        home, photos = registry.data_home(os.environ), resolved(self.photos)
        walk = source_of(photos).walk(self.rules, lambda _: False)
        if walk.files or walk.failed:
            for other in overlapping(photos, self.place, home):
                notify(f"{other} is indexed too: what both folders hold is found twice")
        elif not prune and had_gallery(photos, home):
            cause = "a share were not mounted" if isinstance(photos, Path) else "this were another bucket"
            raise PhotosMissingError(
                f"{self.photos} holds no photos, and did when it was indexed, as if {cause}:"
                " nothing was made. Make it available and run the same command again; if it is gone for good,"
                " add --prune (in Python: prune=True)"
            )
        elif isinstance(photos, ObjectUrl) and not walk.passed_over and self.rules.only is None:
            raise UsageError(f"there is no object below {photos}: check its spelling")
        return walk

    def preview(self, notify: Notify, recognize: bool = True, prune: bool = False) -> Preview:
        """Return the changes that a run would make.

        Raises:
            UsageError, GalleryUnreadableError: as ``walk_photos``.
            GalleryDamagedError: the gallery is damaged, or of a newer format.
        """
        with view_folder(self.place, self.photos, notify) or nullcontext() as gallery:
            return preview(self.photos, gallery, self.rules, recognize, prune)


def _listed(names: Sequence[str], photos: Location) -> tuple[str, ...]:
    """Return what is listed of ``photos``, relative to them."""
    if isinstance(photos, Path):
        return listed_photos(names, photos)
    from stsearch.indexing.bucket import listed_objects

    return listed_objects(names, photos)


def gallery_place(photos: Location | str, gallery: Path | str | DatabaseUrl | None = None) -> Address:
    """Return where :func:`stsearch.index` keeps the gallery of ``photos``.

    Raises:
        GalleryUnreadableError, GalleryUntrustedError: as :func:`stsearch.open`.
    """
    photos, home = located(photos), registry.data_home(os.environ)
    address = None if gallery is None else parse_address(gallery)
    if isinstance(address, DatabaseUrl):
        return address
    if address is None or address.resolve() == resolved(photos):
        place = registry.place_for(photos, home)
    else:
        place = address.resolve()
    if place.is_symlink() or registry.is_gallery(place):
        trust.check_owner(place, home)
    return place
