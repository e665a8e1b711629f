"""The text instances that a query is scored on, whether they lie in a gallery or in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol

import numpy as np

from stsearch.gallery.protocol import Gallery
from stsearch.gallery.records import Detail, InstanceTable
from stsearch.types import Polygon, TextInstance

_GONE: Polygon = np.full((4, 2), np.nan, np.float32)  # lies nowhere, and beside nothing


class Candidates(Protocol):
    """Text instances that may answer a query; each is a row of ``table``."""

    @property
    def table(self) -> InstanceTable:
        """Everything that words are scored by, except for the CTC posteriors."""

    def polygons(self, rows: Sequence[int]) -> list[Polygon]:
        """Return the outlines of some rows of the table, in pixels of their photographs."""

    def posteriors(self, rows: Sequence[int]) -> list[bytes]:
        """Return the CTC posteriors of some rows of the table, empty where they are not known."""


class GalleryCandidates:
    """Candidates in a gallery; the details of each are fetched, and their checksums verified, once.

    Attributes:
        table: as ``Gallery.candidates`` or ``Gallery.instances`` returned it.
    """

    def __init__(self, gallery: Gallery, table: InstanceTable) -> None:
        self.table = table
        self._gallery = gallery
        self._details: dict[int, Detail | None] = {}  # by instance id

    def details(self, rows: Sequence[int]) -> list[Detail | None]:
        """Return the details of some rows; None for an instance that another process has just removed."""
        ids = self.table.ids[list(rows)].tolist()
        if new := [each for each in dict.fromkeys(ids) if each not in self._details]:
            self._details |= dict.fromkeys(new) | self._gallery.details_of(new)
        return [self._details[each] for each in ids]

    def polygons(self, rows: Sequence[int]) -> list[Polygon]:
        """Return the outlines of some rows; that of an instance which was removed lies nowhere."""
        return [_GONE if detail is None else detail.polygon for detail in self.details(rows)]

    def posteriors(self, rows: Sequence[int]) -> list[bytes]:
        """Return the CTC posteriors of some rows, empty where they are not known."""
        return [b"" if detail is None else detail.ctc_posteriors for detail in self.details(rows)]


@dataclass(frozen=True, slots=True, eq=False)
class InMemoryCandidates:
    """Candidates that no gallery holds.

    Attributes:
        table: N instances.
        outlines: N polygons (P, 2), in pixels of their photographs.
        ctc_posteriors: N, as ``TextInstance.ctc_posteriors``.
    """

    table: InstanceTable
    outlines: Sequence[Polygon]
    ctc_posteriors: Sequence[bytes]

    @classmethod
    def of(cls, photos: Sequence[Sequence[TextInstance]], dim: int) -> InMemoryCandidates:
        """Take the text instances of each photograph; the number of the photograph is its content id.

        Args:
            photos: the instances of each.
            dim: length of an embedding.
        """
        instances = list(chain.from_iterable(photos))
        contents = np.repeat(np.arange(len(photos)), [len(each) for each in photos])
        return cls(
            InstanceTable.of(instances, contents, dim),
            [instance.polygon for instance in instances],
            [instance.ctc_posteriors for instance in instances],
        )

    def polygons(self, rows: Sequence[int]) -> list[Polygon]:
        """Return the outlines of some rows."""
        return [self.outlines[row] for row in rows]

    def posteriors(self, rows: Sequence[int]) -> list[bytes]:
        """Return the CTC posteriors of some rows, empty where they are not known."""
        return [self.ctc_posteriors[row] for row in rows]
