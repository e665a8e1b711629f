"""What is missing from a gallery that an indexing run has not completed yet."""

from __future__ import annotations

from dataclasses import dataclass

from stsearch.gallery.protocol import Gallery
from stsearch.text.counted import counted


@dataclass(frozen=True, slots=True)
class Pending:
    """What the next indexing run of a gallery has left to do.

    Attributes:
        found: files that a run had found which did not come to its end; 0: the last run did.
        done: how many of them are in the gallery.
        weights: photographs that other weights read; a search knows their transcripts alone.
        recognizer: photographs that were read without the recognizer.
        request: other photographs that somebody wants to be read again.
    """

    found: int
    done: int
    weights: int
    recognizer: int
    request: int

    @classmethod
    def of(cls, gallery: Gallery) -> Pending:
        """Return what is missing from ``gallery``."""
        found, waiting, done = gallery.folder_state().unfinished, gallery.reread_counts(), 0
        if found:
            counts = gallery.counts()
            done = min(found, counts.photos + counts.failed)
        return cls(found, done, *(waiting.get(reason, 0) for reason in ("weights", "recognizer", "request")))

    def __str__(self) -> str:
        """Return it in words, "" when nothing is missing."""
        weights, recognizer, request = (
            counted(number, "photo") for number in (self.weights, self.recognizer, self.request)
        )
        parts = (
            (self.found > self.done, f"{self.done} of {self.found} files read before the last run ended"),
            (self.weights, f"{weights} not read with the new weights, found by transcript"),
            (self.recognizer, f"{recognizer} read without the recognizer"),
            (self.request, f"{request} not read again yet"),
        )
        texts = [text for is_so, text in parts if is_so]
        if self.found and not texts:
            return "the last run did not come to its end"
        return ", ".join(texts)


def remark(gallery: Gallery) -> str | None:
    """Return in one sentence what is missing from ``gallery``, None where nothing is."""
    pending = str(Pending.of(gallery))
    return f"{pending}; complete it with: {gallery.index_command()}" if pending else None
