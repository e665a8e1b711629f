"""What is missing is removed when it was deleted, and stays when it only cannot be seen."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, ColourSpotter, photo_bytes
from indexing_fixtures import counts, paths

from stsearch.gallery.gallery import Gallery
from stsearch.indexing.changes import IndexReport
from stsearch.indexing.indexer import IndexOptions, index_photos
from stsearch.indexing.vanished import Vanished, find_vanished
from stsearch.indexing.walk import WalkRules, walk_photos

PLAIN, PRUNE = IndexOptions(), IndexOptions(prune=True)


def add_photos(folder: Path, number: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(number):
        (folder / f"{i:02}.png").write_bytes(photo_bytes("exit", blue=i))


def index(folder: Path, options: IndexOptions = PLAIN) -> tuple[IndexReport, list[str]]:
    with Gallery.create(folder.parent / "gal", folder, MODEL) as gallery:
        return index_photos(gallery, ColourSpotter(), options), paths(gallery)


def remove_photos(folder: Path, number: int) -> None:
    for path in sorted(folder.glob("*.png"))[:number]:
        path.unlink()


def test_a_share_that_is_not_mounted_empties_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "nas"
    add_photos(folder, 3)
    index(folder)
    folder.rename(tmp_path / "away")
    folder.mkdir()
    report, kept = index(folder)
    assert (counts(report), len(kept)) == ({}, 3)
    assert report.vanished == Vanished(3, 3, other_device=False)
    folder.rmdir()
    (tmp_path / "away").rename(folder)
    assert counts(index(folder)[0]) == {"unchanged": 3}


def test_a_share_that_is_not_mounted_below_the_photos_of_its_mount_point_empties_nothing(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "nas"
    add_photos(folder, 3)
    index(folder)
    remove_photos(folder, 3)
    (folder / "local.png").write_bytes(photo_bytes("hotel"))
    report, kept = index(folder)
    assert counts(report) == {"new": 1}
    assert kept == ["00.png", "01.png", "02.png", "local.png"]


def test_missing_photos_are_removed_when_somebody_means_it(tmp_path: Path) -> None:
    folder = tmp_path / "nas"
    add_photos(folder, 3)
    index(folder)
    remove_photos(folder, 3)
    report, kept = index(folder, PRUNE)
    assert (counts(report), report.vanished, kept) == ({"removed": 3}, None, [])


@pytest.mark.parametrize(
    ("known", "deleted", "removed"),
    [
        pytest.param(19, 18, 18, id="all but one of a few"),
        pytest.param(20, 10, 10, id="half of many"),
        pytest.param(20, 11, 0, id="more than half of many"),
        pytest.param(1, 1, 0, id="the only one"),
    ],
)
def test_more_than_half_of_many_and_all_of_a_few_are_too_many_to_be_meant(
    tmp_path: Path, known: int, deleted: int, removed: int
) -> None:
    folder = tmp_path / "nas"
    add_photos(folder, known)
    index(folder)
    remove_photos(folder, deleted)
    report, kept = index(folder)
    assert (report.removed, len(kept)) == (removed, known - removed)


def test_photos_that_moved_have_not_vanished(tmp_path: Path) -> None:
    folder = tmp_path / "nas"
    add_photos(folder, 3)
    index(folder)
    (folder / "sub").mkdir()
    for path in folder.glob("*.png"):
        path.rename(folder / "sub" / path.name)
    report, kept = index(folder)
    assert (counts(report), len(kept)) == ({"moved": 3}, 3)


def test_photos_that_the_rules_exclude_have_not_vanished(tmp_path: Path) -> None:
    folder = tmp_path / "nas"
    add_photos(folder, 3)
    index(folder)
    assert index(folder, IndexOptions(rules=WalkRules(exclude=("*",))))[1] == []


def on_devices(monkeypatch: pytest.MonkeyPatch, devices: Mapping[str, int]) -> None:
    """Let folders lie on other devices, as mounts would."""

    def walk(root: Path, rules: WalkRules) -> object:
        found = walk_photos(root, rules)
        found.devices.update(devices)
        return found

    monkeypatch.setattr("stsearch.indexing.sources.walk_photos", walk)


def test_nothing_is_removed_from_a_folder_that_is_on_another_device_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "nas"
    add_photos(folder, 5)
    on_devices(monkeypatch, {"": 7})
    index(folder)
    (folder / "00.png").unlink()
    on_devices(monkeypatch, {"": 8})
    for _ in range(2):
        report, kept = index(folder)
        assert (counts(report), len(kept)) == ({"unchanged": 4}, 5)
        assert report.vanished == Vanished(1, 5, other_device=True)
    assert index(folder, PRUNE)[0].removed == 1
    (folder / "01.png").unlink()
    assert index(folder)[0].removed == 1  # the device is known now


def test_a_share_that_is_not_mounted_inside_the_folder_keeps_its_photos(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "photos"
    add_photos(folder, 5)
    add_photos(folder / "nas", 2)
    for number in range(2):
        (folder / "nas" / f"{number:02}.png").write_bytes(photo_bytes("hotel", blue=number))
    on_devices(monkeypatch, {"": 7, "nas/": 8})
    index(folder)
    shutil.rmtree(folder / "nas")
    (folder / "00.png").unlink()
    on_devices(monkeypatch, {"": 7})
    report, kept = index(folder)
    assert (counts(report), len(kept)) == ({"removed": 1, "unchanged": 4}, 6)
    assert report.vanished == Vanished(2, 7, other_device=True)


def test_a_walk_knows_on_which_device_each_folder_lies(tmp_path: Path) -> None:
    add_photos(tmp_path / "a" / "b", 1)
    assert walk_photos(tmp_path).devices == {"": tmp_path.stat().st_dev}


def test_the_message_says_what_was_seen_and_what_to_do() -> None:
    text = str(Vanished(12, 12, other_device=True))
    assert text.startswith("12 of 12 known photos are missing, and the folder is on another device than ")
    assert "nothing was removed" in text
    assert "--prune" in text


@pytest.mark.parametrize(
    ("missing", "known", "said"),
    [
        (1, 1, "1 of 1 known photo is missing"),
        (1, 4, "1 of 4 known photos is missing"),
        (2, 4, "2 of 4 known photos are missing"),
    ],
)
def test_the_message_counts_as_people_do(missing: int, known: int, said: str) -> None:
    assert str(Vanished(missing, known, other_device=False)).startswith(f"{said}, as if")


def test_without_known_photos_nothing_has_vanished(tmp_path: Path) -> None:
    assert find_vanished(lambda _: False, [], 0, {"": 1}, {}) == (set(), None)
