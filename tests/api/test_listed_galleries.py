"""photos.py: which galleries are opened when none is named, and what one that cannot be costs."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from gallery_fixtures import (
    OTHER_MODEL,
    make_gallery,
    photo_bytes,
)

import stsearch
from stsearch.errors import GalleryDamagedError, GalleryNotFoundError, WeightsError
from stsearch.gallery import registry
from stsearch.gallery.gallery import Gallery
from stsearch.types import ModelInfo


def words(hits: Sequence[stsearch.Hit]) -> list[str]:
    return [hit.transcript for hit in hits]


def test_without_a_name_the_nearest_gallery_is_opened(signs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (signs / "sub").mkdir()
    monkeypatch.chdir(signs / "sub")
    with stsearch.open() as photos:
        assert photos.galleries[0].roots == (signs,)


def test_nothing_indexed_is_an_error_that_says_how_to_begin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(GalleryNotFoundError, match="stsearch index FOLDER"):
        stsearch.open()
    with pytest.raises(GalleryNotFoundError, match="stsearch index"):
        stsearch.open(tmp_path / "nowhere")


def test_the_weights_that_a_gallery_names_must_be_installed(tmp_path: Path) -> None:
    make_gallery(tmp_path, {"a.jpg": ["exit"]}).close()
    with (
        stsearch.open(tmp_path) as photos,
        pytest.raises(WeightsError, match=r"letters .*not installed, only: tiny"),
    ):
        photos.search("exit")


def test_of_several_galleries_those_of_other_weights_are_passed_over(signs: Path, tmp_path: Path) -> None:
    def gallery_of(model: ModelInfo) -> Path:
        folder = tmp_path / model.name
        folder.mkdir()
        Gallery.create(folder / ".stsearch", folder, model).close()
        return folder

    notes: list[str] = []
    with stsearch.open(signs, gallery_of(OTHER_MODEL), notify=notes.append) as photos:
        assert words(photos.search("coffee")) == ["Coffee"]
    assert len(notes) == 1
    assert notes[0].startswith("passed over: ")


def test_where_no_gallery_has_weights_that_are_here_that_is_the_error(
    tmp_path: Path, letters: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        folder = tmp_path / name
        folder.mkdir()
        Gallery.create(folder / ".stsearch", folder, OTHER_MODEL).close()
        registry.register(folder / ".stsearch", registry.data_home(os.environ))
    monkeypatch.setattr("stsearch.weights.card.find_by_sha256", lambda sha256, name: name)
    monkeypatch.chdir(tmp_path)
    with stsearch.open(notify=lambda _: None) as photos, pytest.raises(WeightsError) as raised:
        photos.search("coffee")
    assert raised.value.exit_code == 13


def list_galleries(*folders: Path) -> None:
    for folder in folders:
        registry.register(folder / ".stsearch", registry.data_home(os.environ))


def change_a_row(photos: Path) -> None:
    with contextlib.closing(sqlite3.connect(photos / ".stsearch" / "catalog.sqlite3")) as database:
        database.execute("UPDATE instances SET transcript = 'exid'")
        database.commit()


def test_a_listed_gallery_that_is_damaged_is_passed_over(
    signs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("unopened", "unsearched"):
        make_gallery(tmp_path / name, {"c.jpg": ["coffee"]}).close()
    (tmp_path / "unopened" / ".stsearch" / "manifest.json").write_text("{}")
    change_a_row(tmp_path / "unsearched")
    list_galleries(signs, tmp_path / "unopened", tmp_path / "unsearched")
    monkeypatch.chdir(tmp_path)
    notes: list[str] = []
    with stsearch.open(notify=notes.append) as photos:
        for _ in range(2):  # each is named once
            assert words(photos.search("coffee")) == ["Coffee"]
        assert [type(error) for error in photos.passed_over] == [GalleryDamagedError] * 2
    assert [note.split()[2] for note in notes] == [
        str(tmp_path / "unopened" / ".stsearch" / "manifest.json"),
        str(tmp_path / "unsearched" / ".stsearch" / "catalog.sqlite3"),
    ]


def test_a_damaged_gallery_that_is_named_or_the_only_one_is_an_error(
    signs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_a_row(signs)
    list_galleries(signs)
    monkeypatch.chdir(tmp_path)
    for folders in ([signs], []):
        with stsearch.open(*folders) as photos, pytest.raises(GalleryDamagedError):
            photos.search("coffee")


def test_a_data_folder_that_cannot_be_written_to_costs_the_list_only(
    tmp_path: Path, letters: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(photo_bytes("exit"))
    notes: list[str] = []
    with stsearch.index(tmp_path / "photos", notify=notes.append) as photos:
        assert words(photos.search("exit")) == ["exit"]
    [note] = notes
    assert "is not listed among your galleries" in note
