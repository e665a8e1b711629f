"""Damage to the files of a gallery: it is found, and no search answers wrongly or crashes because of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from gallery_fixtures import OTHER_MODEL, LetterEncoder, make_gallery
from long_runs import times

from stsearch.errors import StsearchError
from stsearch.gallery import gallery as gallery_module
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.manifest import Manifest
from stsearch.gallery.vector_store import HnswStore
from stsearch.gallery.verify import verify
from stsearch.search.engine import SearchOptions, search
from stsearch.search.query import Query

WORDS = "coffee bakery exit hotel bar taxi open cinema museum library station florist".split()
QUERIES = ("coffee", "hotell", "open taxi", "exit")
PAGE = 4096

Damage = Callable[[bytes, np.random.Generator], bytes]


def flip_a_bit(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    changed[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def zero_a_page(content: bytes, rng: np.random.Generator) -> bytes:
    page = PAGE if len(content) > PAGE else 64
    start = page * int(rng.integers(-(-len(content) // page)))
    return (content[:start] + bytes(page) + content[start + page :])[: len(content)]


def overwrite_some(content: bytes, rng: np.random.Generator) -> bytes:
    start, length = int(rng.integers(len(content))), int(rng.integers(1, 200))
    return (content[:start] + rng.bytes(length) + content[start + length :])[: len(content)]


def cut_the_end_off(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(len(content)))]


def append_some(content: bytes, rng: np.random.Generator) -> bytes:
    return content + rng.bytes(int(rng.integers(1, 2 * PAGE)))


DAMAGES: tuple[Damage, ...] = (flip_a_bit, zero_a_page, overwrite_some, cut_the_end_off, append_some)


def answers(folder: Path) -> list[tuple[object, ...]]:
    """Return everything a user sees of the hits for some queries."""
    with Gallery.open(folder) as gallery:
        return [
            (hit.query, hit.rank, round(hit.score, 5), hit.path, hit.transcript, hit.polygon.tobytes())
            for query in QUERIES
            for hit in search(gallery, Query(query), LetterEncoder(), SearchOptions(top=8))
        ]


def rows(folder: Path) -> object:
    """Return what the catalog holds, read without its own code."""
    try:
        with contextlib.closing(sqlite3.connect(folder / "catalog.sqlite3")) as database:
            return [
                database.execute(f"SELECT {columns} FROM {table} NOT INDEXED").fetchall()
                for table, columns in (
                    ("contents", "id, sha256, height, width, files"),
                    ("images", "path, size, mtime_ns, status, content_id, reason"),
                    ("instances", "id, content_id, polygon, score, transcript, folded, confidence, vector"),
                    ("instances", "characters"),
                    ("manifest_copy", "body"),
                )
            ]
    except (sqlite3.Error, ValueError, MemoryError) as error:
        return type(error)


@dataclass(frozen=True)
class Whole:
    """An undamaged gallery: its files, what it holds and what it answers."""

    folder: Path
    files: dict[str, bytes]

    def restore(self) -> None:
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        for name, content in self.files.items():
            (self.folder / name).write_bytes(content)

    def holds(self) -> tuple[object, ...]:
        stores = [path.read_bytes() for path in sorted(self.folder.glob("vectors*"))]
        try:
            return rows(self.folder), Manifest.read(self.folder), stores
        except StsearchError as error:
            return rows(self.folder), type(error), stores


@pytest.fixture
def whole(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Whole:
    """Return a gallery whose vector file is searched, or not opened when the parameter is true."""
    if not getattr(request, "param", False):
        monkeypatch.setattr(gallery_module, "EXACT_LIMIT", 4)
    with make_gallery(tmp_path, {f"{word}.jpg": [word, word[:3]] for word in WORDS}) as gallery:
        folder = gallery.folder
    return Whole(folder, {path.name: path.read_bytes() for path in folder.iterdir()})


def endure(whole: Whole, name: str, count: int) -> dict[str, int]:
    """Damage one file of a gallery ``count`` times, and return how often what happened."""
    rng = np.random.default_rng(7)
    held, expected = whole.holds(), answers(whole.folder)
    tally = dict.fromkeys(("refused", "answered", "found", "changed"), 0)
    for number in range(count):
        damage = DAMAGES[number % len(DAMAGES)]
        damaged = damage(whole.files[name], rng)
        what = f"{damage.__name__}, number {number}"
        (whole.folder / name).write_bytes(damaged)
        try:
            assert answers(whole.folder) == expected, what
            tally["answered"] += 1
        except StsearchError:
            tally["refused"] += 1
        whole.restore()
        (whole.folder / name).write_bytes(damaged)
        changed = whole.holds() != held
        whole.restore()
        (whole.folder / name).write_bytes(damaged)
        found = bool(list(verify(whole.folder)))
        assert found or not changed, what
        tally["found"] += found
        tally["changed"] += changed
        whole.restore()
    return tally


FILES = [
    pytest.param(False, "manifest.json", id="manifest"),
    pytest.param(False, "catalog.sqlite3", id="catalog"),
    pytest.param(False, "vectors-1.hnsw", id="vectors"),
    pytest.param(True, "catalog.sqlite3", id="catalog, searched exactly"),
    pytest.param(True, "vectors-1.hnsw", id="vectors, searched exactly"),
]


@pytest.mark.parametrize(("whole", "name"), FILES, indirect=["whole"])
def test_no_damage_stays_hidden_or_changes_an_answer(whole: Whole, name: str) -> None:
    tally = endure(whole, name, 25)
    assert tally["found"] > 0


@pytest.mark.long
@pytest.mark.parametrize(("whole", "name"), FILES, indirect=["whole"])
def test_none_of_thousands_of_damages_stays_hidden_or_changes_an_answer(
    whole: Whole, name: str, pytestconfig: pytest.Config
) -> None:
    tally = endure(whole, name, times(2000))
    pytestconfig.get_terminal_writer().line(f"{name}: {tally}")


@pytest.mark.parametrize("deep", [False, True])
def test_an_undamaged_gallery_has_no_findings(whole: Whole, deep: bool) -> None:
    assert list(verify(whole.folder, deep)) == []


@pytest.mark.parametrize("name", ["manifest.json", "catalog.sqlite3", "vectors-1.hnsw"])
def test_a_file_that_is_gone_is_found(whole: Whole, name: str) -> None:
    (whole.folder / name).unlink()
    assert [Path(finding.file).name for finding in verify(whole.folder)] == [name]


def test_a_manifest_of_other_weights_is_found(whole: Whole) -> None:
    Manifest("..", OTHER_MODEL).write(whole.folder)
    [finding] = verify(whole.folder)
    assert finding.what == "it belongs to another manifest: other weights, or other photographs"


def test_deep_finds_a_photo_that_changed_under_the_same_size_and_time(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"a.jpg": ["exit"]}) as gallery:
        known = gallery.catalog.record_at("a.jpg")
    assert known is not None
    path = tmp_path / "a.jpg"
    path.write_bytes(b"x" * known.file.size)
    os.utime(path, ns=(known.file.mtime_ns, known.file.mtime_ns))
    assert list(verify(tmp_path / ".stsearch")) == []
    [finding] = verify(tmp_path / ".stsearch", deep=True)
    assert finding.file == path


def test_deep_finds_a_store_without_all_the_words(whole: Whole, monkeypatch: pytest.MonkeyPatch) -> None:
    load = HnswStore.load

    def load_less(path: Path, dim: int) -> HnswStore:
        store = load(path, dim)
        monkeypatch.setattr(store, "ids", lambda: np.arange(5))
        return store

    monkeypatch.setattr(HnswStore, "load", load_less)
    [finding] = verify(whole.folder, deep=True)
    assert finding.what == "20 instances are not in it"


@pytest.mark.parametrize("name", ["manifest.json", "vectors-1.hnsw"])
def test_a_damaged_manifest_or_store_is_remade_from_the_catalog(whole: Whole, name: str) -> None:
    expected = answers(whole.folder)
    (whole.folder / name).write_bytes(b"{}")
    with Gallery.edit(whole.folder, restore=True) as gallery:
        gallery.finish(anew=True)
    assert list(verify(whole.folder, deep=True)) == []
    assert answers(whole.folder) == expected


def test_rebuilding_leaves_a_manifest_of_a_newer_format_alone(whole: Whole) -> None:
    path = whole.folder / "manifest.json"
    path.write_bytes(b'{"format": 99}')
    with pytest.raises(StsearchError, match="upgrade stsearch"):
        Gallery.edit(whole.folder, restore=True)
    assert path.read_bytes() == b'{"format": 99}'


def test_without_a_manifest_or_its_copy_there_is_nothing_to_rebuild_from(whole: Whole) -> None:
    (whole.folder / "manifest.json").unlink()
    with contextlib.closing(sqlite3.connect(whole.folder / "catalog.sqlite3")) as database:
        database.execute("DELETE FROM manifest_copy")
        database.commit()
    with pytest.raises(StsearchError, match="the manifest is lost"):
        Gallery.edit(whole.folder, restore=True)
