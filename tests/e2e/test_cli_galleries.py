"""``stsearch galleries``: what is listed, found again and taken off the list."""

from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
from gallery_fixtures import Run, make_gallery

from stsearch.gallery import registry


@pytest.fixture
def home() -> Path:
    return registry.data_home(os.environ)


@pytest.fixture
def photos(tmp_path: Path, home: Path) -> Path:
    """Return the parent of two indexed folders, ``a`` and ``b``."""
    for name in ("a", "b"):
        make_gallery(tmp_path / "disk" / name, {"x.jpg": ["exit"]}).close()
        registry.register(tmp_path / "disk" / name / ".stsearch", home)
    return tmp_path / "disk"


def test_the_list_says_what_is_here_missing_or_damaged(run: Run, photos: Path) -> None:
    shutil.rmtree(photos / "a")
    (photos / "b" / ".stsearch" / "manifest.json").write_text("{")
    done = run("galleries")
    assert done.code == 0
    missing, damaged = (line.split("\t") for line in done.out.splitlines())
    assert missing == [str(photos / "a"), "-", "missing"]
    assert damaged[:2] == [str(photos / "b"), "-"]
    assert "is damaged" in damaged[2]
    assert "stsearch galleries forget --missing" in done.err


def test_photographs_that_are_gone_are_said_to_be(run: Run, tmp_path: Path, home: Path) -> None:
    make_gallery(tmp_path / "a", {"x.jpg": ["exit"]}).close()
    shutil.move(tmp_path / "a" / ".stsearch", tmp_path / "apart")
    manifest = tmp_path / "apart" / "manifest.json"
    assert '"photos": ".."' in manifest.read_text()
    registry.register(tmp_path / "apart", home)
    [line] = run("galleries", "--json").out.splitlines()
    assert json.loads(line)["folder"] == str(tmp_path)
    assert (json.loads(line)["state"], json.loads(line)["photos"]) == ("here", 1)


def test_an_error_of_the_system_is_listed_in_words(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr("stsearch.gallery.gallery.Gallery.open", fail)
    listed = run("galleries").out
    assert "Input/output error" in listed
    assert "Errno" not in listed


def test_moved_galleries_are_found_and_listed(run: Run, photos: Path, home: Path, tmp_path: Path) -> None:
    photos.rename(tmp_path / "moved")
    done = run("galleries", "find", tmp_path)
    assert done.out.splitlines() == [f"listed {tmp_path}/moved/{name}/.stsearch" for name in "ab"]
    assert "Found 2 galleries, 2 of them new to the list." in done.err
    assert f"Missing: {photos}/a, {photos}/b. To take off the list: stsearch galleries forget" in done.err
    assert run("search", "exit", "-l").code == 0
    assert run("galleries", "find", tmp_path).out == ""


def test_missing_ones_leave_the_list_and_the_others_stay(run: Run, photos: Path, home: Path) -> None:
    shutil.rmtree(photos / "a")
    assert run("galleries", "forget", "--missing").out == f"forgot {photos}/a/.stsearch\n"
    assert registry.listed(home) == [photos / "b" / ".stsearch"]


@pytest.mark.parametrize("name", ["b", "b/.stsearch"])
def test_one_that_is_named_leaves_the_list_and_keeps_its_files(
    run: Run, photos: Path, home: Path, name: str
) -> None:
    assert run("galleries", "forget", photos / name).code == 0
    assert registry.listed(home) == [photos / "a" / ".stsearch"]
    assert registry.is_gallery(photos / "b" / ".stsearch")


@pytest.mark.parametrize("arguments", [[], ["/absent"]])
def test_what_is_not_listed_cannot_be_taken_off(run: Run, photos: Path, arguments: list[str]) -> None:
    assert run("galleries", "forget", *arguments).code == 2


def test_without_any_gallery_the_list_says_how_to_make_one(run: Run) -> None:
    done = run("galleries")
    assert (done.code, done.out) == (0, "")
    assert "begin with: stsearch index FOLDER" in done.err
