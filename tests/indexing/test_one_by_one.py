"""Whatever one file says of itself, at worst that file fails, by name."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from gallery_fixtures import ColourSpotter, instance, photo_bytes
from indexing_fixtures import counts, paths

from stsearch.errors import DeviceError, WriteError
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.records import PhotoFile
from stsearch.images import Decoded, decode_image
from stsearch.indexing.indexer import index_photos
from stsearch.types import Image, TextInstance


@pytest.mark.parametrize(
    "values",
    [{"size": 1 << 70}, {"mtime_ns": 1 << 70}, {"mtime_ns": -(1 << 70)}, {"size": None}],
    ids=["size", "time", "time before", "no size"],
)
def test_a_file_with_an_impossible_size_or_time_fails_by_itself(
    photos: Path,
    gallery: Gallery,
    spotter: ColourSpotter,
    monkeypatch: pytest.MonkeyPatch,
    values: dict[str, Any],  # Any: what no file system says
) -> None:
    from_stat = PhotoFile.from_stat
    monkeypatch.setattr(
        "stsearch.indexing.walk.PhotoFile.from_stat",
        lambda path, status: (
            replace(from_stat(path, status), **values) if path == "a.png" else from_stat(path, status)
        ),
    )
    assert counts(index_photos(gallery, spotter)) == {"new": 1, "failed": 1}
    (failure,) = gallery.catalog.failures()
    assert failure.file.path == "a.png"
    assert failure.reason.startswith("cannot be kept: ")


@pytest.mark.parametrize(
    "values", [{"height": 1 << 70}, {"width": 1 << 70}, {"taken": "\ud800"}], ids=["height", "width", "date"]
)
@pytest.mark.parametrize("threads", [0, 2])
def test_a_photo_with_impossible_dimensions_or_date_fails_by_itself(
    photos: Path,
    gallery: Gallery,
    spotter: ColourSpotter,
    monkeypatch: pytest.MonkeyPatch,
    values: dict[str, object],
    threads: int,
) -> None:
    def decode(encoded: bytes, longer_side: int, max_megapixels: float, page: int) -> Decoded:
        decoded = decode_image(encoded, longer_side, max_megapixels, page)
        return replace(decoded, **values) if encoded == photo_bytes("coffee") else decoded  # type: ignore[arg-type]

    monkeypatch.setattr("stsearch.indexing.reader.decode_image", decode)
    spotter.threads = threads
    for number in range(6):
        (photos / f"c{number}.png").write_bytes(photo_bytes("hotel", blue=number))
    assert counts(index_photos(gallery, spotter)) == {"new": 7, "failed": 1}
    assert [failure.file.path for failure in gallery.catalog.failures()] == ["a.png"]


class OddSpotter(ColourSpotter):
    """Cannot do with a photograph that says "coffee"."""

    def __init__(self, threads: int, error: Exception) -> None:
        super().__init__()
        self.threads, self.error = threads, error

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        found = super().spot(images)
        if any(each.transcript == "coffee" for some in found for each in some):
            raise self.error
        return found


@pytest.mark.parametrize("threads", [0, 2])
def test_a_photo_that_no_word_can_be_looked_for_in_fails_by_itself_and_is_tried_again(
    photos: Path, gallery: Gallery, threads: int
) -> None:
    odd = OddSpotter(threads, ValueError("0 pixels"))
    assert counts(index_photos(gallery, odd)) == {"new": 1, "failed": 1}
    (failure,) = gallery.catalog.failures()
    assert failure.reason == "cannot be searched for words: ValueError('0 pixels')"
    assert counts(index_photos(gallery, ColourSpotter())) == {"new": 1, "unchanged": 1}


def test_what_the_device_cannot_do_ends_the_run(gallery: Gallery) -> None:
    with pytest.raises(DeviceError):
        index_photos(gallery, OddSpotter(0, DeviceError("no memory")))


@pytest.mark.parametrize("threads", [0, 2])
@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[CPU] Transpose node can't alloc")], ids=["Python", "OpenVINO"]
)
def test_too_little_memory_ends_the_run_and_is_no_fault_of_a_photo(
    gallery: Gallery, threads: int, error: Exception
) -> None:
    with pytest.raises(DeviceError, match=r"too little memory to look for words in '.*\.png'"):
        index_photos(gallery, OddSpotter(threads, error))
    assert list(gallery.catalog.failures()) == []


def test_too_little_memory_for_the_gallery_ends_the_run(
    gallery: Gallery, spotter: ColourSpotter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_records: object) -> None:
        raise MemoryError

    monkeypatch.setattr(gallery, "add", refuse)
    with pytest.raises(DeviceError, match="too little memory to keep the words"):
        index_photos(gallery, spotter)


def test_a_word_with_a_score_that_is_no_number_fails_its_photo(photos: Path, gallery: Gallery) -> None:
    class NoNumber(ColourSpotter):
        def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
            scores = [np.nan if image[0, 0, 0] < 10 else 0.5 for image in images]
            return [[replace(instance("word"), score=score)] for score in scores]

    assert counts(index_photos(gallery, NoNumber())) == {"new": 1, "failed": 1}
    assert paths(gallery) == ["2024/b.png"]


def test_a_gallery_that_cannot_be_written_to_ends_the_run(
    gallery: Gallery, spotter: ColourSpotter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_records: object) -> None:
        raise WriteError("disk full")

    monkeypatch.setattr(gallery, "add", refuse)
    with pytest.raises(WriteError):
        index_photos(gallery, spotter)


def test_a_gallery_that_takes_nothing_at_all_ends_the_run(
    gallery: Gallery, spotter: ColourSpotter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_records: Sequence[object]) -> None:
        if _records:
            raise RuntimeError("broken")

    monkeypatch.setattr(gallery, "add", refuse)
    with pytest.raises(RuntimeError):
        index_photos(gallery, spotter)


@pytest.mark.parametrize("threads", [0, 2])
def test_a_scan_that_no_word_can_be_looked_for_in_fails_by_itself(
    photos: Path, gallery: Gallery, threads: int
) -> None:
    pages = [PIL.Image.open(io.BytesIO(photo_bytes(word))) for word in ("hotel", "coffee")]
    pages[0].save(photos / "scan.tif", save_all=True, append_images=pages[1:])
    (photos / "a.png").unlink()
    odd = OddSpotter(threads, ValueError("0 pixels"))
    assert counts(index_photos(gallery, odd)) == {"new": 1, "failed": 1}
    assert [failure.file.path for failure in gallery.catalog.failures()] == ["scan.tif"]
