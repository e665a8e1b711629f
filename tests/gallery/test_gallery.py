"""gallery.py, manifest.py, files.py and registry.py: opening, refusing, finishing, where galleries lie."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import stat
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, OTHER_MODEL, make_gallery

from stsearch.errors import (
    GalleryDamagedError,
    GalleryLockedError,
    GalleryNotFoundError,
    NewerFormatError,
    UsageError,
    WeightsError,
    WriteError,
)
from stsearch.gallery import manifest as manifest_module
from stsearch.gallery import registry
from stsearch.gallery.atomic_files import replacing
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.manifest import Manifest, StoreRecord


def test_a_gallery_opens_by_its_folder_and_by_that_of_the_photos(tmp_path: Path) -> None:
    make_gallery(tmp_path, {"a.jpg": ["exit"]}).close()
    for path in (tmp_path, tmp_path / ".stsearch"):
        with Gallery.open(path) as gallery:
            assert gallery.photos == tmp_path
            assert gallery.model == MODEL
            assert gallery.instances().transcripts == ("exit",)


def test_a_gallery_moves_with_its_photos(tmp_path: Path) -> None:
    make_gallery(tmp_path / "here", {"a.jpg": ["exit"]}).close()
    (tmp_path / "here").rename(tmp_path / "there")
    with Gallery.open(tmp_path / "there") as gallery:
        assert gallery.all_photos() == [(tmp_path / "there" / "a.jpg", 1)]


def test_a_folder_without_a_gallery_is_reported(tmp_path: Path) -> None:
    with pytest.raises(GalleryNotFoundError, match="stsearch index FOLDER"):
        Gallery.open(tmp_path)


def test_gallery_files_are_private(tmp_path: Path) -> None:
    make_gallery(tmp_path, {"a.jpg": ["exit"]}).close()
    folder = tmp_path / ".stsearch"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}


def test_the_second_writer_is_refused_and_a_reader_is_not(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"a.jpg": ["exit"]}):
        with pytest.raises(GalleryLockedError, match="another process"):
            Gallery.create(tmp_path / ".stsearch", tmp_path, MODEL)
        with Gallery.open(tmp_path) as reader:
            assert len(reader.instances().ids) == 1
    Gallery.create(tmp_path / ".stsearch", tmp_path, MODEL).close()


def test_other_weights_are_refused_with_the_two_ways_out_and_the_lock_is_free_again(tmp_path: Path) -> None:
    make_gallery(tmp_path, {}).close()
    for _ in range(2):
        with pytest.raises(
            WeightsError,
            match=r"with --model, or read its photos anew with: stsearch index .* --reread, and the same",
        ):
            Gallery.create(tmp_path / ".stsearch", tmp_path, OTHER_MODEL)


def test_the_photos_of_another_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    Gallery.create(tmp_path / "g", tmp_path, MODEL).close()
    with pytest.raises(UsageError, match="name another gallery with --index"):
        Gallery.create(tmp_path / "g", tmp_path / "other", MODEL)


def test_a_gallery_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="cannot make"):
        Gallery.create(tmp_path / "file" / "g", tmp_path, MODEL)


def test_an_old_catalog_beside_a_newer_manifest_is_not_migrated(tmp_path: Path) -> None:
    make_gallery(tmp_path, {}).close()
    folder = tmp_path / ".stsearch"
    with contextlib.closing(sqlite3.connect(folder / "catalog.sqlite3")) as database:
        database.execute("PRAGMA user_version = 0")
    (folder / "manifest.json").write_text('{"format": 99}')
    before = (folder / "catalog.sqlite3").read_bytes()
    with pytest.raises(NewerFormatError):
        Gallery.create(folder, tmp_path, MODEL)
    assert (folder / "catalog.sqlite3").read_bytes() == before


def test_the_weights_of_a_lost_manifest_are_known_to_the_catalog(tmp_path: Path) -> None:
    make_gallery(tmp_path, {"a.jpg": ["exit"]}).close()
    (tmp_path / ".stsearch" / "manifest.json").unlink()
    with pytest.raises(WeightsError):
        Gallery.create(tmp_path / ".stsearch", tmp_path, OTHER_MODEL)


def test_folders_made_for_a_gallery_are_private(tmp_path: Path) -> None:
    Gallery.create(tmp_path / "a" / "b", tmp_path, MODEL).close()
    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b")} == {0o700}


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path) -> None:
    manifest = Manifest("..", MODEL, 7, StoreRecord("vectors-7.hnsw", "ef" * 32, 36, 10, 12, MODEL.sha256, 7))
    manifest.write(tmp_path)
    assert Manifest.read(tmp_path) == manifest


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("[1]", id="no object"),
        pytest.param('{"format": 1}', id="no checksum"),
        pytest.param("\udcff", id="no text"),
        pytest.param("[" * 100_000 + "]" * 100_000, id="nested deeply"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(GalleryDamagedError, match="is damaged"):
        Manifest.read(tmp_path)


def test_a_manifest_that_was_changed_by_hand_is_refused(tmp_path: Path) -> None:
    Manifest("..", MODEL).write(tmp_path)
    path = tmp_path / "manifest.json"
    path.write_text(path.read_text().replace("letters", "lexters"))
    with pytest.raises(GalleryDamagedError, match="checksum"):
        Manifest.read(tmp_path)


def test_a_newer_manifest_is_refused(tmp_path: Path) -> None:
    body = {"format": manifest_module.FORMAT + 1, **dataclasses.asdict(Manifest("..", MODEL))}
    (tmp_path / "manifest.json").write_text(json.dumps(body))
    with pytest.raises(GalleryDamagedError, match="upgrade stsearch"):
        Manifest.read(tmp_path)


def test_a_replacement_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fill_the_disk() -> None:
        with replacing(path) as beside:
            beside.write_text("half")
            raise OSError(28, "No space left on device")

    with pytest.raises(WriteError, match="No space left"):
        fill_the_disk()
    assert [file.name for file in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "old"


def test_data_home_follows_the_xdg_specification() -> None:
    assert registry.data_home({"XDG_DATA_HOME": "/data"}) == Path("/data/stsearch")
    assert registry.data_home({"HOME": "/home/me"}) == Path("/home/me/.local/share/stsearch")


def test_a_read_only_folder_gets_its_gallery_in_the_data_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, photos = tmp_path / "home", tmp_path / "photos"
    photos.mkdir()
    assert registry.place_for(photos, home) == photos / ".stsearch"
    monkeypatch.setattr("os.access", lambda *_: False)
    place = registry.place_for(photos, home)
    assert place.parent == home / "galleries"
    Gallery.create(place, photos, MODEL).close()
    assert registry.find(photos, home) == place
    with Gallery.open(place) as gallery:
        assert gallery.photos == photos


def test_registered_galleries_are_listed_once_while_they_are_there(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert registry.registered(home, print) == []
    for name in ("b", "a", "b"):
        make_gallery(tmp_path / name, {}).close()
        registry.register(tmp_path / name / ".stsearch", home)
    assert registry.registered(home, print) == [tmp_path / "a" / ".stsearch", tmp_path / "b" / ".stsearch"]
    (tmp_path / "a").rename(tmp_path / "elsewhere")
    assert registry.registered(home, print) == [tmp_path / "b" / ".stsearch"]


def test_the_nearest_gallery_is_that_of_the_closest_parent(tmp_path: Path) -> None:
    make_gallery(tmp_path, {}).close()
    make_gallery(tmp_path / "a", {}).close()
    (tmp_path / "a" / "b").mkdir()
    for start in (tmp_path / "a" / "b", tmp_path / "a" / "b" / ".."):
        assert registry.nearest(start, tmp_path / "home", print) == tmp_path / "a" / ".stsearch"


def test_a_path_without_a_gallery_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(GalleryNotFoundError, match="stsearch index"):
        registry.find(tmp_path, tmp_path / "home")
