"""What tests of indexing share."""

from __future__ import annotations

from stsearch.gallery.gallery import Gallery
from stsearch.indexing.changes import IndexReport


def counts(report: IndexReport) -> dict[str, int]:
    """Return the file counts of ``report`` that are not zero."""
    names = ("new", "changed", "moved", "removed", "unchanged", "reread", "failed")
    return {name: getattr(report, name) for name in names if getattr(report, name)}


def paths(gallery: Gallery) -> list[str]:
    return [path for path, _ in gallery.catalog.photos()]
