"""``stsearch index`` and ``stsearch search`` without a network: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, OTHER_MODEL, ColourSpotter, Done, Run, make_gallery, photo_bytes

from stsearch.cli import output
from stsearch.gallery.gallery import Gallery
from stsearch.types import Image, ModelInfo, TextInstance


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    (folder / "cup.png").write_bytes(photo_bytes("coffee"))
    (folder / "door.png").write_bytes(photo_bytes("exit"))
    return folder


def test_index_then_search_from_any_folder(run: Run, photos: Path) -> None:
    done = run("index", photos)
    assert done.code == 0
    assert "2 new, 0 changed, 0 moved, 0 removed, 0 unchanged\nDone: 2 photos, 2 words, " in done.out
    found = run("search", "Coffee")
    assert found.code == 0
    assert found.out == f"1.00\t{photos / 'cup.png'}\tcoffee\t1,2,20,8\n"
    assert found.err.startswith(f"Searching {photos}\n1 hit in 1 photo")


def test_index_ends_with_3_and_lists_the_files_it_could_not_read(run: Run, photos: Path) -> None:
    (photos / "bad\x1b[31m.jpg").write_bytes(b"")
    done = run("index", photos)
    assert done.code == 3
    assert f"1 file could not be read (stsearch status {photos} --failed):\n" in done.err
    assert "  bad\\x1b[31m.jpg: the file is empty\n" in done.err


def test_index_prints_its_summary_as_a_json_line(run: Run, photos: Path) -> None:
    summary = json.loads(run("index", photos, "--json").out)
    assert (summary["type"], summary["schema"], summary["new"], summary["failed"]) == ("summary", 1, 2, 0)


def test_index_quietly_prints_nothing(run: Run, photos: Path) -> None:
    assert run("index", photos, "--quiet") == Done(0, "", "")


def test_an_interrupted_index_says_what_is_safe_and_ends_with_130(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_self: ColourSpotter, _images: list[Image]) -> list[list[TextInstance]]:
        raise KeyboardInterrupt

    monkeypatch.setattr(ColourSpotter, "spot", interrupt)
    done = run("index", photos)
    assert done.code == 130
    assert "Stopped: 0 of 2 photos can be searched. Run the same command to go on." in done.err


def test_index_with_and_without_the_recognizer(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[bool] = []

    def spot(self: ColourSpotter, images: list[Image]) -> list[list[TextInstance]]:
        read.append(self.reads)
        return [[] for _ in images]

    monkeypatch.setattr(ColourSpotter, "spot", spot)
    assert run("index", photos, "--no-read").code == 0
    (photos / "new.png").write_bytes(photo_bytes("hotel"))
    assert run("index", photos).code == 0
    assert read == [False, False, True]


def test_index_into_a_folder_of_its_own(run: Run, photos: Path, tmp_path: Path) -> None:
    assert run("index", photos, "--index", tmp_path / "gallery").code == 0
    assert not (photos / ".stsearch").exists()
    assert run("search", "exit", "--index", tmp_path / "gallery", "-l").out == f"{photos / 'door.png'}\n"


def test_indexing_a_locked_gallery_ends_with_11(run: Run, photos: Path) -> None:
    with Gallery.create(photos / ".stsearch", photos, MODEL):
        assert run("index", photos).code == 11


def test_indexing_with_other_weights_ends_with_13(run: Run, photos: Path, model: list[ModelInfo]) -> None:
    run("index", photos)
    model[0] = OTHER_MODEL
    assert run("index", photos).code == 13
    assert run("search", "exit", "--index", photos).code == 13


def test_a_folder_that_is_not_there_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    assert run("index", tmp_path / "absent").code == 2


def test_search_prints_json_lines(run: Run, photos: Path) -> None:
    run("index", photos)
    (line,) = run("search", "coffee", "--json").out.splitlines()
    assert json.loads(line) == {
        "type": "match",
        "schema": 1,
        "query": "coffee",
        "rank": 1,
        "score": 1.0,
        "similarity": 1.0,
        "path": str(photos / "cup.png"),
        "page": None,
        "box": [[1.0, 2.0], [21.0, 2.0], [21.0, 10.0], [1.0, 10.0]],
        "transcript": "coffee",
        "confidence": 0.8,
        "characters": [],
    }


def test_search_prints_each_path_once(run: Run, tmp_path: Path) -> None:
    make_gallery(tmp_path, {"a b.jpg": ["exit", "exit"], "c.jpg": ["exit"]}).close()
    first, second = tmp_path / "a b.jpg", tmp_path / "c.jpg"
    assert run("search", "exit", "-l").out == f"{first}\n{second}\n"
    assert run("search", "exit", "-l0").out == f"{first}\0{second}\0"


def test_on_a_terminal_paths_are_escaped(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_gallery(tmp_path, {"a\x1b[31m.jpg": ["exit"]}).close()
    assert run("search", "exit", "-l").out == f"{tmp_path}/a\x1b[31m.jpg\n"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert run("search", "exit", "-l").out == f"{tmp_path}/a\\x1b[31m.jpg\n"


def test_search_without_a_match_ends_with_1_and_names_the_best(run: Run, photos: Path) -> None:
    run("index", photos)
    done = run("search", "exiit", "--exact")
    assert (done.code, done.out) == (1, "")
    assert "  exit is the nearest word: stsearch search exit --exact\n" in done.err


def test_where_no_word_is_like_the_query_the_way_to_all_words_is_named(run: Run, photos: Path) -> None:
    run("index", photos)
    done = run("search", "zzxqy")
    assert (done.code, done.out) == (1, "")
    assert f"No match.\n  no word read is like it; all that were read: stsearch words {photos}\n" in done.err


def test_search_in_a_gallery_without_words_ends_with_1(run: Run, tmp_path: Path) -> None:
    make_gallery(tmp_path, {}).close()
    done = run("search", "exit")
    assert done.code == 1
    assert "no words were found" in done.err


def test_search_with_nothing_indexed_ends_with_10(run: Run) -> None:
    done = run("search", "exit")
    assert done.code == 10
    assert "stsearch index FOLDER" in done.err


def test_search_of_nothing_readable_is_a_usage_error(run: Run) -> None:
    assert run("search", "!?").code == 2


def test_search_uses_the_nearest_gallery_alone(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("index", photos)
    make_gallery(photos / "sub", {"x.jpg": ["coffee"]}).close()
    monkeypatch.chdir(photos / "sub")
    assert run("search", "coffee").out.startswith("1.00\tx.jpg\t")


def test_search_over_several_galleries_passes_over_those_of_other_weights(
    run: Run, photos: Path, tmp_path: Path, model: list[ModelInfo]
) -> None:
    run("index", photos)
    model[0] = OTHER_MODEL
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "x.png").write_bytes(photo_bytes("coffee", blue=7))
    run("index", tmp_path / "more")
    done = run("search", "coffee", "-l")
    assert done.out == f"{tmp_path / 'more' / 'x.png'}\n"
    assert "passed over: " in done.err


def test_search_for_the_word_that_a_picture_shows(run: Run, photos: Path, tmp_path: Path) -> None:
    run("index", photos)
    (tmp_path / "crop.png").write_bytes(photo_bytes("exit", blue=9))
    done = run("search", "--like", tmp_path / "crop.png", "--json")
    match = json.loads(done.out)
    assert (match["query"], match["path"], match["transcript"]) == (
        str(tmp_path / "crop.png"),
        str(photos / "door.png"),
        "exit",
    )
    assert f"Searching for the word in {tmp_path / 'crop.png'}: read 'exit'\n" in done.err


def test_search_with_a_picture_that_is_none_ends_with_2(run: Run, photos: Path, tmp_path: Path) -> None:
    run("index", photos)
    (tmp_path / "a.png").write_bytes(b"no picture")
    done = run("search", "--like", tmp_path / "a.png")
    assert (done.code, done.out) == (2, "")
    assert "a.png: not a picture in a format that is read" in done.err


def test_search_groups_by_photo(run: Run, tmp_path: Path) -> None:
    make_gallery(tmp_path, {"a.jpg": ["exit", "exit"]}).close()
    assert len(run("search", "exit").out.splitlines()) == 2
    assert len(run("search", "exit", "--group", "photo").out.splitlines()) == 1


def test_on_a_terminal_hits_are_a_table(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("index", photos)
    monkeypatch.chdir(photos)
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    header, row = run("search", "coffee").out.splitlines()
    assert header.split() == ["#", "word", "score", "photo"]
    assert row.split()[:3] == ["1", "coffee", "1.00"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [("café 日本.jpg", "café 日本.jpg"), ("a\n\tb\x07", "a\\n\\tb\\x07"), ("\u202egpj", "\\u202egpj")],
)
def test_control_characters_are_shown_escaped(text: str, shown: str) -> None:
    assert output.printable(text) == shown
