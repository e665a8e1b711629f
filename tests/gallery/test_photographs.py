"""Photographs by the checksum of their content."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gallery_fixtures import make_gallery, spotted

from stsearch.errors import GalleryNotFoundError
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.photographs import find_photograph, identify, version_of
from stsearch.gallery.records import PhotoFile, Spotted

SHA256 = "ab" * 32


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    """Return a gallery in which two files have one content."""
    found = spotted("a.png", "coffee")
    one = Spotted(found.file, SHA256, 48, 64, found.instances)
    other = Spotted(PhotoFile("b/c.png", 100, 1), SHA256, 48, 64, found.instances)
    gallery = make_gallery(tmp_path, {"d.png": ["tea"]})
    gallery.add([one, other])
    return gallery


def test_a_photograph_is_found_by_its_content(gallery: Gallery, tmp_path: Path) -> None:
    found = find_photograph(gallery, SHA256)
    assert found is not None
    assert (found.path, found.height, found.width, found.size_bytes) == (tmp_path / "a.png", 48, 64, 100)


@pytest.mark.parametrize("name", ["", "cd" * 32, "a.png", "../a.png", SHA256.upper(), f"{SHA256}0", "%" * 64])
def test_nothing_else_names_one(gallery: Gallery, name: str) -> None:
    assert find_photograph(gallery, name) is None


def test_files_are_identified_by_their_paths(gallery: Gallery, tmp_path: Path) -> None:
    asked = [tmp_path / "a.png", tmp_path / "b" / "c.png", tmp_path / "no.png", Path("/etc/passwd")]
    assert identify(gallery, asked) == {asked[0]: SHA256, asked[1]: SHA256}


def test_the_version_changes_with_every_commit_and_is_missed_when_the_files_are_gone(
    gallery: Gallery, tmp_path: Path
) -> None:
    before = version_of(gallery)
    assert version_of(gallery) == before
    gallery.add([spotted("e.png", "milk")])
    os.utime(gallery.folder / "catalog.sqlite3", ns=(1, 1))  # clocks of file systems are coarse
    assert version_of(gallery) != before
    (gallery.folder / "manifest.json").unlink()
    with pytest.raises(GalleryNotFoundError, match="is gone"):
        version_of(gallery)
