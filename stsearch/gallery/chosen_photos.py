"""The photographs that a search chose, kept for the next time that it asks for them."""

from __future__ import annotations

from stsearch.gallery.catalog import Catalog
from stsearch.gallery.records import DatedPhoto
from stsearch.gallery.request import PhotoChoice
from stsearch.objects.url import Location


class ChosenPhotos:
    """Keeps the photographs of one choice until another process writes to the catalog, or :meth:`clear`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._key: object = None  # the choice, and the version of the catalog
        self._photos: list[DatedPhoto] = []

    def of(self, choice: PhotoChoice, root: Location) -> list[DatedPhoto]:
        """Return the photographs in the folder ``root`` that ``choice`` admits, by path."""
        key = choice, self._catalog.version()
        if key != self._key:
            admits = choice.of_folder(root).admits
            self._photos, self._key = list(filter(admits, self._catalog.dated_photos())), key
        return self._photos

    def clear(self) -> None:
        """Forget them: photographs came or were removed."""
        self._key = None
