"""The state of a gallery: how much it holds, when it was brought up to date, what is left to do."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

from stsearch.api.words import WordCount, count_words
from stsearch.gallery import last_run
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.manifest import FORMAT
from stsearch.gallery.pending import Pending
from stsearch.gallery.records import Counts


@dataclass(frozen=True, slots=True)
class GalleryState:
    """What there is to say of a gallery."""

    gallery: Gallery
    counts: Counts
    words: WordCount
    last_run: datetime | None
    passed_over: Mapping[str, int]
    pending: Pending
    size_bytes: int

    @classmethod
    def of(cls, gallery: Gallery) -> GalleryState:
        """Return that of ``gallery``, open."""
        catalog = gallery.catalog
        size_bytes = sum(file.stat().st_size for file in gallery.folder.iterdir())
        return cls(
            gallery,
            catalog.counts(),
            count_words(gallery),
            last_run.when(gallery.folder),
            catalog.state.folder().passed_over,
            Pending.of(catalog),
            size_bytes,
        )

    def facts(self) -> dict[str, object]:
        """Return it for programs."""
        manifest = self.gallery.manifest
        return {
            "gallery": os.fspath(self.gallery.folder),
            "folder": os.fspath(self.gallery.photos),
            **asdict(self.counts),
            "words": self.words.words,
            "words_are_estimated": self.words.is_estimate,
            "instances": self.counts.words,
            "last_run": self.last_run.astimezone().isoformat(timespec="seconds") if self.last_run else None,
            "passed_over": dict(self.passed_over),
            "pending": asdict(self.pending),
            "bytes": self.size_bytes,
            "device": manifest.engine or None,
            "weights": {"name": manifest.model.name, "sha256": manifest.model.sha256},
            "format": {"manifest": FORMAT, "catalog": self.gallery.catalog.format},
            "store": (
                {"kind": "hnsw", "file": manifest.store.file, "vectors": manifest.store.count}
                if manifest.store
                else {"kind": "exact"}
            ),
        }
