"""What a run reads, what it skips, and what it leaves behind however it ends."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from gallery_fixtures import MODEL, ColourSpotter, InterruptedSpotter, LetterEncoder, instance, photo_bytes
from image_fixtures import STORED
from indexing_fixtures import counts, paths

from stsearch.gallery.catalog import Record
from stsearch.gallery.gallery import Gallery
from stsearch.indexing.indexer import IndexOptions, index_photos
from stsearch.indexing.progress import Progress
from stsearch.indexing.reader import ReadLimits
from stsearch.search.engine import search
from stsearch.search.query import Query
from stsearch.types import Image, Polygon, TextInstance


def test_the_first_photo_is_committed_alone(photos: Path, gallery: Gallery, spotter: ColourSpotter) -> None:
    for number in range(6):
        (photos / f"c{number}.png").write_bytes(photo_bytes("hotel", blue=number))
    spotter.threads = 1
    held: list[int] = []
    index_photos(
        gallery, spotter, IndexOptions(batch=4), lambda _: held.append(gallery.catalog.counts().photos)
    )
    assert list(dict.fromkeys(held)) == [0, 1, 5]


def test_a_first_run_reads_every_photo(gallery: Gallery, spotter: ColourSpotter) -> None:
    report = index_photos(gallery, spotter)
    assert counts(report) == {"new": 2}
    assert report.words == 2
    assert paths(gallery) == ["2024/b.png", "a.png"]


def test_when_a_photo_was_taken_is_kept(photos: Path, gallery: Gallery, spotter: ColourSpotter) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 1  # Pillow writes none that says nothing of the picture itself
    exif.get_ifd(0x8769)[0x9003] = "2023:05:17 18:30:05"
    PIL.Image.open(photos / "a.png").save(photos / "a.png", exif=exif)
    index_photos(gallery, spotter)
    taken = {photo.file.path: photo.taken for photo in gallery.catalog.dated_photos()}
    assert taken == {"2024/b.png": None, "a.png": "2023-05-17T18:30:05"}


def test_a_second_run_reads_nothing(gallery: Gallery, spotter: ColourSpotter) -> None:
    index_photos(gallery, spotter)
    spotter.seen = 0
    assert counts(index_photos(gallery, spotter)) == {"unchanged": 2}
    assert spotter.seen == 0


def test_a_changed_photo_is_read_again_and_its_old_words_are_gone(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    index_photos(gallery, spotter)
    (photos / "a.png").write_bytes(photo_bytes("bakery", blue=99))
    assert counts(index_photos(gallery, spotter)) == {"changed": 1, "unchanged": 1}
    assert gallery.instances().transcripts == ("exit", "bakery")


def test_a_touched_photo_is_not_spotted_again(photos: Path, gallery: Gallery, spotter: ColourSpotter) -> None:
    index_photos(gallery, spotter)
    os.utime(photos / "a.png", (1, 1))
    spotter.seen = 0
    assert counts(index_photos(gallery, spotter)) == {"unchanged": 2}
    assert spotter.seen == 0


def test_a_moved_photo_keeps_its_words_without_being_spotted(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    index_photos(gallery, spotter)
    (photos / "a.png").rename(photos / "2024" / "renamed.png")
    spotter.seen = 0
    assert counts(index_photos(gallery, spotter)) == {"moved": 1, "unchanged": 1}
    assert spotter.seen == 0
    assert search(gallery, Query("coffee"), LetterEncoder())[0].path == photos / "2024" / "renamed.png"


def test_a_copy_shares_its_content(photos: Path, gallery: Gallery, spotter: ColourSpotter) -> None:
    index_photos(gallery, spotter)
    (photos / "copy.png").write_bytes(photo_bytes("coffee"))
    assert counts(index_photos(gallery, spotter)) == {"new": 1, "unchanged": 2}
    assert len(gallery.instances().ids) == 2
    hits = search(gallery, Query("coffee"), LetterEncoder())
    assert [hit.path.name for hit in hits[:2]] == ["a.png", "copy.png"]


def test_copies_met_in_one_run_share_their_content(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    (photos / "copy.png").write_bytes(photo_bytes("coffee"))
    assert counts(index_photos(gallery, spotter)) == {"new": 3}
    assert len(gallery.instances().ids) == 2


def test_a_removed_photo_leaves_the_gallery(photos: Path, gallery: Gallery, spotter: ColourSpotter) -> None:
    index_photos(gallery, spotter)
    (photos / "a.png").unlink()
    assert counts(index_photos(gallery, spotter)) == {"removed": 1, "unchanged": 1}
    assert gallery.instances().transcripts == ("exit",)


def test_an_unreadable_photo_is_recorded_with_a_reason_and_the_others_are_read(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    (photos / "broken.jpg").write_bytes(b"no picture")
    assert counts(index_photos(gallery, spotter)) == {"new": 2, "failed": 1}
    (failure,) = gallery.catalog.failures()
    assert failure.file.path == "broken.jpg"
    assert failure.reason.startswith("not a picture")


def test_an_unreadable_photo_stays_failed_until_it_changes(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    (photos / "broken.png").write_bytes(b"no picture")
    index_photos(gallery, spotter)
    assert counts(index_photos(gallery, spotter)) == {"unchanged": 2, "failed": 1}
    (photos / "broken.png").write_bytes(photo_bytes("hotel"))
    assert counts(index_photos(gallery, spotter)) == {"new": 1, "unchanged": 2}
    assert gallery.catalog.failures() == []


def test_a_photo_above_the_limit_fails_and_is_read_when_the_limit_rises(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    (photos / "a.png").write_bytes(photo_bytes("hotel", size=(2000, 1000)))
    assert counts(index_photos(gallery, spotter, IndexOptions(limits=ReadLimits(max_megapixels=1)))) == {
        "new": 1,
        "failed": 1,
    }
    assert [failed.reason for failed in gallery.catalog.failures()] == [
        "2000 x 1000 is 2 megapixels; the limit is 1"
    ]
    assert counts(index_photos(gallery, spotter)) == {"new": 1, "unchanged": 1}


def test_a_photo_that_could_not_be_opened_is_tried_again(
    photos: Path, gallery: Gallery, spotter: ColourSpotter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    with monkeypatch.context() as patch:
        patch.setattr("stsearch.indexing.sources.read_content", refuse)
        assert counts(index_photos(gallery, spotter)) == {"failed": 2}
    assert counts(index_photos(gallery, spotter)) == {"new": 2}


def test_photos_in_a_folder_that_cannot_be_listed_stay_in_the_gallery(
    photos: Path, gallery: Gallery, spotter: ColourSpotter, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_photos(gallery, spotter)
    real_scandir = os.scandir

    def scandir(folder: str) -> Iterator[os.DirEntry[str]]:
        if os.fspath(folder).endswith("2024"):
            raise PermissionError(13, "Permission denied", folder)
        return real_scandir(folder)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        assert counts(index_photos(gallery, spotter)) == {"unchanged": 1, "failed": 1}
    assert paths(gallery) == ["2024/b.png", "a.png"]
    assert counts(index_photos(gallery, spotter)) == {"unchanged": 2}


def test_polygons_are_in_pixels_of_the_photo(photos: Path, gallery: Gallery, spotter: ColourSpotter) -> None:
    (photos / "large.png").write_bytes(photo_bytes("hotel", size=(640, 480)))
    index_photos(gallery, spotter)
    hit = search(gallery, Query("hotel"), LetterEncoder())[0]
    assert hit.polygon[2].tolist() == [210, 100]  # the spotter saw 64 pixels and said (21, 10)


class RectangleSpotter(ColourSpotter):
    """Reads "exit" where a photograph is red."""

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        return [[replace(instance("exit"), polygon=red_quad(image))] for image in images]


def red_quad(image: Image) -> Polygon:
    rows, columns = np.nonzero((image[:, :, 0] > 127) & (image[:, :, 1] < 128))
    left, right, top, bottom = columns.min(), columns.max() + 1, rows.min(), rows.max() + 1
    return np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.float32)


@pytest.mark.parametrize("longer_side", [320, 512])
def test_a_photo_stored_in_each_orientation_gives_the_same_hit_in_the_same_place(
    tmp_path: Path, longer_side: int
) -> None:
    displayed = PIL.Image.new("RGB", (640, 480), "white")
    displayed.paste("red", (200, 120, 360, 180))
    for orientation, turn in STORED.items():
        exif = PIL.Image.Exif()
        exif[0x0112] = orientation
        stored = displayed if turn is None else displayed.transpose(turn)
        stored.save(tmp_path / f"{orientation}.jpg", exif=exif, quality=95)
    model = replace(MODEL, longer_side=longer_side)
    with Gallery.create(tmp_path / ".stsearch", tmp_path, model) as gallery:
        index_photos(gallery, RectangleSpotter(model))
        hits = search(gallery, Query("exit"), LetterEncoder(model))
    assert sorted(hit.path.name for hit in hits) == [f"{orientation}.jpg" for orientation in range(1, 9)]
    assert {(hit.transcript, hit.score) for hit in hits} == {("exit", hits[0].score)}
    for hit in hits:
        np.testing.assert_allclose(hit.polygon, [[200, 120], [360, 120], [360, 180], [200, 180]], atol=2)


def test_an_interrupt_keeps_the_batches_before_it_and_the_next_run_goes_on(
    photos: Path, gallery: Gallery
) -> None:
    with pytest.raises(KeyboardInterrupt):
        index_photos(gallery, InterruptedSpotter(), IndexOptions(batch=1, threads=1))
    assert len(paths(gallery)) == 1
    assert counts(index_photos(gallery, ColourSpotter())) == {"new": 1, "unchanged": 1}


class ThreadedSpotter(ColourSpotter):
    """Takes a photograph from each of two threads; with ``a.png`` it waits until all others are done.

    ``fail`` is called with the number of photographs done, after every other one.
    """

    threads = 2

    def __init__(self, others: int, fail: Callable[[int], None] = lambda done: None) -> None:
        super().__init__()
        self.others, self.done, self.fail = others, 0, fail
        self.all_others_are_done = threading.Event()

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        [image] = images
        found = super().spot(images)
        if image[0, 0, 2] == 0:
            assert self.all_others_are_done.wait(60)
            return found
        self.done += 1
        if self.done == self.others:
            self.all_others_are_done.set()
        self.fail(self.done)
        return found


@pytest.fixture
def many_photos(photos: Path) -> int:
    """Add so many photographs beside ``a.png``, which comes before them, and return how many."""
    (photos / "2024" / "b.png").unlink()
    for number in range(1, 31):
        (photos / f"b{number:02}.png").write_bytes(photo_bytes("exit", blue=number))
    return 30


def test_a_slow_photo_holds_up_no_other(photos: Path, gallery: Gallery, many_photos: int) -> None:
    report = index_photos(gallery, ThreadedSpotter(many_photos), IndexOptions(threads=2))
    assert counts(report) == {"new": 31}
    assert paths(gallery)[:3] == ["a.png", "b01.png", "b02.png"]


def test_what_was_spotted_while_a_slow_photo_held_up_the_order_survives_an_interrupt(
    photos: Path, gallery: Gallery, many_photos: int
) -> None:
    def interrupt(done: int) -> None:
        if done == 11:
            threaded.all_others_are_done.set()
            raise KeyboardInterrupt

    threaded = ThreadedSpotter(many_photos, interrupt)
    with pytest.raises(KeyboardInterrupt):
        index_photos(gallery, threaded, IndexOptions(threads=2))
    assert len(paths(gallery)) >= 10
    again = index_photos(gallery, ColourSpotter())
    assert counts(again) == {"new": 31 - again.unchanged, "unchanged": again.unchanged}


def test_photos_are_committed_by_the_batch_while_others_are_spotted(
    photos: Path, gallery: Gallery, many_photos: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "a.png").unlink()
    sizes: list[int] = []
    add = gallery.add

    def count_and_add(batch: list[Record]) -> None:
        sizes.append(len(batch))
        add(batch)

    monkeypatch.setattr(gallery, "add", count_and_add)
    index_photos(gallery, ThreadedSpotter(many_photos), IndexOptions(batch=4))
    assert sizes == [0, 1, *[4] * 7, 1]  # the first alone, so that it can be found at once


def test_photos_of_one_size_share_a_batch(photos: Path, gallery: Gallery) -> None:
    for i in range(6):
        size = (64, 32) if i % 2 else (32, 64)
        (photos / f"{i}.png").write_bytes(photo_bytes("exit", blue=i, size=size))
    shapes: list[set[tuple[int, ...]]] = []

    class Watching(ColourSpotter):
        def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
            shapes.append({image.shape[:2] for image in images})
            return super().spot(images)

    (photos / "a.png").unlink()
    (photos / "2024" / "b.png").unlink()
    index_photos(gallery, Watching(), IndexOptions(batch=3))
    assert shapes == [{(64, 32)}, {(32, 64)}]


def test_progress_moves_with_every_photo_and_says_what_was_read_in_it(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    index_photos(gallery, spotter)
    for number, word in enumerate(("hotel", "bakery")):
        (photos / f"c{number}.png").write_bytes(photo_bytes(word))
    seen: list[Progress] = []
    index_photos(gallery, SureSpotter(), IndexOptions(batch=8), progress=seen.append)
    assert [(now.done, now.known, now.at, now.read) for now in seen[-2:]] == [
        (3, 2, "c0.png", ("hotel",)),
        (4, 2, "c1.png", ("bakery",)),
    ]


class SureSpotter(ColourSpotter):
    """Is sure of what it reads, also in part, and reads beside it what is no word."""

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        found = super().spot(images)
        return [
            [
                replace(word, confidence=0.95),
                replace(instance(word.transcript[1:].upper()), confidence=0.95),
                replace(instance("I"), confidence=0.99),
                instance("unsure"),
            ]
            for [word] in found
        ]


def test_progress_reaches_the_number_of_files(gallery: Gallery, spotter: ColourSpotter) -> None:
    seen: list[Progress] = []
    index_photos(gallery, spotter, progress=seen.append)
    assert (seen[-1].done, seen[-1].total, seen[-1].words) == (2, 2, 2)


def test_many_more_photos_than_the_window_are_all_read(photos: Path, gallery: Gallery) -> None:
    for i in range(40):
        (photos / f"{i}.png").write_bytes(photo_bytes("exit", blue=i + 1, size=(8, 8)))
    report = index_photos(gallery, ColourSpotter(), IndexOptions(batch=2, threads=2))
    assert counts(report) == {"new": 42}


@pytest.mark.parametrize("name", [b"caf\xe9.png", "日本\n😀.png".encode()])
def test_a_photo_under_any_name_is_found_again(
    photos: Path, gallery: Gallery, spotter: ColourSpotter, name: bytes
) -> None:
    path = photos / os.fsdecode(name)
    path.write_bytes(photo_bytes("hotel"))
    index_photos(gallery, spotter)
    assert search(gallery, Query("hotel"), LetterEncoder())[0].path == path
    assert counts(index_photos(gallery, spotter)) == {"unchanged": 3}
