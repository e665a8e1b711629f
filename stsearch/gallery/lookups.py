"""What a gallery in a folder answers from its catalog alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Self

from stsearch.gallery.catalog import Catalog
from stsearch.gallery.folder_state import FolderState
from stsearch.gallery.records import Counts, Failed, Incomplete, Linked, PhotoFile, Reading
from stsearch.gallery.rereads import Reason
from stsearch.types import TextInstance


class CatalogLookups:
    """The part of ``protocol.WritableGallery`` that a catalog knows.

    Attributes:
        catalog: everything that the gallery holds.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the catalog."""
        self.catalog.close()

    def counts(self) -> Counts:
        """Return the numbers of photographs, failed files and instances."""
        return self.catalog.counts()

    def instance_count(self) -> int:
        """Return the number of instances alone, which is quicker."""
        return self.catalog.words()

    def folder_state(self) -> FolderState:
        """Return what the last indexing run saw of the folder; nothing before the first."""
        return self.catalog.state.folder()

    def set_folder_state(self, state: FolderState) -> None:
        """Store what the run saw of the folder."""
        self.catalog.state.set_folder(state)

    def reread_counts(self) -> Mapping[Reason, int]:
        """Return how many contents wait for being read again, by the reasons that there are."""
        return self.catalog.rereads.counts()

    def awaiting_reread(self, recognize: bool) -> set[str]:
        """Return the SHA-256 of the contents to be read again; without ``recognize`` not of those for it."""
        return self.catalog.rereads.checksums(recognize)

    def failures(self) -> list[Failed]:
        """Return the files that could not be read, by path."""
        return self.catalog.failures()

    def incomplete(self) -> list[Incomplete]:
        """Return the photographs of which only a part could be read, by path."""
        return self.catalog.incomplete()

    def paths(self) -> list[str]:
        """Return the path of every file, readable or not."""
        return self.catalog.paths()

    def records(self, paths: Sequence[str]) -> Iterator[Linked | Failed | None]:
        """Yield the record of the file at each of ``paths``, None for one that was never indexed."""
        return map(self.catalog.record_at, paths)

    def holds(self, sha256: str) -> bool:
        """Return whether a content with this checksum has been read."""
        return self.catalog.holds(sha256)

    def share(
        self, files: Sequence[PhotoFile], finished: Callable[[int], None]
    ) -> Iterator[Iterator[PhotoFile]]:
        """Yield all of ``files`` in one round: none has been ``finished`` by another process."""
        yield iter(files)

    def contents_reading(self, words: Iterable[str]) -> dict[str, list[int]]:
        """Return, for each of ``words`` that is a folded transcript, the contents with such an instance."""
        return self.catalog.contents_reading(words)

    def ids_in(self, contents: Iterable[int]) -> list[int]:
        """Return the ids of the instances of ``contents``."""
        return list(map(int, self.catalog.ids_in(contents)))

    def transcripts_with(self, word: str) -> dict[int, str]:
        """Return the transcripts that hold ``word``, folded, and more, by the ids of their instances."""
        return self.catalog.transcripts_with(word)

    def readings_of(self, contents: Iterable[int]) -> dict[int, list[Reading]]:
        """Return the readings of all instances in each of ``contents``, as they were added."""
        return self.catalog.readings_of(contents)

    def text_instances_of(self, contents: Iterable[int]) -> dict[int, list[TextInstance]]:
        """Return all instances of each of ``contents`` without their CTC posteriors, as they were added."""
        return self.catalog.text_instances_of(contents)

    def sample_contents(self, count: int) -> list[int]:
        """Return the contents of every n-th photograph, ``count`` or fewer of them; of all if not more."""
        contents = [content for _, content in self.catalog.photos()]
        return contents[:: -(-len(contents) // count) or 1]
