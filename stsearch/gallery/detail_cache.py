"""Details of instances, read and verified once for all searches of an open gallery."""

from __future__ import annotations

from collections.abc import Iterable

from stsearch.gallery.catalog import Catalog
from stsearch.gallery.records import Detail

_MAX_DETAILS = 20_000  # kept in memory: some 40 MB


class DetailCache:
    """Keeps details until another process writes to the catalog, or :meth:`clear`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._details: dict[int, Detail] = {}  # by instance id
        self._version: object = None  # of the catalog they were read from

    def of(self, ids: Iterable[int]) -> dict[int, Detail]:
        """Return the details of each of the instances ``ids``; one that is missing has no entry."""
        version, wanted = self._catalog.version(), set(ids)
        if version != self._version or len(self._details) > _MAX_DETAILS:
            self._details, self._version = {}, version
        if new := wanted - self._details.keys():
            self._details |= self._catalog.details_of(new)
        return {each: self._details[each] for each in wanted & self._details.keys()}

    def clear(self) -> None:
        """Forget everything: instances were removed."""
        self._details = {}
