"""protocol.WritableGallery: what is added is kept, what is removed is gone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from contract_fixtures import Create
from gallery_fixtures import DIM, MODEL, OTHER_MODEL, embed, instance, spotted

from stsearch.errors import GalleryDamagedError, GalleryNotFoundError, UsageError, WeightsError
from stsearch.gallery.access import edit_gallery, open_gallery, verify_gallery, view_folder
from stsearch.gallery.address import Address
from stsearch.gallery.folder_state import FolderState
from stsearch.gallery.pending import Pending
from stsearch.gallery.protocol import WritableGallery
from stsearch.gallery.records import Counts, Failed, Incomplete, Linked, PhotoFile, Spotted


def words(gallery: WritableGallery) -> list[str]:
    return sorted(gallery.instances().transcripts)


def test_there_is_no_gallery_before_one_is_made(address: Address, photos: Path) -> None:
    with pytest.raises(GalleryNotFoundError, match=r"no gallery in .*; make one with: stsearch index"):
        open_gallery(address)
    assert view_folder(address, photos) is None


def test_what_is_added_is_there_when_the_gallery_is_opened_again(
    address: Address, create: Create, photos: Path
) -> None:
    written = instance("Caf\u00e9")
    written = replace(written, characters=(0.2, 0.4, 0.6, 1.0), ctc_posteriors=b"p" * 99, page=3)
    with create() as gallery:
        gallery.add([Spotted(PhotoFile("a\udcff\n.jpg", 5, 6), "sha", 48, 64, [written], note="page 2")])
        gallery.finish()
    with open_gallery(address) as gallery:
        table = gallery.instances()
        [detail] = gallery.details_of(table.ids.tolist()).values()
        [[reading]] = gallery.readings_of(table.contents.tolist()).values()
        [[found]] = gallery.text_instances_of(table.contents.tolist()).values()
        [(path, content)] = gallery.all_photos()
        assert gallery.photos_of([content]) == {content: [path]}
        assert gallery.incomplete() == [Incomplete(PhotoFile("a\udcff\n.jpg", 5, 6), "page 2")]
        assert gallery.roots == (photos,)
        assert gallery.model == MODEL
    assert path == photos / "a\udcff\n.jpg"
    assert (table.transcripts, table.pages.tolist(), table.comparable) == (("Caf\u00e9",), [3], None)
    assert table.confidences.tolist() == pytest.approx([0.8])
    np.testing.assert_allclose(table.embeddings, [embed("cafe")], atol=1e-3)
    assert detail.score == pytest.approx(0.9)
    assert (detail.page, detail.ctc_posteriors) == (3, b"p" * 99)
    assert detail.characters == pytest.approx(written.characters, abs=0.002)
    np.testing.assert_array_equal(detail.polygon, written.polygon)
    np.testing.assert_array_equal(reading.polygon, written.polygon)
    assert (reading.transcript, reading.page) == ("Caf\u00e9", 3)
    assert (found.transcript, found.page) == ("Caf\u00e9", 3)


def test_records_are_those_of_the_paths_asked_for(create: Create) -> None:
    gallery = create()
    failed = Failed(PhotoFile("c.jpg", 1, 2), "truncated")
    gallery.add([spotted("a.jpg", "coffee"), failed])
    gallery.add([Linked(PhotoFile("b.jpg", 7, 8), "sha of a.jpg")])
    assert list(gallery.records(["c.jpg", "no.jpg", "b.jpg"])) == [
        failed,
        None,
        Linked(PhotoFile("b.jpg", 7, 8), "sha of a.jpg"),
    ]
    assert gallery.counts() == Counts(photos=2, failed=1, words=1, incomplete=0)
    assert gallery.failures() == [failed]
    assert (gallery.holds("sha of a.jpg"), gallery.holds("sha of b.jpg")) == (True, False)
    gallery.close()
    assert create().paths() == ["a.jpg", "b.jpg", "c.jpg"]


def test_the_same_content_is_kept_once_however_often_it_is_added(gallery: WritableGallery) -> None:
    gallery.add([spotted("a.jpg", "coffee")])
    gallery.add([replace(spotted("b.jpg", "tea"), sha256="sha of a.jpg"), spotted("a.jpg", "tea")])
    assert words(gallery) == ["coffee"]
    assert len({content for _, content in gallery.all_photos()}) == 1


def test_a_content_goes_with_the_last_file_that_has_it(gallery: WritableGallery) -> None:
    gallery.add([spotted("a.jpg", "coffee"), Linked(PhotoFile("b.jpg", 7, 8), "sha of a.jpg")])
    gallery.remove(["a.jpg"])
    assert words(gallery) == ["coffee"]
    gallery.remove(["b.jpg"])
    assert (words(gallery), gallery.all_photos(), gallery.holds("sha of a.jpg")) == ([], [], False)


def test_a_batch_with_a_record_that_cannot_be_kept_changes_nothing(gallery: WritableGallery) -> None:
    with pytest.raises((ValueError, GalleryDamagedError)):
        gallery.add([spotted("a.jpg", "coffee"), Linked(PhotoFile("b.jpg", 7, 8), "sha of nothing")])
    assert gallery.paths() == []
    assert words(gallery) == []


def test_other_weights_are_refused(create: Create) -> None:
    create().close()
    with pytest.raises(WeightsError, match=r"letters .* others .* --reread"):
        create(OTHER_MODEL)


def test_photographs_wait_for_weights_that_take_over_and_keep_their_transcripts(create: Create) -> None:
    with create() as gallery:
        gallery.add([spotted("a.jpg", "coffee"), spotted("b.jpg", "tea")])
        gallery.finish()
    longer = replace(OTHER_MODEL, dim=DIM + 4)
    with create(longer, reread=True) as gallery:
        assert gallery.awaiting_reread(recognize=False) == {"sha of a.jpg", "sha of b.jpg"}
        table = gallery.instances()
        assert table.embeddings.shape == (2, DIM + 4)
        assert table.comparable is not None
        assert not table.comparable.any()
        again = replace(instance("coffee"), embedding=np.eye(1, DIM + 4, dtype=np.float32)[0])
        gallery.add([replace(spotted("a.jpg"), instances=[again])])
        assert gallery.reread_counts() == {"weights": 1}
        table = gallery.instances()
        assert table.comparable is not None
        assert dict(zip(table.transcripts, table.comparable.tolist(), strict=True)) == {
            "coffee": True,
            "tea": False,
        }


def test_photographs_wait_to_be_read_again_when_somebody_asks_for_it(create: Create) -> None:
    with create() as gallery:
        gallery.add([spotted("a.jpg", "cofee"), spotted("b.jpg", "tea")])
    with create(reread=True) as gallery:
        gallery.add([spotted("a.jpg", "coffee")])
        assert gallery.awaiting_reread(recognize=True) == {"sha of b.jpg"}
        assert words(gallery) == ["coffee", "tea"]
        assert Pending.of(gallery).request == 1


def test_what_was_read_without_the_recognizer_waits_for_it(gallery: WritableGallery) -> None:
    gallery.add([replace(spotted("a.jpg", "cofee"), is_rough=True), replace(spotted("b.jpg"), is_rough=True)])
    assert gallery.awaiting_reread(recognize=False) == set()
    assert gallery.awaiting_reread(recognize=True) == {"sha of a.jpg"}


def test_what_a_run_saw_is_told_to_the_next(create: Create) -> None:
    state = FolderState({".txt": 2}, {"": 7})
    with create() as gallery:
        assert gallery.folder_state() == FolderState()
        gallery.set_folder_state(state)
    with create() as gallery:
        assert gallery.folder_state() == state


def test_forgotten_photographs_and_folders_are_gone(address: Address, create: Create, photos: Path) -> None:
    with create() as gallery:
        gallery.add([spotted("a.jpg", "coffee"), spotted("in/b.jpg", "tea"), spotted("in/c.jpg", "exit")])
        gallery.finish()
    with edit_gallery(address) as edited:
        with pytest.raises(UsageError, match="is not in the gallery"):
            edited.forget([photos / "a.jpg", photos / "no.jpg"])
        assert edited.forget([photos / "in"]) == 2
        edited.finish(anew=True)
    with open_gallery(address) as gallery:
        assert [path for path, _ in gallery.all_photos()] == [photos / "a.jpg"]
        assert list(gallery.instances().transcripts) == ["coffee"]
    assert list(verify_gallery(address, deep=True)) == []


def test_a_path_names_a_file_or_all_in_a_folder(gallery: WritableGallery, photos: Path) -> None:
    gallery.add([spotted("a.jpg"), spotted("in/b.jpg"), Failed(PhotoFile("in/c.jpg", 1, 2), "truncated")])
    assert gallery.paths_below(photos / "in") == [photos / "in/b.jpg", photos / "in/c.jpg"]
    assert gallery.paths_below(photos / "a.jpg") == [photos / "a.jpg"]
    with pytest.raises(UsageError, match="is not in the gallery"):
        gallery.paths_below(photos / "no")


def test_a_sample_is_of_every_nth_photograph(gallery: WritableGallery) -> None:
    gallery.add([spotted(f"{name}.jpg", name) for name in "abcde"])
    contents = [content for _, content in gallery.all_photos()]
    assert gallery.sample_contents(5) == contents
    assert gallery.sample_contents(3) == contents[::2]


def test_a_whole_gallery_has_no_damage_and_says_how_it_was_made(
    gallery: WritableGallery, address: Address
) -> None:
    gallery.add([spotted("a.jpg", "coffee", "tea")])
    gallery.note_engine("cpu, float32")
    gallery.finish()
    gallery.note_run()
    status = gallery.status()
    gallery.close()
    assert status.size_bytes > 1000
    assert status.last_run is not None
    assert status.store["vectors"] == 2
    assert gallery.name == str(address)
    assert list(verify_gallery(address, deep=True)) == []
