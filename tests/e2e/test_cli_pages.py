"""Pages on the command line: named in tables, lines, JSON and pictures."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from gallery_fixtures import Run, instance, make_gallery, spotted


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a photograph, and a scan whose second page, in blue, reads "coffee"."""
    folder = tmp_path / "photos"
    folder.mkdir()
    pages = [PIL.Image.new("RGB", (64, 48), colour) for colour in ("red", "blue")]
    pages[0].save(folder / "scan.tif", save_all=True, append_images=pages[1:])
    pages[0].save(folder / "a.png")
    with make_gallery(folder, {"a.png": ["coffees"]}) as gallery:
        words = [replace(instance("coffee"), page=2)]
        gallery.add([replace(spotted("scan.tif"), instances=words, note="page 3: damaged")])
    monkeypatch.setenv("STSEARCH_INDEX", str(folder))
    return folder


def test_lines_name_the_page_at_their_end_where_there_is_one(run: Run, photos: Path) -> None:
    scan, photo = (line.split("\t") for line in run("search", "coffee", "--top", "2").out.splitlines())
    assert scan[1:] == [str(photos / "scan.tif"), "coffee", "1,2,20,8", "page 2"]
    assert photo[1:] == [str(photos / "a.png"), "coffees", "0,2,20,8"]


def test_a_table_has_a_column_of_pages_where_there_are_any(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    heading, scan, _ = run("search", "coffee", "--top", "2").out.splitlines()
    assert heading.split()[-1] == "page"
    assert scan.split()[-1] == "2"
    assert "page" not in run("search", "coffees", "--exact").out


def test_words_of_a_scan_name_their_page(run: Run, photos: Path) -> None:
    assert run("words", photos / "scan.tif").out == "coffee\t0.80\t2\t1,2,20,8\n"
    [place] = json.loads(run("words", photos / "scan.tif", "--json").out)["places"]
    assert place["page"] == 2


def test_status_counts_what_was_read_in_part(run: Run, photos: Path) -> None:
    assert f"not read     1 file in part: stsearch status {photos} --failed\n" in run("status").out


def test_json_names_the_page(run: Run, photos: Path) -> None:
    lines = run("search", "coffee", "--top", "2", "--json").out.splitlines()
    assert [json.loads(line)["page"] for line in lines] == [2, None]


def test_pictures_of_hits_show_their_page(run: Run, photos: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.html"
    assert run("search", "coffee", "--exact", "--save", tmp_path / "hits", "--sheet", sheet).code == 0
    [copy] = (tmp_path / "hits").iterdir()
    assert copy.name == "001-scan-page2.jpg"
    assert np.asarray(PIL.Image.open(copy))[40, 60].argmax() == 2
    text = sheet.read_text(encoding="utf-8")
    assert ">scan.tif, page 2</a>" in text
    assert "scan.tif#page=2" in text


@pytest.mark.parametrize("option", ["--save", "--sheet"])
def test_pictures_are_made_of_no_photograph_above_the_limit(
    run: Run, photos: Path, tmp_path: Path, option: str
) -> None:
    done = run("search", "coffee", option, tmp_path / "new.html", "--max-megapixels", "0.001")
    assert done.code == 3
    assert "scan.tif: 64 x 48 is 0 megapixels; the limit is 0.001" in done.err


def test_status_lists_what_was_read_in_part(run: Run, photos: Path) -> None:
    assert run("status", "--failed").out == "scan.tif\tpage 3: damaged\n"
    lines = run("status", "--failed", "--json").out.splitlines()
    assert json.loads(lines[0])["incomplete"] == 1
    assert json.loads(lines[1]) == {
        "type": "incomplete",
        "schema": 1,
        "path": "scan.tif",
        "reason": "page 3: damaged",
    }
