"""What ``stsearch index`` says and does when the folder, or what reads it, is not what it was."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from gallery_fixtures import OTHER_MODEL, Run, photo_bytes

from stsearch.types import ModelInfo


def empty(folder: Path) -> None:
    """Let ``folder`` look as its mount point does when its share is not mounted."""
    folder.rename(folder.with_name("the share"))
    folder.mkdir()


def galleries(home: Path) -> list[str]:
    path = home / "stsearch" / "galleries.json"
    return json.loads(path.read_text())["galleries"] if path.exists() else []


def test_a_share_that_is_not_mounted_ends_with_3_and_empties_nothing(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    run("index", photos, "--index", tmp_path / "gal")
    empty(photos)
    done = run("index", photos, "--index", tmp_path / "gal")
    assert done.code == 3
    assert "0 removed" in done.out
    assert "3 of 3 known photos are missing, as if a share were not mounted: nothing was removed." in done.err
    assert run("search", "coffee", "--index", tmp_path / "gal").code == 0
    forecast = run("index", photos, "--index", tmp_path / "gal", "--dry-run", "--json")
    expected = {"missing": 3, "known": 3, "other_device": False, "in_bucket": False}
    assert json.loads(forecast.out)["vanished"] == expected
    assert "3 removed" in run("index", photos, "--index", tmp_path / "gal", "--prune").out


def test_a_quiet_index_still_says_what_is_missing_and_what_cannot_be_read(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    run("index", photos, "--index", tmp_path / "gal")
    empty(photos)
    (photos / "bad.jpg").touch()
    done = run("index", photos, "--index", tmp_path / "gal", "-q")
    assert (done.code, done.out) == (3, "")
    assert done.err.startswith("3 of 3 known photos are missing")
    assert "  bad.jpg: the file is empty\n" in done.err


def test_no_gallery_is_made_on_an_empty_mount_point_over_a_registered_one(run: Run, photos: Path) -> None:
    run("index", photos)
    empty(photos)
    done = run("index", photos)
    assert (done.code, done.out) == (3, "")
    assert "holds no photos, and did when it was indexed, as if a share were not mounted" in done.err
    assert list(photos.iterdir()) == []
    assert run("index", photos, "--prune").code == 0
    assert list(photos.iterdir()) == []


def test_an_empty_mount_point_is_known_by_the_gallery_that_a_read_only_share_has_elsewhere(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda _path, mode: mode != os.W_OK)
        run("index", photos)
    empty(photos)
    done = run("index", photos)
    assert (done.code, list(photos.iterdir())) == (3, [])
    assert run("search", "coffee").code == 0


@pytest.fixture
def mounted(photos: Path, tmp_path: Path) -> Iterator[Path]:
    """Yield a folder of its own device, in which the photographs lie."""
    share = tmp_path / "nas"
    share.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "none", share], capture_output=True, check=False).returncode:
        pytest.skip("only root may mount")
    for photo in photos.iterdir():
        (share / photo.name).write_bytes(photo.read_bytes())
    yield share
    subprocess.run(["umount", "-q", share], check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="mounts as Linux does")
def test_a_real_share_that_is_not_mounted_empties_nothing(run: Run, mounted: Path, tmp_path: Path) -> None:
    run("index", mounted, "--index", tmp_path / "gal")
    subprocess.run(["umount", mounted], check=True)
    (mounted / "coffee.png").write_bytes(photo_bytes("coffee"))  # two of three are gone: the device tells
    done = run("index", mounted, "--index", tmp_path / "gal")
    assert done.code == 3
    assert "2 of 3 known photos are missing, and the folder is on another device than before" in done.err
    assert run("search", "hotel", "--index", tmp_path / "gal").code == 0


def test_a_folder_without_photos_is_named_and_no_gallery_is_made_or_registered(
    run: Run, tmp_path: Path
) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("a.pdf", "b.PDF", "film.mp4", "notes"):
        (folder / name).touch()
    done = run("index", folder)
    assert (done.code, done.err.splitlines()[-1]) == (0, f"No photos found in {folder}.")
    assert done.out.splitlines()[-1] == "Passed over: 2 .pdf, 1 without an ending, 1 .mp4."
    assert not (folder / ".stsearch").exists()
    assert galleries(Path(os.environ["XDG_DATA_HOME"])) == []
    summary = json.loads(run("index", folder, "--json").out)
    assert (summary["new"], summary["passed_over"]) == (0, {".pdf": 2, "": 1, ".mp4": 1})


def test_everything_passed_over_is_counted_in_the_summary_and_in_the_status(run: Run, photos: Path) -> None:
    for name in ("scan.pdf", "raw.CR2", "raw2.cr2", "notes"):
        (photos / name).touch()
    counted = {".cr2": 2, ".pdf": 1, "": 1}
    assert "Passed over: 2 .cr2, 1 without an ending, 1 .pdf." in run("index", photos).out
    assert json.loads(run("index", photos, "--json").out)["passed_over"] == counted
    assert json.loads(run("status", "--index", photos, "--json").out)["passed_over"] == counted
    assert "passed over  2 .cr2, 1 without an ending, 1 .pdf\n" in run("status", "--index", photos).out
    assert json.loads(run("index", photos, "--dry-run", "--json").out)["passed_over"] == counted
    assert "Passed over: 2 .cr2" in run("index", photos, "--dry-run").out


def test_what_one_more_package_would_read_is_named_with_its_command(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pypdfium2", None)
    (photos / "scan.pdf").write_bytes(b"%PDF-1.4")
    done = run("index", photos)
    assert "Passed over: 1 .pdf.\n" in done.out
    assert "To read 1 .pdf too: pip install 'stsearch[pdf]'\n" in done.err


def test_listed_files_that_are_passed_over_are_counted(run: Run, photos: Path, tmp_path: Path) -> None:
    (photos / "scan.pdf").touch()
    (tmp_path / "list").write_text(f"{photos}/exit.png\n{photos}/scan.pdf\n")
    assert "Passed over: 1 .pdf." in run("index", photos, "--files-from", tmp_path / "list").out


def test_many_endings_are_counted_together(run: Run, photos: Path) -> None:
    for number in range(20):
        (photos / f"x.e{number:02}").touch()
    assert ", 1 .e11, 8 with 8 other endings.\n" in run("index", photos).out


def test_one_more_ending_is_named_too(run: Run, photos: Path) -> None:
    for number in range(13):
        (photos / f"x.e{number:02}").touch()
    assert ", 1 .e11, 1 .e12.\n" in run("index", photos).out


def test_other_weights_are_refused_with_the_command_that_reads_anew(
    run: Run, photos: Path, model: list[ModelInfo]
) -> None:
    run("index", photos)
    model[0] = replace(OTHER_MODEL, name="letters")  # an upgrade of the same name
    done = run("index", photos)
    assert done.code == 13
    assert f"read its photos anew with: stsearch index {photos} --reread" in done.err
    done = run("index", photos, "--reread")
    assert (done.code, done.out.splitlines()[0]) == (
        0,
        "0 new, 0 changed, 0 moved, 0 removed, 0 unchanged, 3 read again",
    )
    assert run("search", "coffee", "--index", photos).code == 0
    assert run("index", photos).out.startswith("0 new, 0 changed, 0 moved, 0 removed, 3 unchanged\n")


def test_a_gallery_outside_its_folder_follows_a_move(run: Run, photos: Path, tmp_path: Path) -> None:
    run("index", photos, "--index", tmp_path / "gal")
    new = photos.rename(tmp_path / "new place")
    done = run("index", new, "--index", tmp_path / "gal")
    assert done.code == 2
    assert "if these are the same in another place, add --moved" in done.err
    done = run("index", new, "--index", tmp_path / "gal", "--moved")
    assert (done.code, done.out.splitlines()[0]) == (0, "0 new, 0 changed, 0 moved, 0 removed, 3 unchanged")
    assert run("search", "coffee", "--index", tmp_path / "gal", "-l").out == f"{new}/coffee.png\n"


def test_a_gallery_made_without_the_recognizer_says_so_and_the_next_run_completes_it(
    run: Run, photos: Path
) -> None:
    run("index", photos, "--no-read")
    remark = f"3 photos read without the recognizer; complete it with: stsearch index {photos}"
    assert remark in run("search", "coffee", "--index", photos).err
    left = f"left to do   3 photos read without the recognizer: stsearch index {photos}\n"
    assert left in run("status", "--index", photos).out
    assert "3 read again" in run("index", photos).out
    assert "recognizer" not in run("search", "coffee", "--index", photos).err


def test_a_gallery_that_is_not_complete_says_so(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_self: object, _images: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gallery_fixtures.ColourSpotter.spot", interrupt)
        assert run("index", photos).code == 130
    remark = f"0 of 3 files read before the last run ended; complete it with: stsearch index {photos}"
    assert remark in run("search", "coffee", "--index", photos).err
    assert json.loads(run("status", "--index", photos, "--json").out)["pending"]["found"] == 3
    run("index", photos)
    assert "complete it" not in run("search", "coffee", "--index", photos).err


def test_a_folder_inside_an_indexed_one_and_above_it_is_said_to_be_indexed_twice(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    (photos / "sub").mkdir()
    (photos / "sub" / "a.png").write_bytes(photo_bytes("bakery"))
    run("index", photos)
    assert (
        f"{photos} is indexed too: what both folders hold is found twice" in run("index", photos / "sub").err
    )
    assert "found twice" not in run("index", photos / "sub").err
    above = run("index", tmp_path).err
    assert f"{photos} is indexed too" in above
    assert f"{photos}/sub is indexed too" in above


def test_the_first_line_says_what_is_indexed_and_where_to(run: Run, photos: Path, tmp_path: Path) -> None:
    assert run("index", photos).err.splitlines()[0] == f"Indexing {photos} → {photos}/.stsearch …"


def test_deleted_photos_are_marked_in_results_and_leave_at_the_next_run(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("index", photos)
    (photos / "coffee.png").unlink()
    done = run("search", "coffee", "--index", photos, "--top", "1")
    assert "(deleted)" not in done.out  # scripts read the path
    assert "1 photo is no longer there" in done.err
    assert json.loads(run("search", "coffee", "--index", photos, "--json", "-n", "1").out)["deleted"] is True
    with monkeypatch.context() as patch:
        patch.setenv("TERM", "dumb")
        patch.setattr("sys.stdout.isatty", lambda: True)
        assert "coffee.png (deleted)" in run("search", "coffee", "--index", photos).out.replace("\n", "")
    run("index", photos)
    assert "no longer there" not in run("search", "coffee", "--index", photos).err


def test_photos_on_a_mount_that_does_not_answer_are_not_called_deleted(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("index", photos)

    lstat = Path.lstat

    def fail(path: Path) -> os.stat_result:
        if path.suffix == ".png":
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN), str(path))
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", fail)
    done = run("search", "coffee", "--index", photos, "--json", "-n", "1")
    assert "deleted" not in json.loads(done.out)
    assert "no longer there" not in done.err


def test_forgetting_a_link_forgets_its_own_name(run: Run, photos: Path) -> None:
    (photos / "link.png").symlink_to("coffee.png")
    run("index", photos, "--follow")
    assert run("forget", photos / "link.png", "--index", photos).code == 0
    assert run("search", "coffee", "--index", photos, "-l").out.splitlines()[0] == f"{photos}/coffee.png"
