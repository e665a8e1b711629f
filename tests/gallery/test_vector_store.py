"""store.py: one suite for every vector store; the exact one is the oracle."""

from __future__ import annotations

import builtins
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from stsearch.errors import WriteError
from stsearch.gallery.vector_store import FlatStore, HnswStore, MissingHnswlibError, VectorStore

DIM = 16
STORES = [pytest.param(FlatStore, id="flat"), pytest.param(HnswStore, id="hnsw")]
Store = type[FlatStore] | type[HnswStore]


def unit_rows(count: int, seed: int = 0) -> NDArray[np.float32]:
    rows = np.random.default_rng(seed).normal(size=(count, DIM))
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def hnsw_of(vectors: NDArray[np.float32]) -> HnswStore:
    store = HnswStore(DIM)
    store.add(np.arange(100, 100 + len(vectors)), vectors)
    return store


def filled(kind: Store, vectors: NDArray[np.float32], first_id: int = 100) -> VectorStore:
    store = kind(DIM)
    store.add(np.arange(first_id, first_id + len(vectors)), vectors)
    return store


@pytest.mark.parametrize("kind", STORES)
def test_the_nearest_vector_comes_first_with_its_inner_product(kind: Store) -> None:
    vectors = unit_rows(50)
    (neighbours,) = filled(kind, vectors).search(vectors[7:8], 3)
    assert neighbours.ids[0] == 107
    np.testing.assert_allclose(neighbours.similarities[0], 1.0, atol=1e-3)
    assert (np.diff(neighbours.similarities) <= 0).all()


@pytest.mark.parametrize("kind", STORES)
def test_each_query_gets_its_own_neighbours(kind: Store) -> None:
    vectors = unit_rows(20)
    found = filled(kind, vectors).search(vectors[[3, 5]], 1)
    assert [neighbours.ids.tolist() for neighbours in found] == [[103], [105]]


@pytest.mark.parametrize("kind", STORES)
def test_asking_for_more_than_there_is_returns_all(kind: Store) -> None:
    (neighbours,) = filled(kind, unit_rows(5)).search(unit_rows(1, seed=1), 50)
    assert sorted(neighbours.ids) == [100, 101, 102, 103, 104]


@pytest.mark.parametrize("kind", STORES)
def test_an_empty_store_finds_nothing(kind: Store) -> None:
    store = kind(DIM)
    store.add(np.empty(0, np.int64), np.empty((0, DIM), np.float32))
    (neighbours,) = store.search(unit_rows(1), 5)
    assert neighbours.ids.shape == neighbours.similarities.shape == (0,)


@pytest.mark.parametrize("kind", STORES)
def test_removed_vectors_are_not_found_even_when_all_are_asked_for(kind: Store) -> None:
    store = filled(kind, unit_rows(10))
    store.remove(np.array([100, 101, 109, 555]))
    store.remove(np.array([100]))
    (neighbours,) = store.search(unit_rows(1, seed=1), 10)
    assert sorted(neighbours.ids) == [102, 103, 104, 105, 106, 107, 108]


@pytest.mark.parametrize("kind", STORES)
def test_a_store_with_everything_removed_finds_nothing(kind: Store) -> None:
    store = filled(kind, unit_rows(3))
    store.remove(store.ids())
    assert store.search(unit_rows(1), 3)[0].ids.tolist() == []


@pytest.mark.parametrize("kind", STORES)
def test_many_identical_vectors_do_not_hide_the_others(kind: Store) -> None:
    vectors = np.concatenate([np.repeat(unit_rows(1, seed=2), 500, axis=0), unit_rows(50)])
    order = np.random.default_rng(3).permutation(550)
    store = kind(DIM)
    for ids in np.array_split(order, 11):
        store.add(ids, vectors[ids])
    found = store.search(vectors[500:], 1)
    assert [neighbours.ids[0] for neighbours in found] == list(range(500, 550))


@pytest.mark.parametrize("kind", STORES)
def test_vectors_can_be_added_in_several_steps(kind: Store) -> None:
    vectors = unit_rows(300)
    store = kind(DIM)
    for start in range(0, 300, 30):
        store.add(np.arange(start, start + 30), vectors[start : start + 30])
    assert sorted(store.ids()) == list(range(300))
    assert store.search(vectors[299:], 1)[0].ids.tolist() == [299]


def saved_and_loaded(store: HnswStore, path: Path) -> HnswStore:
    store.save(path)
    return HnswStore.load(path, DIM)


def test_a_saved_store_answers_as_before(tmp_path: Path) -> None:
    store, queries = hnsw_of(unit_rows(200)), unit_rows(5, seed=1)
    store.remove(np.array([100, 150]))
    loaded = saved_and_loaded(store, tmp_path / "caf\udce9")
    for before, after in zip(store.search(queries, 10), loaded.search(queries, 10), strict=True):
        np.testing.assert_array_equal(after.ids, before.ids)


def test_a_loaded_store_grows(tmp_path: Path) -> None:
    loaded = saved_and_loaded(hnsw_of(unit_rows(20)), tmp_path / "vectors")
    more = unit_rows(40, seed=3)
    loaded.add(np.arange(1000, 1040), more)
    assert loaded.search(more[:1], 1)[0].ids.tolist() == [1000]


def test_the_approximate_store_agrees_with_the_exact_one() -> None:
    vectors, queries = unit_rows(3000), unit_rows(50, seed=1)
    exact, close = filled(FlatStore, vectors), filled(HnswStore, vectors)
    shared = [
        len(np.intersect1d(a.ids, b.ids))
        for a, b in zip(exact.search(queries, 10), close.search(queries, 10), strict=True)
    ]
    assert np.mean(shared) >= 9.8


def test_a_file_that_did_not_arrive_whole_is_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    class Short:
        def save_index(self, path: bytes) -> None:
            Path(os.fsdecode(path)).write_bytes(b"half")

        def index_file_size(self) -> int:
            return 8

    store = HnswStore(DIM)
    monkeypatch.setattr(store, "_index", Short())
    with pytest.raises(WriteError, match="4 of 8 bytes"):
        store.save(tmp_path / "vectors")


@pytest.mark.parametrize("dim", [DIM // 2, 2 * DIM])
def test_a_file_of_another_dimension_is_refused_by_name(tmp_path: Path, dim: int) -> None:
    hnsw_of(unit_rows(5)).save(tmp_path / "vectors")
    with pytest.raises(ValueError, match=f"vectors of length {DIM}, not {dim}"):
        HnswStore.load(tmp_path / "vectors", dim)


def test_a_missing_hnswlib_names_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    real_import = builtins.__import__

    def without_hnswlib(name: str, *rest: object) -> object:
        if name == "hnswlib":
            raise ImportError(name)
        return real_import(name, *rest)  # type: ignore[arg-type]  # the rest is passed on as it came

    monkeypatch.setattr(builtins, "__import__", without_hnswlib)
    with pytest.raises(MissingHnswlibError, match="pip install hnswlib"):
        HnswStore(DIM)
