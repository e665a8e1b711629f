"""reader.py and documents.py: files that hang, take too much, or have several pages, in a run."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from gallery_fixtures import ColourSpotter, LetterEncoder, photo_bytes
from image_fixtures import camera_raw, encode, noise, slow_jpeg
from indexing_fixtures import counts

from stsearch.gallery.gallery import Gallery
from stsearch.gallery.records import PhotoFile
from stsearch.images.files import Content
from stsearch.indexing.indexer import IndexOptions, index_photos
from stsearch.indexing.reader import OpenPhoto, PhotoReader, ReadLimits
from stsearch.search.engine import search
from stsearch.search.query import Query
from stsearch.types import Image, TextInstance


def reasons(gallery: Gallery) -> dict[str, str]:
    return {each.file.path: each.reason for each in gallery.catalog.failures()}


def scan(*words: str) -> bytes:
    """Return a TIFF of a page a word, as ``ColourSpotter`` reads it, each larger than the one before."""
    pages = [
        PIL.Image.new("RGB", (64 * number, 48 * number), (10 * ColourSpotter.WORDS.index(word) + 5, 0, 0))
        for number, word in enumerate(words, start=1)
    ]
    return encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])


def found(gallery: Gallery, word: str) -> list[tuple[str, int | None]]:
    hits = search(gallery, Query(word), LetterEncoder())
    return [(hit.path.name, hit.page) for hit in hits if hit.score > 0.9]


@pytest.mark.parametrize("threads", [0, 2])
def test_every_page_is_read_and_its_words_lie_in_its_own_pixels(
    photos: Path, gallery: Gallery, threads: int
) -> None:
    (photos / "scan.tif").write_bytes(scan("hotel", "bakery", "hotel"))
    spotter = ColourSpotter()
    spotter.threads = threads
    report = index_photos(gallery, spotter, IndexOptions(batch=2))
    assert (counts(report), report.words) == ({"new": 3}, 5)
    assert found(gallery, "hotel") == [("scan.tif", 1), ("scan.tif", 3)]
    assert found(gallery, "bakery") == [("scan.tif", 2)]
    by_page = {hit.page: hit for hit in search(gallery, Query("hotel OR bakery"), LetterEncoder())}
    np.testing.assert_allclose(by_page[3].polygon, 3 * by_page[1].polygon)


def test_of_several_pages_the_first_alone_is_read_if_asked_for(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    (photos / "scan.tif").write_bytes(scan("hotel", "bakery"))
    index_photos(gallery, spotter, IndexOptions(limits=ReadLimits(first_page=True)))
    assert found(gallery, "hotel") == [("scan.tif", None)]
    assert found(gallery, "bakery") == []


def test_an_animation_that_begins_empty_is_found_by_what_it_shows_later(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    frames = [PIL.Image.new("RGB", (64, 48), (red, 0, blue)) for red, blue in ((5, 0), (15, 200), (15, 201))]
    (photos / "meme.gif").write_bytes(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    index_photos(gallery, spotter)
    assert [name for name, _ in found(gallery, "bakery")] == ["meme.gif"]


def test_a_page_that_cannot_be_read_is_noted_and_the_others_are_read(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    (photos / "scan.tif").write_bytes(scan("hotel", "bakery", "exit"))
    limits = ReadLimits(max_megapixels=0.02)  # the third page has more
    report = index_photos(gallery, spotter, IndexOptions(limits=limits))
    assert (report.failed, report.incomplete) == (0, 1)
    [incomplete] = gallery.catalog.incomplete()
    assert incomplete.note == "page 3: 192 x 144 is 0 megapixels; the limit is 0.02"
    assert found(gallery, "bakery") == [("scan.tif", 2)]


def test_pages_after_the_last_one_that_is_looked_at_are_said_to_be_missing(
    photos: Path, gallery: Gallery, spotter: ColourSpotter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stsearch.indexing.documents.MAX_PAGES", 2)
    (photos / "scan.tif").write_bytes(scan("hotel", "bakery", "exit"))
    index_photos(gallery, spotter)
    assert [each.note for each in gallery.catalog.incomplete()] == ["the pages after 2 were not read"]
    assert found(gallery, "bakery") == [("scan.tif", 2)]


def test_a_file_of_which_no_page_can_be_read_fails(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    (photos / "scan.tif").write_bytes(scan("hotel", "hotel", "hotel", "hotel", "hotel"))
    report = index_photos(gallery, spotter, IndexOptions(limits=ReadLimits(max_megapixels=0.001)))
    assert counts(report) == {"failed": 3}
    assert counts(index_photos(gallery, spotter)) == {"new": 3}


def test_a_photograph_that_ends_early_is_read_and_counted_as_incomplete(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    whole = encode(noise((64, 640)), "JPEG")
    (photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "end.jpg").write_bytes(whole[:-2])
    for _ in range(2):  # the second time it is known
        report = index_photos(gallery, spotter)
        assert (report.failed, report.incomplete) == (0, 1)
    [incomplete] = gallery.catalog.incomplete()
    assert (incomplete.file.path, incomplete.note[:24]) == ("cut.jpg", "incomplete: it ends afte")


def test_a_slow_photo_fails_alone_leaves_nothing_running_and_is_tried_again(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    (photos / "slow.jpg").write_bytes(slow_jpeg())
    before = threading.active_count()
    options = IndexOptions(threads=1, limits=ReadLimits(timeout_s=0.1))
    assert counts(index_photos(gallery, spotter, options)) == {"new": 2, "failed": 1}
    assert reasons(gallery) == {"slow.jpg": "took longer than 0.1 s to decode"}
    assert threading.active_count() <= before + 2  # those of the pools, which end with their next item
    assert counts(index_photos(gallery, spotter)) == {"new": 1, "unchanged": 2}


def test_a_pipe_swapped_in_for_a_photo_costs_that_photo(
    photos: Path, gallery: Gallery, spotter: ColourSpotter, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = PhotoReader.read

    def swap(reader: PhotoReader, file: PhotoFile) -> Content:
        if file.path == "a.png":
            (photos / file.path).unlink()
            os.mkfifo(photos / file.path)
        return read(reader, file)

    monkeypatch.setattr(PhotoReader, "read", swap)
    assert counts(index_photos(gallery, spotter)) == {"new": 1, "failed": 1}
    assert reasons(gallery) == {"a.png": "it is no regular file"}


def test_what_lies_on_a_distant_mount_is_read_in_another_process(
    photos: Path, gallery: Gallery, spotter: ColourSpotter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwanted(*_: object) -> None:
        raise AssertionError("it was read in this process")

    (photos / "text.jpg").write_text("text")
    monkeypatch.setattr("stsearch.mounts.Mounts.is_distant", lambda *_: True)
    monkeypatch.setattr("stsearch.indexing.sources.read_content", unwanted)
    assert counts(index_photos(gallery, spotter)) == {"new": 2, "failed": 1}
    assert reasons(gallery)["text.jpg"].startswith("not a picture")


def test_a_photo_that_vanishes_before_it_is_decoded_costs_itself(
    photos: Path, gallery: Gallery, spotter: ColourSpotter, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_photo = PhotoReader.open

    def vanish(reader: PhotoReader, file: PhotoFile, content: Content) -> OpenPhoto:
        (photos / file.path).unlink()
        return open_photo(reader, file, content)

    (photos / "a.png").write_bytes(scan("hotel", "bakery"))
    (photos / "2024" / "b.png").unlink()
    monkeypatch.setattr(PhotoReader, "open", vanish)
    assert counts(index_photos(gallery, spotter)) == {"failed": 1}
    assert reasons(gallery) == {"a.png": "No such file or directory"}


def test_a_file_above_the_limit_is_refused_and_read_when_the_limit_rises(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    with (photos / "z.jpg").open("wb") as file:
        file.truncate(200_000_000_000)
    (photos / "large.png").write_bytes(encode(noise((300, 300))))
    options = IndexOptions(limits=ReadLimits(max_bytes=100_000))
    assert counts(index_photos(gallery, spotter, options)) == {"new": 2, "failed": 2}
    assert reasons(gallery)["z.jpg"] == "200,000 MB; the limit is 0"
    assert counts(index_photos(gallery, spotter)) == {"new": 1, "unchanged": 2, "failed": 1}


@pytest.mark.parametrize(
    ("place", "work"),
    [("stsearch.images.decoder.to_rgb", "decode"), ("stsearch.indexing.sources.read_content", "read")],
)
def test_too_little_memory_is_no_damage_that_is_remembered(
    photos: Path, gallery: Gallery, spotter: ColourSpotter, place: str, work: str
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(place, run_out_of_memory)
        assert counts(index_photos(gallery, spotter)) == {"failed": 2}
    assert set(reasons(gallery).values()) == {f"there was not enough memory to {work} it"}
    assert counts(index_photos(gallery, spotter)) == {"new": 2}


def run_out_of_memory(*_: object) -> None:
    raise MemoryError


def test_ordinary_photographs_need_no_other_process(
    photos: Path, gallery: Gallery, spotter: ColourSpotter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unwanted(*_: object) -> None:
        raise AssertionError("a process was started")

    monkeypatch.setattr("stsearch.images.remote.WorkerProcess", unwanted)
    (photos / "camera.jpg").write_bytes(encode(noise((2000, 1500)), "JPEG"))
    (photos / "still.gif").write_bytes(encode(noise((100, 100)), "GIF"))
    assert counts(index_photos(gallery, spotter)) == {"new": 4}


class Watching(ColourSpotter):
    """Remembers the longest side it saw."""

    longest = 0

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        self.longest = max(self.longest, *(max(image.shape) for image in images))
        return super().spot(images)


def test_pages_of_pdf_and_camera_raw_are_shrunk_to_what_is_looked_at(photos: Path, gallery: Gallery) -> None:
    page = PIL.Image.new("RGB", (1200, 900), (25, 0, 0))
    (photos / "letter.pdf").write_bytes(encode(page, "PDF", save_all=True, append_images=[page]))
    (photos / "camera.dng").write_bytes(camera_raw(encode(page, "JPEG", quality=95)))
    spotter = Watching()
    assert counts(index_photos(gallery, spotter)) == {"new": 4}
    assert spotter.longest == 64
    assert found(gallery, "exit") == [
        ("b.png", None),
        ("camera.dng", None),
        ("letter.pdf", 1),
        ("letter.pdf", 2),
    ]


def test_copies_of_a_file_of_pages_share_its_words(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    for name in ("one.tif", "two.tif"):
        (photos / name).write_bytes(scan("hotel", "bakery"))
    (photos / "a.png").write_bytes(photo_bytes("exit", blue=7))
    index_photos(gallery, spotter)
    assert found(gallery, "bakery") == [("one.tif", 2), ("two.tif", 2)]
    assert gallery.catalog.words() == 4
