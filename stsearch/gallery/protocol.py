"""What the program needs from a gallery, wherever it lies: in a folder (``gallery.py``) or in a database.

Searching needs ``Gallery`` alone, forgetting ``EditableGallery``, indexing ``WritableGallery``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from stsearch.gallery.folder_state import FolderState
from stsearch.gallery.records import (
    Counts,
    Detail,
    Failed,
    Incomplete,
    InstanceTable,
    Linked,
    PhotoFile,
    Reading,
    Record,
)
from stsearch.gallery.request import CandidateRequest, PhotoChoice
from stsearch.gallery.rereads import Reason
from stsearch.objects.url import Location
from stsearch.types import ModelInfo, TextInstance

EXACT_LIMIT = 50_000
"""Up to so many words every one is compared with the query, which takes 0.1 s on one core; beyond, an index
says which are near."""

Notify = Callable[[str], None]


def unheard(_message: str) -> None:
    """Take a message that nobody wants."""


@dataclass(frozen=True, slots=True)
class GalleryStatus:
    """The size of a gallery, and how it was made.

    Attributes:
        size_bytes: of all its files, or tables.
        last_run: local time of the last indexing run that came to its end; None: not known.
        engine: device, precision and library that found the newest words; empty: not known.
        formats: numbers, by what they are of.
        store: what is searched for similar words, as JSON.
    """

    size_bytes: int
    last_run: datetime | None
    engine: str
    formats: Mapping[str, int]
    store: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Finding:
    """Damage of one file, or of a part of a database."""

    file: Path | str
    what: str


class Gallery(Protocol):
    """Photographs and their words, open for searching; a context, at whose end it is closed.

    Every method raises ``GalleryUnreadableError`` where the gallery cannot be reached any more, and
    ``GalleryDamagedError`` where it holds what cannot be.
    """

    @property
    def name(self) -> str:
        """What ``--index`` calls it; without any password."""

    @property
    def roots(self) -> tuple[Location, ...]:
        """The folders of its photographs."""

    @property
    def model(self) -> ModelInfo:
        """The weights that filled it."""

    def check_model(self, model: ModelInfo) -> None:
        """Raise a ``WeightsError`` unless ``model`` filled the gallery: other embeddings do not compare."""

    def index_command(self) -> str:
        """Return the command that brings it up to date."""

    def close(self) -> None:
        """Close it; nothing more can be asked of it."""

    def __enter__(self) -> Self:
        """Return the gallery itself."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""

    def status(self) -> GalleryStatus:
        """Return its size, and how it was made."""

    def remark(self) -> str | None:
        """Return in one sentence what makes searching it slow, None where nothing does."""

    def counts(self) -> Counts:
        """Return the numbers of photographs, failed files and instances."""

    def instance_count(self) -> int:
        """Return the number of instances alone, which is quicker."""

    def folder_state(self) -> FolderState:
        """Return what the last indexing run saw of the folder; nothing before the first."""

    def reread_counts(self) -> Mapping[Reason, int]:
        """Return how many contents wait for being read again, by the reasons that there are."""

    def failures(self) -> list[Failed]:
        """Return the files that could not be read, by path."""

    def incomplete(self) -> list[Incomplete]:
        """Return the photographs of which only a part could be read, by path."""

    def instances(self) -> InstanceTable:
        """Return all text instances; read once and kept."""

    def candidates(self, request: CandidateRequest) -> InstanceTable:
        """Return the instances to score for a query; all of them in a gallery of up to ``EXACT_LIMIT``."""

    def contents_reading(self, words: Iterable[str]) -> dict[str, list[int]]:
        """Return, for each of ``words`` that is a folded transcript, the contents with such an instance."""

    def ids_in(self, contents: Iterable[int]) -> list[int]:
        """Return the ids of the instances of ``contents``."""

    def transcripts_with(self, word: str) -> dict[int, str]:
        """Return transcripts that hold ``word``, folded, and more, by the ids of their instances.

        All are among them in which punctuation or a stroke divides ``word`` from the rest.
        """

    def details_of(self, ids: Iterable[int]) -> dict[int, Detail]:
        """Return the details of each of the instances ``ids``; one that was just removed has no entry."""

    def readings_of(self, contents: Iterable[int]) -> dict[int, list[Reading]]:
        """Return the readings of all instances in each of ``contents``, as they were added."""

    def text_instances_of(self, contents: Iterable[int]) -> dict[int, list[TextInstance]]:
        """Return all instances of each of ``contents`` without their CTC posteriors, as they were added.

        A content without instances has no entry.
        """

    def photos_of(
        self, contents: Iterable[int], choice: PhotoChoice | None = None
    ) -> dict[int, list[Location]]:
        """Return the paths of the photographs with each of ``contents``; identical files share one.

        With ``choice``, a content without any photograph that it admits has no entry.
        """

    def all_photos(self, choice: PhotoChoice | None = None) -> list[tuple[Location, int]]:
        """Return every photograph that was read, if ``choice`` admits it, with its content; by path."""

    def sample_contents(self, count: int) -> list[int]:
        """Return the contents of every n-th photograph, ``count`` or fewer of them; of all if not more."""

    def paths_below(self, path: Location) -> list[Location]:
        """Return the files, readable or not, that ``path`` is, or that lie in it.

        Raises:
            UsageError: there are none.
        """


