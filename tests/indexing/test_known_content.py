"""What an indexing run does not read again: known contents, copies; and dates it cannot hold."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, ColourSpotter, photo_bytes
from indexing_fixtures import counts, paths

from stsearch.gallery.gallery import Gallery
from stsearch.indexing.indexer import IndexOptions, index_photos
from stsearch.types import Image, TextInstance


@pytest.mark.parametrize("seconds", [15_021_072_000, -9_300_000_000], ids=["year 2446", "year 1675"])
def test_a_date_that_64_bits_do_not_hold_stops_nothing(
    gallery: Gallery, photos: Path, spotter: ColourSpotter, seconds: int
) -> None:
    os.utime(photos / "a.png", (seconds, seconds))
    assert counts(index_photos(gallery, spotter)) == {"new": 2}
    assert counts(index_photos(gallery, spotter)) == {"unchanged": 2}


class Unneeded:
    """A spotter that must not be asked for anything."""

    info = MODEL

    @property
    def decode_side(self) -> int:
        raise AssertionError("nothing is to be spotted")

    threads = decode_side

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        raise AssertionError("nothing is to be spotted")


def test_without_new_content_the_spotter_is_not_asked_for_anything(
    gallery: Gallery, spotter: ColourSpotter, photos: Path
) -> None:
    index_photos(gallery, spotter)
    (photos / "a.png").rename(photos / "moved.png")
    os.utime(photos / "2024" / "b.png", ns=(1, 1))
    (photos / "empty.jpg").write_bytes((photos / "moved.png").read_bytes())
    report = index_photos(gallery, Unneeded())
    assert counts(report) == {"moved": 1, "new": 1, "unchanged": 1}


@pytest.mark.parametrize("threads", [0, 2])
def test_identical_files_read_at_once_are_spotted_once(gallery: Gallery, photos: Path, threads: int) -> None:
    spotter = ColourSpotter()
    spotter.threads = threads
    for number in range(12):
        (photos / f"copy{number:02}.png").write_bytes(photo_bytes("hotel"))
    report = index_photos(gallery, spotter, IndexOptions(threads=4))
    assert (counts(report), spotter.seen) == ({"new": 14}, 3)
    assert len(paths(gallery)) == 14


def test_copies_of_a_broken_file_fail_with_its_reason(gallery: Gallery, photos: Path) -> None:
    for name in ("x.png", "y.png"):
        (photos / name).write_bytes(b"\x89PNG\r\n\x1a\n broken")
    index_photos(gallery, ColourSpotter())
    failures = gallery.catalog.failures()
    assert [each.file.path for each in failures] == ["x.png", "y.png"]
    assert failures[0].reason == failures[1].reason
