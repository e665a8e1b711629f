"""A folder of two photographs and its gallery, and a bucket with the same two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from bucket_fixtures import LocalBucket
from gallery_fixtures import MODEL, ColourSpotter, photo_bytes

from stsearch.gallery.gallery import Gallery


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "2024").mkdir(parents=True)
    (folder / "a.png").write_bytes(photo_bytes("coffee"))
    (folder / "2024" / "b.png").write_bytes(photo_bytes("exit"))
    return folder


@pytest.fixture
def spotter() -> ColourSpotter:
    return ColourSpotter()


@pytest.fixture
def gallery(photos: Path) -> Iterator[Gallery]:
    with Gallery.create(photos / ".stsearch", photos, MODEL) as opened:
        yield opened


@pytest.fixture
def two(bucket: LocalBucket) -> LocalBucket:
    """Return a bucket with two photographs."""
    bucket.put({"photos/a.png": photo_bytes("coffee"), "photos/2024/b.png": photo_bytes("exit")})
    return bucket