class EditableGallery(Gallery, Protocol):
    """A gallery that things can be taken out of."""

    def forget(self, paths: Iterable[Location]) -> int:
        """Remove files and folders, and return how many files.

        Raises:
            UsageError: one of ``paths`` is not in the gallery; then nothing is forgotten.
            WriteError: the gallery cannot be written to.
        """

    def finish(self, anew: bool = False) -> None:
        """Complete whatever searches are faster with.

        Args:
            anew: make it from the records alone, whatever there is.

        Raises:
            WriteError: the gallery cannot be written to.
        """


class WritableGallery(EditableGallery, Protocol):
    """A gallery that an indexing run brings up to date with one folder; paths are relative to it.

    Its counts and records are those of that folder. Every method that writes raises ``WriteError`` where
    the gallery cannot be written to, and ``WeightsError`` where other weights have taken over.
    """

    @property
    def photos(self) -> Location:
        """The folder."""

    def note_engine(self, engine: str) -> None:
        """Keep what finds the words that are added."""

    def note_run(self) -> None:
        """Note that a run has just brought the gallery up to date, whether or not it had to."""

    def paths(self) -> list[str]:
        """Return the path of every file, readable or not, that may be removed if it is missing."""

    def records(self, paths: Sequence[str]) -> Iterator[Linked | Failed | None]:
        """Yield the record of the file at each of ``paths``, None for one that was never indexed."""

    def holds(self, sha256: str) -> bool:
        """Return whether a content with this checksum has been read."""

    def awaiting_reread(self, recognize: bool) -> set[str]:
        """Return the SHA-256 of the contents to be read again.

        Args:
            recognize: whether the recognizer reads; else those that wait for it alone are not meant.
        """

    def share(
        self, files: Sequence[PhotoFile], finished: Callable[[int], None]
    ) -> Iterator[Iterator[PhotoFile]]:
        """Yield those of ``files`` that this process is to bring into the gallery, in rounds.

        What a round yielded must be in the gallery before the next is asked for. After the last, all are in
        it, whoever brought them.

        Args:
            files: whose records are to be made or replaced.
            finished: is told how many of them other processes have brought in since it was told last.
        """

    def add(self, batch: Iterable[Record]) -> None:
        """Add records of files, in one transaction; a record replaces the previous one of its path."""

    def remove(self, paths: Iterable[str]) -> None:
        """Remove files by their relative paths, and all contents without a file."""

    def set_folder_state(self, state: FolderState) -> None:
        """Store what the run saw of the folder."""
