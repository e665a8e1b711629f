"""``stsearch status``, ``verify``, ``rebuild`` and ``forget``: what they print, change and end with."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
from dataclasses import replace
from datetime import datetime
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
    shown = dict(re.split("  +", line, maxsplit=1) for line in done.out.splitlines())
    assert re.fullmatch(rf"{photos}/.stsearch, [\d.]+ [kM]B", shown.pop("gallery"))
    assert shown == {
        "photographs": f"2 in {photos}",
        "words": "2",
        "last run": "not known",
        "not read": f"1 file: stsearch status {photos} --failed",
        "weights": "letters (sha256 abababababab…)",
    }


def test_status_says_when_the_last_run_was_and_on_which_device(run: Run, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(photo_bytes("exit"))
    run("index", tmp_path / "photos")
    noted = tmp_path / "photos" / ".stsearch" / "last-run"
    os.utime(noted, (0, 0))
    assert json.loads(run("status", tmp_path / "photos", "--json").out)["last_run"].startswith("19")
    run("index", tmp_path / "photos")  # there is nothing to do, but it was done
    assert datetime.fromtimestamp(noted.stat().st_mtime).year > 2000
    shown = run("status", tmp_path / "photos").out
    assert re.search(r"^last run +\d+ \w+ \d{4}, \d\d:\d\d$", shown, re.MULTILINE)
    assert re.search("^device +cpu, none$", shown, re.MULTILINE)


def test_status_counts_words_as_a_person_does(run: Run, tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"a.jpg": ["exit"]}) as gallery:
        [read] = spotted("b.jpg", "coffee").instances
        unsure = replace(read, transcript="toffee", confidence=0.2)
        gallery.add([replace(spotted("b.jpg"), instances=[read, unsure])])
    facts = json.loads(run("status", tmp_path, "--json").out)
    assert (facts["words"], facts["words_are_estimated"], facts["instances"]) == (2, False, 3)


def test_status_of_a_gallery_without_words_has_no_vector_file(run: Run, tmp_path: Path) -> None:
    make_gallery(tmp_path, {"a.jpg": []}).close()
    done = run("status", tmp_path, "--json")
    assert json.loads(done.out)["store"] == {"kind": "exact"}
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
    assert f"photographs  2 in {photos}\n" in run("status").out


@pytest.mark.parametrize("named", ["photos", "photos/in", "photos/in/door.jpg", "photos/.stsearch"])
def test_a_path_chooses_its_gallery(
    run: Run, photos: Path, tmp_path: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_gallery(tmp_path / "other", {}).close()
    for folder in (photos, tmp_path / "other"):
        registry.register(folder / ".stsearch", registry.data_home(os.environ))
    (photos / "in").mkdir()
    (photos / "in" / "door.jpg").touch()
    for command in ("status", "verify", "rebuild"):
        done = run(command, tmp_path / named)
        assert (done.code, str(photos) in done.out + done.err) == (0, True)
    monkeypatch.setenv("STSEARCH_INDEX", str(tmp_path / "other"))
    assert f"2 in {photos}\n" in run("status", tmp_path / named).out
    assert run("status", tmp_path / "absent").code == 10


def test_forget_finds_the_gallery_of_its_path_though_there_are_several(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    make_gallery(tmp_path / "other", {"a.jpg": ["tea"]}).close()
    for folder in (photos, tmp_path / "other"):
        registry.register(folder / ".stsearch", registry.data_home(os.environ))
    done = run("forget", photos / "cup.jpg", tmp_path / "other" / "a.jpg")
    assert (done.code, "these lie in several galleries" in done.err) == (2, True)
    assert f"Forgot 1 file in {photos}" in run("forget", photos / "cup.jpg").err


def test_inside_a_read_only_folder_its_gallery_is_found(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = registry.data_home(os.environ)
    for name in ("shared", "mine"):
        place = tmp_path / "galleries" / name
        (tmp_path / name / "2024").mkdir(parents=True)
        with Gallery.create(place, tmp_path / name, MODEL) as gallery:
            gallery.add([spotted(f"2024/{name}.jpg", "exit")])
            gallery.finish()
        registry.register(place, home)
    monkeypatch.chdir(tmp_path / "shared" / "2024")
    assert run("search", "exit", "-l").out == f"{tmp_path}/shared/2024/shared.jpg\n"
    assert run("status").code == run("status", "--index", tmp_path / "mine").code == 0


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


def test_forget_says_how_a_photo_that_is_still_there_stays_out(run: Run, photos: Path) -> None:
    (photos / "cup.jpg").touch()
    done = run("forget", photos / "cup.jpg")
    ignored = photos / ".stsearchignore"
    assert f"read again by the next stsearch index, unless {ignored} has the line /cup.jpg" in done.err


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
