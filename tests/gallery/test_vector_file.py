"""vector_file.py, and how a gallery is searched with its vector file, and without."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallery_fixtures import MODEL, OTHER_MODEL, make_gallery, nearest, spotted

from stsearch.errors import (
    GalleryDamagedError,
)
from stsearch.gallery import gallery as gallery_module
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.records import InstanceTable
from stsearch.gallery.vector_store import HnswStore
from stsearch.gallery.verify import verify

WORDS = ("coffee", "bakery", "exit", "hotel", "bar", "taxi", "open", "24")


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gallery]:
    """Yield a gallery of eight words where more than four count as too many to compare them all."""
    monkeypatch.setattr(gallery_module, "EXACT_LIMIT", 4)
    with make_gallery(tmp_path, {f"{word}.jpg": [word] for word in WORDS}) as gallery:
        yield gallery


def stored_files(gallery: Gallery) -> list[str]:
    return [file.name for file in gallery.folder.glob("*vectors*")]


def found(gallery: Gallery, word: str, k: int = 1) -> set[str]:
    return set(gallery.candidates(nearest(word, k)).transcripts)


def test_a_large_gallery_is_searched_through_its_store(large: Gallery) -> None:
    with Gallery.open(large.folder) as reader:
        assert found(reader, "hotel") == {"hotel"}


def test_an_exact_transcript_is_a_candidate_even_if_the_store_misses_it(large: Gallery) -> None:
    table = large.candidates(nearest("zzz", words=["coffee"]))
    assert "coffee" in table.transcripts


def test_removed_words_are_no_candidates(large: Gallery) -> None:
    large.remove(["hotel.jpg"])
    assert "hotel" not in found(large, "hotel", k=8)
    large.finish()
    with Gallery.open(large.folder) as reader:
        assert found(reader, "exit", k=8) == set(WORDS) - {"hotel"}


def test_each_finished_run_leaves_one_store_file(large: Gallery) -> None:
    large.add([spotted("new.jpg", "museum")])
    large.finish()
    assert stored_files(large) == ["vectors-2.hnsw"]


def test_a_gallery_has_a_vector_file_from_the_first_word_on(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"a.jpg": []}) as gallery:
        assert stored_files(gallery) == []
        gallery.add([spotted("b.jpg", "exit")])
        gallery.finish()
        assert stored_files(gallery) == ["vectors-1.hnsw"]
        store = HnswStore.load(gallery.folder / "vectors-1.hnsw", MODEL.dim)
        np.testing.assert_array_equal(store.ids(), gallery.catalog.instance_ids())
        gallery.remove(["b.jpg"])
        gallery.finish()
        assert stored_files(gallery) == []


def test_a_small_gallery_is_searched_exactly_and_its_vector_file_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_gallery(tmp_path, {f"{word}.jpg": [word] for word in WORDS}).close()
    (tmp_path / ".stsearch" / "vectors-1.hnsw").write_bytes(b"damaged")
    told: list[str] = []
    with Gallery.open(tmp_path, told.append) as reader:
        assert found(reader, "hotel") == set(WORDS)
    assert told == []


def test_a_run_that_changes_nothing_leaves_every_file_as_it_is(large: Gallery) -> None:
    before = {file: file.read_bytes() for file in large.folder.iterdir()}
    large.finish()
    assert {file: file.read_bytes() for file in large.folder.iterdir()} == before


def test_a_damaged_vector_file_is_named_and_made_anew_by_the_next_run(large: Gallery) -> None:
    (large.folder / "vectors-1.hnsw").write_bytes(b"damaged")
    told: list[str] = []
    large._notify = told.append
    large.finish()
    [message] = told
    assert message.endswith("vectors-1.hnsw cannot be used (it does not match its checksum); it is made anew")
    assert stored_files(large) == ["vectors-2.hnsw"]


def test_parts_of_a_vector_file_that_a_killed_run_left_are_removed(large: Gallery) -> None:
    (large.folder / ".vectors-2.hnsw.123").touch()
    large.finish()
    assert stored_files(large) == ["vectors-1.hnsw"]


def test_forgetting_that_is_interrupted_leaves_no_vector(
    large: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(large.catalog, "wipe", interrupt)
    with pytest.raises(KeyboardInterrupt):
        large.forget([large.photos / "hotel.jpg"])
    assert stored_files(large) == []
    with Gallery.open(large.folder) as reader:
        assert found(reader, "hotel", k=8) == set(WORDS) - {"hotel"}


def test_when_most_words_are_gone_the_store_is_built_anew(large: Gallery) -> None:
    large.remove([f"{word}.jpg" for word in WORDS[:6]])
    large.finish()
    store = HnswStore.load(large.folder / "vectors-2.hnsw", MODEL.dim)
    assert len(store.ids()) == 2


@pytest.mark.parametrize("damage", ["flipped", "cut", "deleted"])
def test_a_damaged_store_is_told_and_searched_around(large: Gallery, damage: str) -> None:
    path = large.folder / "vectors-1.hnsw"
    content = bytearray(path.read_bytes())
    content[40] ^= 1
    path.write_bytes(content if damage == "flipped" else content[:100])
    if damage == "deleted":
        path.unlink()
    told: list[str] = []
    with Gallery.open(large.folder, told.append) as reader:
        assert found(reader, "hotel") == {"hotel"}
    assert len(told) == 1
    assert "vectors-1.hnsw cannot be used" in told[0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"dim": 35}, "it is of vectors of length 35, not 36"),
        ({"space": "l2"}, "it is of the metric l2, not ip"),
        ({"model": OTHER_MODEL.sha256}, "it is of the weights cdcdcdcdcdcd, not abababababab"),
        ({"generation": 7}, "it is of generation 7, not 1"),
    ],
    ids=["dimension", "metric", "weights", "generation"],
)
def test_a_store_that_does_not_belong_is_refused_by_name_and_searched_around(
    large: Gallery,
    change: dict[str, Any],
    reason: str,  # Any: fields of a record
) -> None:
    record = large.manifest.store
    assert record is not None
    dataclasses.replace(large.manifest, store=dataclasses.replace(record, **change)).write(large.folder)
    told: list[str] = []
    with Gallery.open(large.folder, told.append) as reader:
        assert found(reader, "hotel") == {"hotel"}
    assert reason in told[0]
    assert "stsearch rebuild" in told[0]


@pytest.mark.parametrize("store", [False, True])
def test_instances_that_vanish_from_a_searched_catalog_are_damage(
    large: Gallery, store: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not store:
        (large.folder / "vectors-1.hnsw").unlink()
    with Gallery.open(large.folder) as reader:
        whole = reader.catalog.instances

        def lose_one(dim: int, ids: list[int]) -> InstanceTable:
            return whole(dim, ids[1:])

        monkeypatch.setattr(reader.catalog, "instances", lose_one)
        with pytest.raises(GalleryDamagedError, match="instances are missing"):
            found(reader, "hotel")


@pytest.mark.parametrize("limit", [4, 50_000])
def test_without_hnswlib_a_gallery_is_finished_and_searched_exactly(
    tmp_path: Path, limit: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_module, "EXACT_LIMIT", limit)
    told: list[str] = []
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "hnswlib", None)
        with Gallery.create(tmp_path / ".stsearch", tmp_path, MODEL, told.append) as gallery:
            gallery.add([spotted(f"{word}.jpg", word) for word in WORDS])
            gallery.finish()
            [message] = told
            assert message.startswith("no vector file is written")
            assert message.endswith("pip install hnswlib")
            assert "hotel" in found(gallery, "hotel")
            remark = gallery.remark()
            assert remark is not None
            assert remark.startswith("there is no vector file: hnswlib is not installed")
        assert list(verify(gallery.folder, deep=True, notify=told.append)) == []
        assert told[-1] == remark
    with Gallery.create(tmp_path / ".stsearch", tmp_path, MODEL) as gallery:
        assert gallery.remark() == ("there is no vector file: stsearch index writes it when it is done")
        gallery.finish()
        assert len(stored_files(gallery)) == 1
        assert gallery.remark() is None


def test_without_hnswlib_a_vector_file_is_left_alone_and_said_not_to_be_used(
    large: Gallery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hnswlib", None)
    told: list[str] = []
    with Gallery.open(large.folder, told.append) as reader:
        assert found(reader, "hotel") == {"hotel"}
        assert str(reader.remark()).startswith("the vector file is not used: hnswlib is not")
    assert told[0].startswith("every word is compared instead, which is slower; hnswlib is not installed")
    large.finish()
    assert stored_files(large) == ["vectors-1.hnsw"]


def test_stored_vectors_are_those_of_the_catalog(large: Gallery) -> None:
    store = HnswStore.load(large.folder / "vectors-1.hnsw", MODEL.dim)
    np.testing.assert_array_equal(np.sort(store.ids()), large.catalog.instance_ids())


def test_words_added_after_the_last_finished_run_are_found(large: Gallery) -> None:
    large.add([spotted("new.jpg", "museum")])
    with Gallery.open(large.folder) as reader:
        assert "museum" in found(reader, "exit")


def test_what_another_process_removed_meanwhile_is_no_damage(large: Gallery) -> None:
    with Gallery.open(large.folder) as reader:
        ids = reader.candidates(nearest("hotel", 8)).ids
        large.remove(["hotel.jpg"])
        large.add([spotted("new.jpg", "museum")])
        assert len(reader.details_of(ids.tolist())) == 7
        assert found(reader, "exit", 8) == {*WORDS, "museum"} - {"hotel"}
