"""Who finds the words of the files of a run: networks in this process, or processes that have their own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

from stsearch.gallery.catalog import Record
from stsearch.indexing.photo_worker import Batching, PhotoWorker
from stsearch.indexing.stages import ReadFile
from stsearch.types import PhotoSpotter


class Workers(AbstractContextManager["Workers"], Protocol):
    """A context, at whose end nothing is at work any more."""

    @property
    def count(self) -> int:
        """How many threads may call ``spot`` at the same time."""

    @property
    def batching(self) -> Batching:
        """How many files it is best given, and how many photographs it spots at once."""

    def spot(self, files: Sequence[ReadFile]) -> list[Record]:
        """Return the record of each of ``files``, in order.

        Raises:
            StsearchError: nothing can be spotted, for example because the device was lost.
        """


class ThisProcess:
    """Networks of this process; fulfils :class:`Workers`.

    On a CPU each thread spots for itself; on a GPU a second one decodes what is spotted next.
    """

    def __init__(self, worker: PhotoWorker, spotter: PhotoSpotter) -> None:
        self._worker = worker
        self.count = spotter.threads or 2
        self.batching = worker.batching

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Do nothing: the threads are those of the caller."""

    def spot(self, files: Sequence[ReadFile]) -> list[Record]:
        """Return the record of each of ``files``, as :class:`Workers` says."""
        return self._worker.spot(files)
