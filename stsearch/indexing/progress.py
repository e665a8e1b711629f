"""How far an indexing run is, counted file by file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from stsearch.gallery.records import Record, Spotted

_CONFIDENT = 0.9
"""Readings of less confidence are not shown while a run goes on."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run.

    Attributes:
        done: files that are finished.
        total: files found.
        words: text instances found by this run.
        known: files of those finished that were as the gallery knows them, and took no time.
        at: path of the file finished last, in the folder of photographs.
        read: what was read in it with confidence.
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
        read = (each.transcript for each in found if each.confidence >= _CONFIDENT)
        self._go_on(
            replace(
                self.now,
                done=self.now.done + 1,
                words=self.now.words + len(found),
                at=record.file.path,
                read=tuple(dict.fromkeys(word for word in read if len(word) > 1)),
            )
        )

    def _go_on(self, now: Progress) -> None:
        self.now = now
        self._tell(now)
