"""A bucket in runs of ``index_photos``: what tests of its listing and of its reading share."""

from __future__ import annotations

from pathlib import Path

from bucket_fixtures import NAME
from gallery_fixtures import MODEL, ColourSpotter
from indexing_fixtures import paths

from stsearch.gallery.gallery import Gallery
from stsearch.indexing.changes import IndexReport
from stsearch.indexing.indexer import IndexOptions, index_photos
from stsearch.objects.url import ObjectUrl

URL = ObjectUrl("s3", NAME, "photos")
PLAIN = IndexOptions()


def index(tmp_path: Path, options: IndexOptions = PLAIN, place: ObjectUrl = URL) -> IndexReport:
    with Gallery.create(tmp_path / "gallery", place, MODEL) as gallery:
        return index_photos(gallery, ColourSpotter(), options)


def known(tmp_path: Path) -> list[str]:
    with Gallery.open(tmp_path / "gallery") as gallery:
        return paths(gallery)


def reasons(tmp_path: Path) -> dict[str, str]:
    with Gallery.open(tmp_path / "gallery") as gallery:
        return {each.file.path: each.reason for each in gallery.catalog.failures()}
