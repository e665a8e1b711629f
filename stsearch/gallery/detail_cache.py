"""Details of instances, read and verified once for all searches of an open gallery."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from stsearch.gallery.catalog import Catalog
from stsearch.gallery.records import Detail

_MAX_DETAILS = 60_000
"""Kept in memory, some 100 MB: as many as several hundred searches look at."""


class DetailCache:
    """Keeps details until another process writes to the catalog, or :meth:`clear`."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._details: dict[int, Detail] = {}  # by instance id, those read first at the front
        self._version: object = None  # of the catalog they were read from

    def of(self, ids: Iterable[int]) -> dict[int, Detail]:
        """Return the details of each of the instances ``ids``; one that is missing has no entry."""
        version, wanted = self._catalog.version(), set(ids)
        if version != self._version:
            self._details, self._version = {}, version
        # Not as sets: the difference to a dictionary's keys looks at all of them.
        if new := {each for each in wanted if each not in self._details}:
            self._drop_oldest(len(self._details) + len(new) - _MAX_DETAILS, wanted)
            self._details |= self._catalog.details_of(new)
        return {each: self._details[each] for each in wanted if each in self._details}

    def _drop_oldest(self, count: int, wanted: set[int]) -> None:
        """Drop the ``count`` details that were read first and are not ``wanted``."""
        oldest = (each for each in self._details if each not in wanted)
        for each in list(islice(oldest, max(count, 0))):
            del self._details[each]

    def clear(self) -> None:
        """Forget everything: instances were removed."""
        self._details = {}
