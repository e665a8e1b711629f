"""``stsearch status``, ``verify``, ``rebuild`` and ``forget``: what they print, change and end with."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, Run, make_gallery, photo_bytes, spotted

from stsearch.gallery import gallery as gallery_module
from stsearch.gallery import registry
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.records import Failed, PhotoFile
from stsearch.gallery.vector_store import HnswStore


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a gallery with a vector file, a file that could not be read, and two words."""
    monkeypatch.setattr(gallery_module, "EXACT_LIMIT", 1)
    folder = tmp_path / "photos"
    with make_gallery(folder, {"cup.jpg": ["unmistakable"], "in/door.jpg": ["exit"]}) as gallery:
        gallery.add([Failed(PhotoFile("bad\x1b[31m.jpg", 1, 1), "cut\x07off")])
    return folder


def test_status_says_what_a_gallery_holds(run: Run, photos: Path) -> None:
    done = run("status", "--index", photos)
    shown = dict(line.split(maxsplit=1) for line in done.out.splitlines())
    assert (shown["folder"], shown["photos"], shown["failed"], shown["words"]) == (str(photos), "2", "1", "2")
    assert shown["weights"] == f"name letters sha256 {MODEL.sha256}"
    assert shown["format"] == "manifest 1 catalog 2"
    assert shown["store"] == "kind hnsw file vectors-1.hnsw vectors 2"


def test_status_of_a_gallery_without_words_has_no_vector_file(run: Run, tmp_path: Path) -> None:
    make_gallery(tmp_path, {"a.jpg": []}).close()
    done = run("status", "--index", tmp_path)
    assert "store      kind exact\n" in done.out
    assert done.err == ""


@pytest.mark.parametrize("command", [["status"], ["verify"], ["verify", "--deep"]])
def test_without_hnswlib_status_and_verify_say_so_in_a_sentence(
    run: Run, photos: Path, command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "hnswlib", None)
    done = run(*command, "--index", photos)
    assert done.code == 0
    assert "the vector file is not used: hnswlib is not installed" in done.err


def test_status_lists_the_files_that_failed_with_control_characters_escaped(run: Run, photos: Path) -> None:
    assert run("status", "--failed", "--index", photos).out == "bad\\x1b[31m.jpg\tcut\\x07off\n"


def test_status_prints_json_lines(run: Run, photos: Path) -> None:
    facts, failure = map(json.loads, run("status", "--failed", "--json", "--index", photos).out.splitlines())
    assert (facts["type"], facts["schema"], facts["photos"], facts["failed"]) == ("status", 1, 2, 1)
    assert facts["weights"] == {"name": "letters", "sha256": MODEL.sha256}
    assert (failure["type"], failure["path"]) == ("failure", "bad\x1b[31m.jpg")


