"""``stsearch words``: what was read, where, and how surely, in a photograph, a folder and a gallery."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gallery_fixtures import Run, make_set_gallery

from stsearch.gallery.gallery import Gallery
from stsearch.gallery.records import Failed, PhotoFile

SIGNS = {"a.jpg": ["Coffee bar", "open"], "in/b.jpg": ["COFFEE"], "in/c.jpg": []}


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return an indexed folder with a few words."""
    make_set_gallery(tmp_path / "photos", SIGNS).close()
    for name in SIGNS:
        (tmp_path / "photos" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "photos" / name).touch()
    return tmp_path / "photos"


def test_a_gallery_lists_different_words_the_most_frequent_first(run: Run, photos: Path) -> None:
    done = run("words", photos)
    assert done.code == 0
    assert [line.split("\t")[:4] for line in done.out.splitlines()] == [
        ["Coffee", "2", "2", "0.80"],
        ["bar", "1", "1", "0.80"],
        ["open", "1", "1", "0.80"],
    ]
    assert done.err == "4 words in 2 photos, 3 different\n"


def test_a_photo_lists_each_word_from_top_to_bottom_with_its_box(run: Run, photos: Path) -> None:
    assert run("words", photos / "a.jpg").out == (
        "Coffee\t0.80\t0,0,60,20\nbar\t0.80\t70,0,30,20\nopen\t0.80\t0,30,40,20\n"
    )


def test_a_folder_lists_what_lies_in_it(run: Run, photos: Path) -> None:
    assert run("words", photos / "in").out == f"COFFEE\t1\t1\t0.80\t{photos / 'in' / 'b.jpg'}\n"


def test_json_says_where_each_word_stands(run: Run, photos: Path) -> None:
    first, *others = map(json.loads, run("words", photos, "--json").out.splitlines())
    assert (first["type"], first["schema"], first["word"], first["count"]) == ("word", 1, "Coffee", 2)
    assert first["places"][1] == {
        "path": str(photos / "in" / "b.jpg"),
        "transcript": "COFFEE",
        "confidence": 0.8,
        "page": None,
        "box": [[0.0, 0.0], [60.0, 0.0], [60.0, 20.0], [0.0, 20.0]],
    }
    assert len(others) == 2


def test_what_is_not_shown_is_counted_with_the_option_that_shows_it(run: Run, photos: Path) -> None:
    done = run("words", photos, "--top", "1")
    assert (done.out.count("\n"), done.err) == (1, "4 words in 2 photos, 3 different; 2 more: --top 3\n")


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        pytest.param("in/c.jpg", 1, "0 words in 0 photos", id="no words"),
        pytest.param("absent.jpg", 2, "photos: there is no such file", id="no photo"),
        pytest.param("new.jpg", 2, "photos reads what is new", id="not indexed yet"),
        pytest.param("zero.jpg", 1, "zero.jpg could not be read: the file is empty\n", id="unreadable"),
        pytest.param("../absent.jpg", 2, "error: there is no file or folder ", id="nowhere"),
        pytest.param("../free.jpg", 10, "lies in no indexed folder; to read it: stsearch index ", id="free"),
    ],
)
def test_a_photo_without_words_and_one_that_is_not_there(
    run: Run, photos: Path, path: str, code: int, message: str
) -> None:
    for name in ("new.jpg", "../free.jpg"):
        (photos / name).touch()
    with Gallery.open(photos) as gallery:
        gallery.add([Failed(PhotoFile("zero.jpg", 0, 1), "the file is empty")])
    make_set_gallery(photos.parent / "other", {}).close()  # so that there are several
    done = run("words", photos / path)
    assert (done.code, done.out) == (code, "")
    assert message in done.err
