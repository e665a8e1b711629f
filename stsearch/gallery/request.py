"""What a search asks a gallery for: the instances that may answer a query, in some of its photographs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, Self

from stsearch.gallery.records import DatedPhoto
from stsearch.objects.url import Location
from stsearch.types import Embedding


class PhotoChoice(Protocol):
    """Conditions that a photograph has to meet; ``search.photo_filter.PhotoFilter`` is one.

    A gallery may ask ``admits`` of every photograph, or put the conditions to a database.
    """

    @property
    def globs(self) -> tuple[str, ...]:
        """Patterns, names and folders, one of which its path in the folder of photographs is; none: any."""

    @property
    def since(self) -> datetime:
        """When it was taken, or later."""

    @property
    def until(self) -> datetime:
        """Before which it was taken."""

    def of_folder(self, photos: Location) -> Self:
        """Return the conditions for the photographs in ``photos``, where paths are relative to it."""

    def admits(self, photo: DatedPhoto) -> bool:
        """Return whether ``photo`` meets the conditions."""


@dataclass(frozen=True, slots=True, eq=False)
class CandidateRequest:
    """The instances that may answer a query.

    Attributes:
        words: folded, and patterns: those of the query, and what they are joined to.
        embeddings: (D,) float32, unit length, of their fixed parts, by these.
        count: how many of the most similar instances to take for each of them, in a large gallery.
        groups: of each alternative, the words that a photograph must show together.
        words_only: whether only similar instances can match; else any transcript may, by its letters.
        whole_photos: whether it matters what else a photograph shows: a phrase, unwanted words.
        is_exhaustive: whether photographs without such a word are wanted too.
        photos: selects the photographs; None: all.
        more: ids of instances that may match without being similar; looked up when they are asked for.
    """

    words: tuple[str, ...]
    embeddings: Mapping[str, Embedding]
    count: int
    groups: tuple[tuple[str, ...], ...] = ()
    words_only: bool = True
    whole_photos: bool = False
    is_exhaustive: bool = False
    photos: PhotoChoice | None = None
    more: Iterable[int] = ()
