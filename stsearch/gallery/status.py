"""What there is to say of a gallery in a folder beside what it holds: its size, and how it was made."""

from __future__ import annotations

from pathlib import Path

from stsearch.gallery import last_run
from stsearch.gallery.catalog import Catalog
from stsearch.gallery.file_systems import statuses
from stsearch.gallery.manifest import FORMAT, Manifest
from stsearch.gallery.protocol import GalleryStatus


def status_of(folder: Path, manifest: Manifest, catalog: Catalog) -> GalleryStatus:
    """Return that of the gallery in ``folder``."""
    store = manifest.store
    return GalleryStatus(
        sum(status.st_size for status in statuses(folder)),
        last_run.when(folder),
        manifest.engine,
        {"manifest": FORMAT, "catalog": catalog.format},
        {"kind": "hnsw", "file": store.file, "vectors": store.count} if store else {"kind": "exact"},
    )