def test_the_nearest_gallery_is_meant(run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    assert f"folder     {photos}\n" in run("status").out


def test_without_a_gallery_a_command_ends_with_10(run: Run) -> None:
    assert run("status").code == 10


def test_the_only_registered_gallery_is_meant_and_of_several_one_has_to_be_named(
    run: Run, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    registry.register(photos / ".stsearch", tmp_path / "home" / "stsearch")
    assert run("status").code == 0
    make_gallery(tmp_path / "more", {}).close()
    registry.register(tmp_path / "more" / ".stsearch", tmp_path / "home" / "stsearch")
    done = run("status")
    assert done.code == 2
    assert f"{tmp_path / 'more' / '.stsearch'}, {photos / '.stsearch'}" in done.err


@pytest.mark.parametrize("arguments", [[], ["--deep"]])
def test_verify_of_an_undamaged_gallery_ends_with_0(run: Run, photos: Path, arguments: list[str]) -> None:
    done = run("verify", "--index", photos, *arguments)
    assert (done.code, done.out) == (0, "")
    assert "No damage in " in done.err


def test_verify_names_each_damage_and_ends_with_1(run: Run, photos: Path) -> None:
    store = photos / ".stsearch" / "vectors-1.hnsw"
    store.write_bytes(store.read_bytes()[:-1])
    done = run("verify", "--index", photos)
    assert (done.code, done.out) == (1, f"{store}: it does not match its checksum\n")
    assert "stsearch rebuild" in done.err
    finding = json.loads(run("verify", "--json", "--index", photos).out)
    assert finding["type"] == "damage"
    assert finding["file"] == str(store)


def test_rebuild_remakes_the_vector_file_and_the_manifest(run: Run, photos: Path) -> None:
    for name in ("vectors-1.hnsw", "manifest.json"):
        (photos / ".stsearch" / name).unlink()
    assert run("rebuild", "--index", photos).code == 0
    assert run("verify", "--deep", "--index", photos).code == 0
    assert run("search", "exit", "-l", "--index", photos).out == f"{photos / 'in' / 'door.jpg'}\n"


@pytest.mark.parametrize("path", ["cup.jpg", "../photos/cup.jpg"])
def test_forget_leaves_no_trace_of_a_photo(
    run: Run, photos: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos)
    traces = (b"unmistakable", b"cup.jpg")
    assert all(trace in (photos / ".stsearch" / "catalog.sqlite3").read_bytes() for trace in traces)
    assert run("forget", path).code == 0
    for file in (photos / ".stsearch").iterdir():
        assert not any(trace in file.read_bytes() for trace in traces), file
    assert run("verify", "--deep").code == 0
    assert run("search", "exit", "-l").out == f"{photos / 'in' / 'door.jpg'}\n"


def test_forgetting_takes_the_vectors_out_of_the_vector_file(run: Run, photos: Path) -> None:
    with Gallery.edit(photos / ".stsearch") as gallery:
        gallery.add([spotted("in/sign.jpg", "tea", "tin")])
        gallery.finish()
    with Gallery.open(photos) as gallery:
        [forgotten] = gallery.catalog.ids_reading(["unmistakable"])
    assert forgotten in stored_ids(photos)
    assert run("forget", photos / "cup.jpg", "--index", photos).code == 0
    stored = stored_ids(photos)
    assert len(stored) == 3
    assert forgotten not in stored


def stored_ids(photos: Path) -> list[int]:
    """Return the ids of all vectors in the vector file, removed ones included."""
    [file] = (photos / ".stsearch").glob("*.hnsw")
    return list(map(int, HnswStore.load(file, MODEL.dim).ids()))


def test_forget_takes_whole_folders(run: Run, photos: Path) -> None:
    assert "Forgot 1 file" in run("forget", photos / "in", "--index", photos).err
    assert "Forgot 2 files" in run("forget", photos, "--index", photos).err


@pytest.mark.parametrize("path", ["absent.jpg", "/etc"])
def test_forgetting_what_is_not_there_is_a_usage_error_and_changes_nothing(
    run: Run, photos: Path, path: str
) -> None:
    assert run("forget", photos / "cup.jpg", path, "--index", photos).code == 2
    assert run("search", "unmistakable", "--index", photos).code == 0


@pytest.mark.parametrize("command", [["rebuild"], ["forget", "cup.jpg"], ["verify"]])
def test_while_another_process_writes_a_command_ends_with_11(
    run: Run, photos: Path, command: list[str]
) -> None:
    with Gallery.edit(photos / ".stsearch"):
        assert run(*command, "--index", photos).code == 11


@pytest.mark.parametrize("command", [["status"], ["verify"], ["search", "exit"], ["index"]])
def test_a_newer_gallery_is_left_as_it_is(run: Run, photos: Path, command: list[str]) -> None:
    (photos / ".stsearch" / "manifest.json").write_text('{"format": 99}')
    before = {file: file.read_bytes() for file in (photos / ".stsearch").iterdir()}
    arguments = [*command, photos] if command == ["index"] else [*command, "--index", photos]
    assert run(*arguments).code == (1 if command == ["verify"] else 12)
    (photos / ".stsearch" / "lock").touch()
    assert {file: file.read_bytes() for file in (photos / ".stsearch").iterdir()} == before


def test_index_restores_a_manifest_that_was_deleted(run: Run, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(photo_bytes("exit"))
    run("index", tmp_path / "photos")
    (tmp_path / "photos" / ".stsearch" / "manifest.json").unlink()
    assert "1 unchanged" in run("index", tmp_path / "photos").out
    assert run("verify", "--deep").code == 0


def test_index_and_search_open_no_socket(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a socket was opened")

    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(photo_bytes("exit"))
    for name in ("socket", "create_connection", "getaddrinfo"):
        monkeypatch.setattr(socket, name, refuse)
    assert run("index", tmp_path / "photos").code == 0
    assert run("search", "exit").code == 0
