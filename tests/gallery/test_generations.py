"""The files of a gallery belong together, and what was interrupted is completed."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallery_fixtures import FIRST_FORMAT, MODEL, OTHER_MODEL, make_gallery, nearest, spotted

from stsearch.errors import GalleryDamagedError, GalleryUnreadableError, UsageError, WriteError
from stsearch.gallery import gallery as gallery_module
from stsearch.gallery import last_run, vector_file
from stsearch.gallery.catalog import Catalog
from stsearch.gallery.connection import Connection
from stsearch.gallery.database import Database
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.manifest import Manifest
from stsearch.gallery.schema import COLUMNS, MIGRATIONS
from stsearch.gallery.vector_store import HnswStore
from stsearch.gallery.verify import verify

WORDS = ("coffee", "bakery", "exit", "hotel", "bar", "taxi")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a gallery of six words where more than four are searched through the vector file."""
    monkeypatch.setattr(gallery_module, "EXACT_LIMIT", 4)
    with make_gallery(tmp_path, {f"{word}.jpg": [word] for word in WORDS}) as gallery:
        return gallery.folder


def found(folder: Path, word: str, notify: Callable[[str], None] = print) -> list[str]:
    with Gallery.open(folder, notify) as reader:
        return list(reader.candidates(nearest(word)).transcripts)


def findings(folder: Path) -> list[str]:
    return [finding.what for finding in verify(folder, deep=True)]


def test_a_manifest_of_other_weights_is_refused_and_stays_proven(folder: Path) -> None:
    right = Manifest.read(folder)
    dataclasses.replace(right, model=OTHER_MODEL).write(folder)
    attempts: list[Callable[[], Gallery]] = [
        lambda: Gallery.open(folder),
        lambda: Gallery.create(folder, folder.parent, MODEL),
        lambda: Gallery.create(folder, folder.parent, OTHER_MODEL),
        lambda: Gallery.edit(folder),
    ]
    for open_it in attempts:
        with pytest.raises(GalleryDamagedError, match=r"is of another gallery, with the weights others"):
            open_it()
    assert findings(folder)[0] == "it belongs to another manifest: other weights, or other photographs"
    with Gallery.edit(folder, restore=True) as gallery:
        gallery.finish(anew=True)
    assert findings(folder) == []
    assert Manifest.read(folder).is_of(right)


@pytest.fixture
def restored(folder: Path, tmp_path: Path) -> Path:
    """Return the gallery with its catalog as it was before the last run, and a newer vector file."""
    shutil.copyfile(folder / "catalog.sqlite3", tmp_path / "backup")
    with Gallery.create(folder, folder.parent, MODEL) as gallery:
        gallery.add([spotted("new.jpg", "museum")])
        gallery.finish()
    shutil.copyfile(tmp_path / "backup", folder / "catalog.sqlite3")
    return folder


def test_an_older_catalog_beside_a_newer_vector_file_is_found_and_searched_around(restored: Path) -> None:
    told: list[str] = []
    assert set(found(restored, "hotel", told.append)) == {"hotel"}
    assert "it belongs to another state of the catalog" in told[0]
    assert findings(restored) == [
        "it belongs to another state of the catalog: one of them was restored or copied alone"
    ]


def test_the_next_run_ties_a_restored_catalog_to_a_vector_file_of_its_own(restored: Path) -> None:
    with Gallery.create(restored, restored.parent, MODEL) as gallery:
        gallery.add([spotted("other.jpg", "florist")])  # has the id that the lost word had
        gallery.finish()
    assert findings(restored) == []
    told: list[str] = []
    assert found(restored, "florist", told.append) == ["florist"]
    assert told == []


def test_what_a_writer_replaced_since_a_gallery_was_opened_is_opened_again(folder: Path) -> None:
    told: list[str] = []
    with Gallery.open(folder, told.append) as reader:
        with Gallery.create(folder, folder.parent, MODEL) as gallery:
            gallery.add([spotted("new.jpg", "museum")])
            gallery.finish()
        assert list(reader.candidates(nearest("museum")).transcripts) == ["museum"]
    assert told == []


def enlarge(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 40)


def full_disk(*_: object, **__: object) -> None:
    raise WriteError("cannot write: the disk is full")


