"""The options of ``stsearch index`` that say which photos are looked at."""

from __future__ import annotations

import inspect
import io
import json
from pathlib import Path
from types import SimpleNamespace

import PIL.Image
import pytest
from gallery_fixtures import Done, Run, photo_bytes
from image_fixtures import encode, noise, slow_jpeg

from stsearch.cli.index import index
from stsearch.images import MAX_BYTES, MAX_MEGAPIXELS
from stsearch.indexing.reader import PHOTO_TIMEOUT_S


def feed(monkeypatch: pytest.MonkeyPatch, listing: bytes) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(listing)))


def test_excluded_photos_are_not_indexed_and_leave_the_gallery(run: Run, photos: Path) -> None:
    assert "2 new, " in run("index", photos, "--exclude", "exit.*").out
    assert "0 new, 0 changed, 0 moved, 2 removed, 0 unchanged" in run("index", photos, "--exclude", "*").out


def test_several_patterns_exclude(run: Run, photos: Path) -> None:
    assert "1 new, " in run("index", photos, "--exclude", "exit.*", "--exclude", "h*").out


def test_a_pattern_that_makes_no_sense_ends_with_2_and_makes_no_gallery(run: Run, photos: Path) -> None:
    done = run("index", photos, "--exclude", "!")
    assert (done.code, done.err) == (
        2,
        "error: cannot exclude '!': no pattern in the syntax of .gitignore\n",
    )
    assert not (photos / ".stsearch").exists()


def test_links_are_followed_on_request(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "bakery.png").write_bytes(photo_bytes("bakery"))
    (photos / "out").symlink_to(tmp_path / "other")
    assert "3 new" in run("index", photos).out
    assert "1 new" in run("index", photos, "--follow").out
    assert run("search", "bakery", "-l").out.splitlines()[0] == str(photos / "out" / "bakery.png")


def test_photos_are_taken_from_a_list_in_a_file(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{photos}/exit.png\n../photos/hotel.png\n")
    assert "2 new" in run("index", photos, "--files-from", tmp_path / "list").out


def test_photos_are_taken_from_a_nul_separated_list_on_stdin(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(monkeypatch, b"../photos/exit.png\0../photos/absent.png\0")
    done = run("index", photos, "--files-from", "-", "-0")
    assert done.code == 3
    assert "1 new" in done.out
    assert "absent.png: No such file or directory" in done.err


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--files-from", "absent"], "cannot read the list absent: No such file or directory"),
        (["--files-from", "-"], "'../other.png' lies outside "),
        (["--null"], "--null says how the list of --files-from is separated"),
    ],
)
def test_a_list_that_makes_no_sense_ends_with_2(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], reason: str
) -> None:
    feed(monkeypatch, b"../other.png\n")
    done = run("index", photos, *arguments)
    assert done.code == 2
    assert reason in done.err


def test_a_dry_run_of_a_new_folder_lists_its_photos_and_writes_nothing(run: Run, photos: Path) -> None:
    done = run("index", photos, "--dry-run", "--exclude", "hotel*", "--model", "absent")
    listed = "new\tcoffee.png\nnew\texit.png\n"
    assert done == Done(0, f"{listed}2 new, 0 changed, 0 moved, 0 removed, 0 unchanged\n", "")
    assert not (photos / ".stsearch").exists()


def test_a_dry_run_prints_json_lines(run: Run, photos: Path) -> None:
    run("index", photos)
    (photos / "exit.png").unlink()
    first, last = run("index", photos, "--dry-run", "--json").out.splitlines()
    assert json.loads(first) == {"type": "removed", "schema": 1, "path": "exit.png"}
    assert json.loads(last) == {
        "type": "preview",
        "schema": 1,
        "new": 0,
        "changed": 0,
        "moved": 0,
        "removed": 1,
        "unchanged": 2,
        "reread": 0,
        "vanished": None,
        "passed_over": {},
    }


def test_a_dry_run_changes_no_byte_of_the_gallery(run: Run, photos: Path) -> None:
    run("index", photos)
    (photos / "exit.png").unlink()
    before = {path.name: path.read_bytes() for path in (photos / ".stsearch").iterdir()}
    run("index", photos, "--dry-run")
    assert {path.name: path.read_bytes() for path in (photos / ".stsearch").iterdir()} == before


def test_a_dry_run_quietly_prints_only_what_cannot_be_looked_at(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed(monkeypatch, b"../photos/exit.png\n../photos/\x1b.png\n")
    done = run("index", photos, "--dry-run", "--quiet", "--files-from", "-")
    expected = "1 file cannot be looked at:\n  \\x1b.png: No such file or directory\n"
    assert done == Done(3, "", expected)


def test_a_dry_run_ends_as_the_run_would_where_photos_seem_to_have_vanished(run: Run, photos: Path) -> None:
    run("index", photos)
    for photo in photos.glob("*.png"):
        photo.unlink()
    done = run("index", photos, "--dry-run")
    assert (done.code, "as if a share were not mounted" in done.err) == (3, True)
    assert run("index", photos).code == 3


def test_photos_above_a_limit_are_refused(run: Run, photos: Path) -> None:
    done = run("index", photos, "--max-megapixels", "0.001")
    assert done.code == 3
    assert "coffee.png: 64 x 48 is 0 megapixels; the limit is 0.001" in done.err


def test_photos_that_take_too_long_are_given_up(run: Run, photos: Path) -> None:
    (photos / "slow.jpg").write_bytes(slow_jpeg())
    done = run("index", photos, "--photo-timeout", "0.1")
    assert done.code == 3
    assert "slow.jpg: took longer than 0.1 s to decode" in done.err


def test_files_above_a_limit_are_refused(run: Run, photos: Path) -> None:
    (photos / "large.png").write_bytes(encode(noise((600, 600))))
    done = run("index", photos, "--max-bytes", "500000")
    assert done.code == 3
    assert "large.png: 1 MB; the limit is 0" in done.err


def test_an_incomplete_photograph_is_named_and_changes_the_exit_code(run: Run, photos: Path) -> None:
    whole = encode(noise((64, 640)), "JPEG")
    (photos / "end.jpg").write_bytes(whole[:-2])
    assert run("index", photos).code == 0
    (photos / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    done = run("index", photos, "--json")
    assert (done.code, json.loads(done.out)["incomplete"]) == (3, 1)
    assert "1 file could be read in part only:\n  cut.jpg: incomplete: it ends after " in done.err


def test_only_the_first_page_is_read_if_asked_for(run: Run, photos: Path) -> None:
    pages = [PIL.Image.new("RGB", (64, 48), (red, 0, 0)) for red in (15, 35)]
    (photos / "scan.tif").write_bytes(encode(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    run("index", photos, "--first-page")
    assert "scan.tif" in run("search", "bakery", "--exact", "--index", photos).out
    assert "scan.tif" not in run("search", "hotel", "--exact", "--index", photos).out


def test_the_limits_are_those_of_the_library() -> None:
    defaults = {name: each.default for name, each in inspect.signature(index).parameters.items()}
    assert [defaults[name] for name in ("max_bytes", "max_megapixels", "photo_timeout")] == [
        MAX_BYTES,
        MAX_MEGAPIXELS,
        PHOTO_TIMEOUT_S,
    ]
