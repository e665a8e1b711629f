"""How far an indexing run is, counted file by file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from stsearch.gallery.records import Record, Spotted
from stsearch.types import TextInstance

_CONFIDENT = 0.9
_MIN_LENGTH = 3
_PICKED = 6
"""What is shown of a photograph while a run goes on: a few readings that hardly are wrong."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run.

    Attributes:
        done: files that are finished.
        total: files found.
        words: text instances found by this run.
        known: files of those finished that were as the gallery knows them, and took no time.
        at: path of the file finished last, in the folder of photographs.
        read: a few of the words in it.
    """

    done: int
    total: int
    words: int
    known: int = 0
    at: str = ""
    read: tuple[str, ...] = ()


class ProgressCounter:
    """Counts the files of a run, and tells each one.

    Attributes:
        now: the progress so far.
    """

    def __init__(self, total: int, tell: Callable[[Progress], None]) -> None:
        self.now = Progress(0, total, 0)
        self._tell = tell

    def pass_over(self, files: int) -> None:
        """Count ``files`` that took no time."""
        self._go_on(replace(self.now, done=self.now.done + files, known=self.now.known + files))

    def finish(self, record: Record) -> None:
        """Count the file of ``record``."""
        found = record.instances if isinstance(record, Spotted) else ()
        self._go_on(
            replace(
                self.now,
                done=self.now.done + 1,
                words=self.now.words + len(found),
                at=record.file.path,
                read=_pick_words(found),
            )
        )

    def _go_on(self, now: Progress) -> None:
        self.now = now
        self._tell(now)


def _pick_words(found: Sequence[TextInstance]) -> tuple[str, ...]:
    """Return a few confident readings, none that is a part of another: a place is read in several ways."""
    confident = dict.fromkeys(
        each.transcript
        for each in found
        if each.confidence >= _CONFIDENT and len(each.transcript) >= _MIN_LENGTH
    )
    whole: list[str] = []
    for word in sorted(confident, key=len, reverse=True):
        if not any(word.casefold() in other.casefold() for other in whole):
            whole.append(word)
    return tuple(word for word in confident if word in whole)[:_PICKED]
