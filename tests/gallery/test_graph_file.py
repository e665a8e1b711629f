"""graph_file.py: no file that would crash hnswlib, or let it read elsewhere, is loaded."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from stsearch.gallery.graph_file import erase, graph_fault
from stsearch.gallery.vector_store import HnswStore

DIM, COUNT = 8, 400
HEADER, RECORD = 96, 4 + 4 * 32 + 4 * DIM + 8
LAYERS = HEADER + COUNT * RECORD


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the file of a graph with several layers, a node of which is removed."""
    vectors = np.random.default_rng(0).normal(size=(COUNT, DIM)).astype(np.float32)
    store = HnswStore(DIM)
    store.add(np.arange(COUNT) + 7, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    store.remove(np.array([9]))
    store.save(tmp_path / "graph")
    return tmp_path / "graph"


def overwrite(path: Path, at: int, kind: str, *values: float) -> None:
    content = bytearray(path.read_bytes())
    struct.pack_into(kind, content, at, *values)
    path.write_bytes(content)


def first_node_above(path: Path) -> int:
    """Return where the links of the first node with higher layers begin."""
    content, at = path.read_bytes(), LAYERS
    while struct.unpack_from("=I", content, at)[0] == 0:
        at += 4
    return at + 4


def test_a_graph_as_it_was_saved_has_no_fault(path: Path) -> None:
    assert graph_fault(path, DIM) is None
    assert len(HnswStore.load(path, DIM).ids()) == COUNT


@pytest.mark.parametrize(
    ("at", "kind", "value", "fault"),
    [
        pytest.param(0, "=Q", 1, "its header does not add up", id="first record"),
        pytest.param(8, "=Q", 1 << 60, "its header does not add up", id="capacity"),
        pytest.param(16, "=Q", COUNT + 1, "it is cut off", id="one node more"),
        pytest.param(16, "=Q", 0, "its header does not add up", id="no node"),
        pytest.param(24, "=Q", RECORD - 4, "its header does not add up", id="record size"),
        pytest.param(32, "=Q", 8, "it holds vectors of length", id="offset of the id"),
        pytest.param(48, "=i", 40, "a search of it begins in no layer", id="top layer"),
        pytest.param(48, "=i", -1, "its header does not add up", id="no layer"),
        pytest.param(52, "=I", COUNT, "its header does not add up", id="entry"),
        pytest.param(56, "=Q", 1 << 40, "its nodes have up to", id="links"),
        pytest.param(64, "=Q", 64, "its header does not add up", id="links of the lowest layer"),
        pytest.param(80, "=d", float("inf"), "its header does not add up", id="scale of the layers"),
        pytest.param(88, "=Q", 0, "its header does not add up", id="build width"),
        pytest.param(HEADER, "=H", 33, "more links than there is room for", id="number of links"),
        pytest.param(HEADER + 2, "=B", 3, "an impossible id or flag", id="flag"),
        pytest.param(HEADER + 4, "=I", COUNT, "a link in it leads nowhere", id="link"),
        pytest.param(HEADER + 132, "=f", float("nan"), "not finite", id="vector"),
        pytest.param(HEADER + RECORD - 8, "=Q", 8, "the same id", id="id"),
        pytest.param(LAYERS, "=I", 5, "impossible length", id="length of higher links"),
        pytest.param(LAYERS, "=I", 0xFFFFFF80, "impossible length|cut off", id="enormous length"),
    ],
)
def test_each_number_that_would_lead_hnswlib_astray_is_found(
    path: Path, at: int, kind: str, value: float, fault: str
) -> None:
    overwrite(path, at, kind, value)
    with pytest.raises(ValueError, match=fault):
        HnswStore.load(path, DIM)


def test_a_link_to_a_node_that_is_not_in_that_layer_is_found(path: Path) -> None:
    at = first_node_above(path)
    only_below = (at - 4 - LAYERS) // 4 - 1  # the node before it
    overwrite(path, at, "=HHI", 1, 0, only_below)
    assert graph_fault(path, DIM) == "a link in it leads nowhere"


def test_more_links_in_a_higher_layer_than_there_is_room_for_are_found(path: Path) -> None:
    overwrite(path, first_node_above(path), "=H", 17)
    assert graph_fault(path, DIM) == "a node in it has more links than there is room for"


@pytest.mark.parametrize("size", [0, 95, HEADER + 5, LAYERS + 3, -1])
def test_a_graph_that_is_cut_off_is_found(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])
    assert graph_fault(path, DIM) in ("it is cut off", "it does not end where it should")


def test_a_graph_that_goes_on_is_found(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")
    assert graph_fault(path, DIM) == "it does not end where it should"


def test_a_graph_with_any_bytes_overwritten_is_refused_or_searched_without_a_crash(path: Path) -> None:
    rng, whole = np.random.default_rng(3), path.read_bytes()
    query = np.ones((1, DIM), np.float32)
    for _ in range(300):
        content = bytearray(whole)
        start = int(rng.integers(len(content) - 8))
        if rng.random() < 0.3:
            start = int(rng.integers(HEADER))
        content[start : start + 4] = rng.bytes(4)
        path.write_bytes(content)
        if graph_fault(path, DIM) is None:
            HnswStore.load(path, DIM).search(query, 10)


def test_the_vector_of_a_removed_node_is_overwritten_and_the_others_are_found_as_before(path: Path) -> None:
    vectors = np.random.default_rng(0).normal(size=(COUNT, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    store = HnswStore.load(path, DIM)
    removed = np.arange(7, 107)
    store.remove(removed)
    store.save(path)
    before = store.search(vectors[100:], 10)
    places = [HEADER + RECORD * row + 132 for row in range(100)]
    stored = [path.read_bytes()[at : at + 4 * DIM] for at in places]
    erase(path, DIM, removed)
    assert not any(vector in path.read_bytes() for vector in stored)
    assert graph_fault(path, DIM) is None
    after = HnswStore.load(path, DIM).search(vectors[100:], 10)
    shared = [len(np.intersect1d(a.ids, b.ids)) / 10 for a, b in zip(after, before, strict=True)]
    assert np.mean(shared) > 0.99
    assert not np.isin([each.ids for each in after], removed).any()


def test_erasing_nothing_changes_nothing(path: Path) -> None:
    before = path.read_bytes()
    erase(path, DIM, np.array([9_999]))
    assert path.read_bytes() == before