@pytest.mark.parametrize(
    ("owner", "step"), [(Catalog, "wipe"), (vector_file, "write")], ids=["rewriting", "vector file"]
)
def test_forgetting_that_stops_is_found_and_completed_by_the_same_call(
    folder: Path, owner: Any, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hotel = folder.parent / "hotel.jpg"
    with monkeypatch.context() as full, Gallery.edit(folder) as gallery:
        full.setattr(owner, step, full_disk)
        with pytest.raises(WriteError):
            gallery.forget([hotel])
    assert "forgetting was interrupted; complete it with: stsearch rebuild" in findings(folder)
    assert "hotel" not in found(folder, "hotel")
    with Gallery.edit(folder) as gallery:
        assert gallery.forget([hotel]) == 0
    assert findings(folder) == []
    assert all(b"hotel" not in file.read_bytes() for file in folder.iterdir())
    with Gallery.edit(folder) as gallery, pytest.raises(UsageError, match="is not in the gallery"):
        gallery.forget([hotel])


def stop_at(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Interrupt the ``number``-th change from now on, to a file or to the catalog, before it is made."""
    steps = itertools.count()

    def interrupt(change: Callable[..., object]) -> Callable[..., object]:
        def interrupted(*arguments: Any, **options: Any) -> object:  # Any: those of the change
            if next(steps) == number:
                raise KeyboardInterrupt
            return change(*arguments, **options)

        return interrupted

    monkeypatch.setattr(Connection, "execute_all", interrupt(Connection.execute_all))
    for owner, name in ((Path, "replace"), (Path, "unlink"), (HnswStore, "save")):
        monkeypatch.setattr(owner, name, interrupt(getattr(owner, name)))


def test_forgetting_that_is_interrupted_at_any_step_is_completed_by_the_same_call(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in itertools.count():
        copy = tmp_path / str(number)
        shutil.copytree(folder, copy / ".stsearch")
        try:
            with monkeypatch.context() as interrupted, Gallery.edit(copy / ".stsearch") as gallery:
                stop_at(number, interrupted)
                gallery.forget([copy / "hotel.jpg"])
            break  # after its last step
        except KeyboardInterrupt:
            known = found(copy / ".stsearch", "hotel") == ["hotel"]
            assert known or any("forgetting was interrupted" in what for what in findings(copy / ".stsearch"))
        with Gallery.edit(copy / ".stsearch") as gallery:
            gallery.forget([copy / "hotel.jpg"])
        assert findings(copy / ".stsearch") == []
        assert all(b"hotel" not in file.read_bytes() for file in (copy / ".stsearch").iterdir())
    assert number > 10


def test_forgetting_that_stops_is_completed_by_the_next_run(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as full, Gallery.edit(folder) as gallery:
        full.setattr(Catalog, "wipe", full_disk)
        with pytest.raises(WriteError):
            gallery.forget([folder.parent / "hotel.jpg"])
    with Gallery.create(folder, folder.parent, MODEL) as gallery:
        gallery.finish()
    assert findings(folder) == []


def test_forgetting_builds_no_large_graph_anew_and_leaves_no_vector(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_module, "QUICK_LIMIT", 4)
    forgotten = HnswStore.load(folder / "vectors-1.hnsw", MODEL.dim)._index.get_items([4])[0]
    monkeypatch.setattr(HnswStore, "add", full_disk)  # of nothing
    monkeypatch.setattr(vector_file, "fill", lambda store, *_: store)
    with Gallery.edit(folder) as gallery:
        gallery.forget([folder.parent / "hotel.jpg"])
        assert gallery.manifest.store is not None
        path = folder / gallery.manifest.store.file
    assert np.asarray(forgotten, np.float32).tobytes() not in path.read_bytes()
    assert findings(folder) == []


def test_damaged_indexes_of_the_catalog_are_remade_by_rebuild(folder: Path) -> None:
    path = folder / "catalog.sqlite3"
    with contextlib.closing(sqlite3.connect(path)) as database:
        [(page,)] = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'instances_folded'")
    content = bytearray(path.read_bytes())
    content[page * 4096 - 200 : page * 4096] = bytes(200)
    path.write_bytes(content)
    assert findings(folder) != []
    with Gallery.edit(folder, restore=True) as gallery:
        gallery.finish(anew=True)
    assert findings(folder) == []


def test_forgetting_that_cannot_begin_forgets_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as full, Gallery.edit(folder) as gallery:
        full.setattr(Manifest, "write", full_disk)
        with pytest.raises(WriteError):
            gallery.forget([folder.parent / "hotel.jpg"])
    assert found(folder, "hotel") == ["hotel"]
    assert findings(folder) == []


def test_what_a_killed_process_began_to_write_is_gone_with_the_next_that_writes(folder: Path) -> None:
    for name in (".vectors-7.hnsw.123", ".manifest.json.123"):
        (folder / name).write_bytes(b"a word that was forgotten")
    Gallery.edit(folder).close()
    assert [file.name for file in folder.iterdir() if file.name.startswith(".")] == []


@pytest.mark.parametrize("name", ["/dev/zero", "../vectors-1.hnsw", "catalog.sqlite3"])
def test_a_manifest_names_no_file_but_a_vector_file_of_its_own(folder: Path, name: str) -> None:
    manifest = Manifest.read(folder)
    assert manifest.store is not None
    dataclasses.replace(manifest, store=dataclasses.replace(manifest.store, file=name)).write(folder)
    with pytest.raises(GalleryDamagedError, match="is no name of a vector file"):
        Gallery.open(folder)


@pytest.mark.parametrize(
    "make",
    [lambda path: path.symlink_to("/dev/zero"), lambda path: enlarge(path)],
    ids=["link", "a terabyte of holes"],
)
def test_a_vector_file_that_is_none_or_enormous_is_not_read(
    folder: Path, make: Callable[[Path], object]
) -> None:
    (folder / "vectors-1.hnsw").unlink()
    make(folder / "vectors-1.hnsw")
    assert findings(folder) == ["it is a link, or larger than the words explain"]


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda path: path.symlink_to("/dev/zero"), GalleryUnreadableError),
        (lambda path: path.write_bytes(b"[" * (1 << 21)), GalleryDamagedError),
    ],
    ids=["link", "too large"],
)
def test_a_manifest_that_is_no_file_of_its_size_is_not_read(
    folder: Path, make: Callable[[Path], object], error: type[Exception]
) -> None:
    (folder / "manifest.json").unlink()
    make(folder / "manifest.json")
    with pytest.raises(error):
        Gallery.open(folder)


def test_links_in_the_place_of_files_lead_a_writer_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / ".stsearch"
    folder.mkdir()
    for name, error in (("lock", WriteError), ("catalog.sqlite3", GalleryDamagedError)):
        (folder / name).symlink_to(tmp_path / "victim")
        with pytest.raises(error):
            Gallery.create(folder, tmp_path, MODEL)
        (folder / name).unlink()
        assert not (tmp_path / "victim").exists()


def test_a_link_in_the_place_of_the_last_run_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "last-run").symlink_to(tmp_path / "victim")
    last_run.note(tmp_path)
    assert not (tmp_path / "victim").exists()
    assert last_run.when(tmp_path) is not None


def test_a_gallery_of_the_first_format_is_searched_and_written_to(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "old" / ".stsearch"
    old.mkdir(parents=True)
    with (
        contextlib.closing(Database(folder / "catalog.sqlite3", MIGRATIONS, COLUMNS)) as new,
        contextlib.closing(
            Database(old / "catalog.sqlite3", MIGRATIONS[:1], FIRST_FORMAT, create=True)
        ) as first,
    ):
        for table, columns in FIRST_FORMAT.items():
            first.insert(table, [row[: columns.count(",")] for row in new.all(table)])
        for row in new.rows("SELECT * FROM manifest_copy"):
            first.execute("INSERT INTO manifest_copy VALUES (?, ?)", row)
    body = json.loads((folder / "manifest.json").read_text())
    manifest = Manifest.read(folder)
    assert manifest.store is not None
    dataclasses.replace(manifest, store=dataclasses.replace(manifest.store, tag="")).write(old)
    shutil.copyfile(folder / body["store"]["file"], old / body["store"]["file"])
    told: list[str] = []
    assert found(old, "hotel", told.append) == ["hotel"]
    with Gallery.create(old, old.parent, MODEL) as gallery:
        gallery.add([spotted("new.jpg", "museum")])
        gallery.finish()
    assert found(old, "museum", told.append) == ["museum"]
    assert told == []
    assert findings(old) == []
