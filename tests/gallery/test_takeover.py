"""Other weights, or another folder, take a gallery over: nothing is lost, and everything stays searchable."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gallery_fixtures import (
    DIM,
    FIRST_FORMAT,
    MODEL,
    OTHER_MODEL,
    LetterEncoder,
    instance,
    make_gallery,
    spotted,
)
from numpy.typing import NDArray

from stsearch.errors import UsageError, WeightsError
from stsearch.gallery.catalog import Catalog
from stsearch.gallery.database import Database
from stsearch.gallery.folder_state import FolderState
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.pending import Pending
from stsearch.gallery.records import PhotoFile, Spotted
from stsearch.gallery.schema import MIGRATIONS
from stsearch.gallery.verify import verify
from stsearch.search.engine import search
from stsearch.search.hits import Hit
from stsearch.search.query import Query
from stsearch.types import ModelInfo

WIDER = replace(OTHER_MODEL, dim=2 * DIM)


def read_by_other_weights(path: str, *words: str) -> Spotted:
    photo = spotted(path, *words)
    instances = [replace(each, embedding=each.embedding[::-1]) for each in photo.instances]
    return replace(photo, instances=instances)


class OtherEncoder(LetterEncoder):
    """Embeds words as no other weights do."""

    def __call__(self, words: Sequence[str]) -> NDArray[np.float32]:
        return super().__call__(words)[:, ::-1]


def find(gallery: Gallery, word: str) -> list[Hit]:
    return search(gallery, Query(word), OtherEncoder(OTHER_MODEL))


@pytest.fixture
def taken_over(tmp_path: Path) -> Gallery:
    """Return a gallery of two photographs that waits for other weights."""
    make_gallery(tmp_path, {"a.jpg": ["coffee"], "b.jpg": ["bakery"]}).close()
    return Gallery.create(tmp_path / ".stsearch", tmp_path, OTHER_MODEL, reread=True)


def test_every_word_is_found_while_other_weights_read_photo_by_photo(taken_over: Gallery) -> None:
    with taken_over:
        assert find(taken_over, "coffee")[0].score == pytest.approx(1.0)
        taken_over.add([read_by_other_weights("a.jpg", "coffee")])
        assert [find(taken_over, word)[0].transcript for word in ("coffee", "bakery")] == ["coffee", "bakery"]
        assert find(taken_over, "coffee")[0].similarity == pytest.approx(1.0, abs=1e-3)
        assert Pending.of(taken_over).weights == 1
        taken_over.add([read_by_other_weights("b.jpg", "bakery")])
        assert find(taken_over, "bakery")[0].similarity == pytest.approx(1.0, abs=1e-3)
        assert str(Pending.of(taken_over)) == ""
        assert len(taken_over.instances().ids) == 2


def test_a_reread_that_was_interrupted_goes_on_and_does_not_begin_again(taken_over: Gallery) -> None:
    with taken_over:
        taken_over.add([read_by_other_weights("a.jpg", "coffee")])
        folder, photos = taken_over.folder, taken_over.photos
    for reread in (True, False):
        with Gallery.create(folder, photos, OTHER_MODEL, reread=reread) as again:
            assert Pending.of(again).weights == 1


@pytest.mark.parametrize("model", [OTHER_MODEL, WIDER], ids=["same length", "another length"])
def test_a_gallery_that_waits_for_other_weights_is_not_damaged(tmp_path: Path, model: ModelInfo) -> None:
    make_gallery(tmp_path, {"a.jpg": ["coffee"], "b.jpg": ["bakery"]}).close()
    assert (tmp_path / ".stsearch" / "vectors-1.hnsw").exists()
    with Gallery.create(tmp_path / ".stsearch", tmp_path, model, reread=True) as gallery:
        assert gallery.instances().embeddings.shape == (2, gallery.model.dim)
        gallery.finish()
    assert list(verify(tmp_path / ".stsearch", deep=True)) == []
    assert not list((tmp_path / ".stsearch").glob("vectors-*"))


@pytest.mark.parametrize("opened_again", ["to read", "to write"])
def test_a_takeover_that_was_killed_before_the_manifest_was_written_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened_again: str
) -> None:
    make_gallery(tmp_path, {"a.jpg": ["coffee"]}).close()

    def killed(_manifest: object, _folder: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("stsearch.gallery.manifest.Manifest.write", killed)
        with pytest.raises(KeyboardInterrupt):
            Gallery.create(tmp_path / ".stsearch", tmp_path, OTHER_MODEL, reread=True)
    with (
        Gallery.open(tmp_path)
        if opened_again == "to read"
        else Gallery.create(tmp_path / ".stsearch", tmp_path, OTHER_MODEL)
    ) as gallery:
        assert (gallery.model, Pending.of(gallery).weights) == (OTHER_MODEL, 1)
        assert find(gallery, "coffee")
    with pytest.raises(WeightsError, match="--reread"):
        Gallery.create(tmp_path / ".stsearch", tmp_path, MODEL)


def test_other_weights_are_refused_where_nobody_asked_for_a_reread(tmp_path: Path) -> None:
    make_gallery(tmp_path, {}).close()
    with pytest.raises(WeightsError, match=f"stsearch index {tmp_path} --reread"):
        Gallery.create(tmp_path / ".stsearch", tmp_path, OTHER_MODEL)


def test_the_same_weights_read_again_what_they_have_read_and_their_embeddings_stay(tmp_path: Path) -> None:
    make_gallery(tmp_path, {"a.jpg": ["coffee"]}).close()
    with Gallery.create(tmp_path / ".stsearch", tmp_path, MODEL, reread=True) as gallery:
        assert Pending.of(gallery).request == 1
        assert gallery.instances().comparable is None
        gallery.finish()
        assert gallery.manifest.store is not None


def test_a_photo_read_without_the_recognizer_waits_for_it(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {}) as gallery:
        gallery.add([replace(spotted("a.jpg", "coffee"), is_rough=True)])
        gallery.add([replace(spotted("blank.jpg"), is_rough=True)])  # nothing to read in it
        assert gallery.catalog.rereads.checksums(recognize=True) == {"sha of a.jpg"}
        assert gallery.catalog.rereads.checksums(recognize=False) == set()
        gallery.add([spotted("a.jpg", "coffee")])
        assert gallery.catalog.rereads.checksums(recognize=True) == set()


@pytest.mark.parametrize(
    ("pending", "words"),
    [
        (Pending(0, 0, 0, 0, 0), ""),
        (Pending(24, 8, 0, 0, 0), "8 of 24 files read before the last run ended"),
        (Pending(3, 3, 0, 0, 0), "the last run did not come to its end"),
        (Pending(3, 3, 1, 0, 0), "1 photo not read with the new weights, found by transcript"),
        (Pending(0, 0, 0, 2, 1), "2 photos read without the recognizer, 1 photo not read again yet"),
    ],
)
def test_what_a_run_has_left_to_do_is_said_in_words(pending: Pending, words: str) -> None:
    assert str(pending) == words


def test_a_photo_that_is_removed_waits_no_longer(taken_over: Gallery) -> None:
    with taken_over:
        taken_over.remove(["a.jpg", "b.jpg"])
        assert Pending.of(taken_over).weights == 0
        assert list(taken_over.catalog.faults(DIM)) == []


def test_what_is_read_again_has_its_new_size_and_the_old_words_are_gone(taken_over: Gallery) -> None:
    with taken_over:
        file = PhotoFile("a.jpg", 100, 1)
        taken_over.add([Spotted(file, "sha of a.jpg", 10, 20, [instance("exit")], "2024-01-01T00:00:00")])
        assert sorted(taken_over.instances().transcripts) == ["bakery", "exit"]
        assert taken_over.catalog.dated_photos()[0].taken == "2024-01-01T00:00:00"
        assert list(taken_over.catalog.faults(DIM)) == []


def test_a_gallery_outside_its_folder_follows_a_move(tmp_path: Path) -> None:
    old, new, folder = tmp_path / "old", tmp_path / "new", tmp_path / "gal"
    old.mkdir()
    with Gallery.create(folder, old, MODEL) as gallery:
        gallery.add([spotted("a.jpg", "coffee")])
        gallery.finish()
        gallery.catalog.state.set_folder(FolderState(devices={"": 5}))
    old.rename(new)
    with pytest.raises(UsageError, match=r"add --moved; else name another gallery with --index"):
        Gallery.create(folder, new, MODEL)
    with Gallery.create(folder, new, MODEL, moved=True) as gallery:
        assert gallery.photos == new
        assert search(gallery, Query("coffee"), LetterEncoder())[0].path == new / "a.jpg"
        assert gallery.catalog.state.folder().devices == {}
    assert list(verify(folder, deep=True)) == []
    (folder / "manifest.json").unlink()
    with Gallery.edit(folder, restore=True) as gallery:
        assert gallery.photos == new


def test_a_catalog_of_the_first_format_opens_with_all_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    with closing(Database(path, MIGRATIONS[:1], FIRST_FORMAT, create=True)) as database:
        database.insert("contents", [(1, "sha", 48, 64, None)])
        database.insert("images", [(b"a.jpg", 1, 2, "ok", 1, None)])
    with closing(Catalog(path)) as catalog:
        assert [photo.file.path for photo in catalog.dated_photos()] == ["a.jpg"]
        assert catalog.state.folder() == FolderState()
        assert list(catalog.faults(DIM)) == []
