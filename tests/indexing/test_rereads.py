"""Photographs that are read again though they did not change, and runs that did not come to their end."""

from __future__ import annotations

from pathlib import Path

import pytest
from gallery_fixtures import MODEL, OTHER_MODEL, ColourSpotter, InterruptedSpotter, photo_bytes
from indexing_fixtures import counts

from stsearch.gallery.gallery import Gallery
from stsearch.gallery.pending import Pending
from stsearch.indexing.indexer import IndexOptions, index_photos

ROUGH = IndexOptions(recognize=False)


@pytest.fixture
def indexed(photos: Path) -> Path:
    """Return the folder of the two photographs, and a copy, that were read by the first weights."""
    (photos / "copy.png").write_bytes(photo_bytes("coffee"))
    with Gallery.create(photos / ".stsearch", photos, MODEL) as gallery:
        index_photos(gallery, ColourSpotter())
    return photos


def read_again(photos: Path) -> Gallery:
    return Gallery.create(photos / ".stsearch", photos, OTHER_MODEL, reread=True)


def test_other_weights_read_every_photo_once(indexed: Path) -> None:
    spotter = ColourSpotter(OTHER_MODEL)
    with read_again(indexed) as gallery:
        assert counts(index_photos(gallery, spotter)) == {"unchanged": 1, "reread": 2}
        assert spotter.seen == 2
        assert sorted(gallery.instances().transcripts) == ["coffee", "exit"]
        assert gallery.instances().comparable is None
        assert gallery.manifest.store is not None
        assert gallery.manifest.store.model == OTHER_MODEL.sha256


def test_a_reread_that_is_interrupted_keeps_what_it_read_and_goes_on(indexed: Path) -> None:
    with read_again(indexed) as gallery:
        with pytest.raises(KeyboardInterrupt):
            index_photos(gallery, InterruptedSpotter(OTHER_MODEL), IndexOptions(batch=1, threads=1))
        assert len(gallery.catalog.photos()) == 3
        assert Pending.of(gallery).weights == 1
    spotter = ColourSpotter(OTHER_MODEL)
    with Gallery.create(indexed / ".stsearch", indexed, OTHER_MODEL) as gallery:
        assert index_photos(gallery, spotter).reread == 1
        assert spotter.seen == 1
        assert str(Pending.of(gallery)) == ""


def test_a_photo_that_moved_before_it_was_read_again_counts_as_moved(indexed: Path) -> None:
    (indexed / "2024" / "b.png").rename(indexed / "c.png")
    with read_again(indexed) as gallery:
        assert counts(index_photos(gallery, ColourSpotter(OTHER_MODEL))) == {
            "moved": 1,
            "unchanged": 1,
            "reread": 1,
        }


def test_a_photo_that_cannot_be_read_again_keeps_its_words_and_is_named(
    indexed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise PermissionError(13, "Permission denied", path)

    with read_again(indexed) as gallery:
        with monkeypatch.context() as patch:
            patch.setattr("stsearch.indexing.sources.read_content", refuse)
            report = index_photos(gallery, ColourSpotter(OTHER_MODEL))
        assert [each.file.path for each in report.not_reread] == ["a.png", "copy.png", "2024/b.png"]
        assert sorted(gallery.instances().transcripts) == ["coffee", "exit"]
        assert counts(index_photos(gallery, ColourSpotter(OTHER_MODEL))) == {"unchanged": 1, "reread": 2}


def test_a_photo_that_changed_and_cannot_be_read_again_has_failed(indexed: Path) -> None:
    (indexed / "2024" / "b.png").write_bytes(b"no picture")
    with read_again(indexed) as gallery:
        assert counts(index_photos(gallery, ColourSpotter(OTHER_MODEL))) == {
            "unchanged": 1,
            "reread": 1,
            "failed": 1,
        }


def test_what_was_read_without_the_recognizer_is_completed_by_the_next_run_with_it(photos: Path) -> None:
    with Gallery.create(photos / ".stsearch", photos, MODEL) as gallery:
        index_photos(gallery, ColourSpotter(), ROUGH)
        assert Pending.of(gallery).recognizer == 2
        assert counts(index_photos(gallery, ColourSpotter(), ROUGH)) == {"unchanged": 2}
        assert counts(index_photos(gallery, ColourSpotter())) == {"reread": 2}
        assert str(Pending.of(gallery)) == ""


def test_a_run_that_is_interrupted_leaves_how_far_it_came(photos: Path, gallery: Gallery) -> None:
    with pytest.raises(KeyboardInterrupt):
        index_photos(gallery, InterruptedSpotter(), IndexOptions(batch=1, threads=1))
    assert str(Pending.of(gallery)) == "1 of 2 files read before the last run ended"
    index_photos(gallery, ColourSpotter())
    assert str(Pending.of(gallery)) == ""


def test_what_a_run_passed_over_is_kept(photos: Path, gallery: Gallery, spotter: ColourSpotter) -> None:
    (photos / "film.mp4").touch()
    assert index_photos(gallery, spotter).passed_over == {".mp4": 1}
    assert gallery.catalog.state.folder().passed_over == {".mp4": 1}


def test_a_run_without_news_leaves_the_catalog_as_it_is(
    photos: Path, gallery: Gallery, spotter: ColourSpotter
) -> None:
    index_photos(gallery, spotter)
    before = (photos / ".stsearch" / "catalog.sqlite3").read_bytes()
    index_photos(gallery, spotter)
    assert (photos / ".stsearch" / "catalog.sqlite3").read_bytes() == before
