"""The state of a gallery: how much it holds, when it was brought up to date, what is left to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from stsearch.api.words import WordCount, count_words
from stsearch.gallery.pending import Pending
from stsearch.gallery.protocol import Gallery, GalleryStatus
from stsearch.gallery.records import Counts
from stsearch.objects.url import Location
from stsearch.types import ModelInfo


@dataclass(frozen=True, slots=True)
class GalleryState:
    """What there is to say of a gallery."""

    name: str
    roots: tuple[Location, ...]
    model: ModelInfo
    index_command: str
    status: GalleryStatus
    counts: Counts
    words: WordCount
    passed_over: Mapping[str, int]
    pending: Pending

    @classmethod
    def of(cls, gallery: Gallery) -> GalleryState:
        """Return that of ``gallery``, open."""
        return cls(
            gallery.name,
            gallery.roots,
            gallery.model,
            gallery.index_command(),
            gallery.status(),
            gallery.counts(),
            count_words(gallery),
            gallery.folder_state().passed_over,
            Pending.of(gallery),
        )

    def facts(self) -> dict[str, object]:
        """Return it for programs."""
        status, model, roots = self.status, self.model, self.roots
        return {
            "gallery": self.name,
            "folder": str(roots[0]) if len(roots) == 1 else None,
            "folders": [str(root) for root in roots],
            **asdict(self.counts),
            "words": self.words.words,
            "words_are_estimated": self.words.is_estimate,
            "instances": self.counts.words,
            "last_run": status.last_run and status.last_run.astimezone().isoformat(timespec="seconds"),
            "passed_over": dict(self.passed_over),
            "pending": asdict(self.pending),
            "bytes": status.size_bytes,
            "device": status.engine or None,
            "weights": {"name": model.name, "sha256": model.sha256},
            "format": dict(status.formats),
            "store": dict(status.store),
        }
