"""Several galleries, of several users: what one that cannot be used costs the others."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gallery_fixtures import MODEL, Run, make_gallery, photo_bytes

from stsearch.gallery import registry, trust
from stsearch.gallery.gallery import Gallery


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Return a folder with two listed galleries, ``a`` and ``b``, that both read "coffee"."""
    for name in ("a", "b"):
        make_gallery(tmp_path / name, {f"{name}.jpg": ["coffee"]}).close()
        registry.register(tmp_path / name / ".stsearch", registry.data_home(os.environ))
    return tmp_path


@pytest.mark.parametrize(("query", "hits"), [("coffee", 1), ("12345", 0)])
def test_a_damaged_listed_gallery_costs_no_hit_and_ends_with_12(
    run: Run, listed: Path, query: str, hits: int
) -> None:
    (listed / "a" / ".stsearch" / "manifest.json").write_text("{}")
    done = run("search", query)
    assert (done.code, len(done.out.splitlines())) == (12, hits)
    assert "passed over: " in done.err


def test_a_gallery_of_another_user_is_used_after_trust(
    run: Run, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    monkeypatch.setattr(trust, "_ROOT", -1)
    for arguments in (["search", "coffee"], ["status"], ["index", listed / "a"]):
        done = run(*arguments)
        assert done.code == 10
        assert "if you trust it: stsearch galleries trust" in done.err
    done = run("galleries", "trust", listed / "b")
    assert (done.code, done.err) == (0, f"Trusted: {listed / 'b' / '.stsearch'}.\n")
    assert "b.jpg" in run("search", "coffee").out


@pytest.mark.parametrize("target", ["a/.stsearch", "victim", "nowhere"])
def test_nothing_is_read_or_written_through_a_link_in_the_place_of_a_gallery(
    run: Run, listed: Path, target: str
) -> None:
    (listed / "victim").mkdir()
    photos = listed / "photos"
    photos.mkdir()
    (photos / "coffee.png").write_bytes(photo_bytes("coffee"))
    (photos / ".stsearch").symlink_to(listed / target)
    done = run("index", photos)
    assert (done.code, "is a link to" in done.err) == (10, True)
    assert list((listed / "victim").iterdir()) == []
    assert run("rebuild", "--index", photos).code == 10
    assert run("galleries", "find", photos).out == ""


def test_a_link_to_nowhere_beside_a_catalog_costs_no_status(run: Run, listed: Path) -> None:
    (listed / "a" / ".stsearch" / "notes").symlink_to("nowhere")
    assert run("status", "--index", listed / "a").code == 0


def test_a_damaged_list_ends_a_search_with_12_and_rebuild_begins_a_new_one(run: Run, listed: Path) -> None:
    names = registry.data_home(os.environ) / "galleries.json"
    names.write_text("[" * 100_000 + "]" * 100_000)
    done = run("search", "coffee")
    assert done.code == 12
    assert "stsearch rebuild --index FOLDER" in done.err
    assert run("rebuild", "--index", listed / "b").code == 0
    assert "b.jpg" in run("search", "coffee").out
    assert names.with_suffix(".damaged").exists()


def test_rebuild_mends_a_manifest_of_deeply_nested_lists(run: Run, listed: Path) -> None:
    manifest = listed / "a" / ".stsearch" / "manifest.json"
    manifest.write_text("[" * 100_000 + "]" * 100_000)
    assert run("status", "--index", listed / "a").code == 12
    assert run("rebuild", "--index", listed / "a").code == 0
    assert run("verify", "--deep", "--index", listed / "a").code == 0


def test_damage_is_told_with_a_copy_and_rebuild_before_deleting(run: Run, listed: Path) -> None:
    (listed / "a" / ".stsearch" / "vectors-1.hnsw").write_bytes(b"")
    told = run("verify", "--index", listed / "a").err
    assert told.index("Keep a copy") < told.index("stsearch rebuild") < told.index("delete")


@pytest.fixture
def out_of_reach(listed: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], None]:
    """Return a function that makes a folder, and what is in it, answer with an error of the system."""
    stat = os.stat

    def answer_so(folder: Path, number: int) -> None:
        def look(path: Any, *arguments: Any, **options: Any) -> os.stat_result:  # Any: as os.stat takes
            if isinstance(path, str | os.PathLike) and Path(path).is_relative_to(folder):
                raise OSError(number, os.strerror(number), os.fspath(path))
            return stat(path, *arguments, **options)

        monkeypatch.setattr("os.stat", look)

    return answer_so


@pytest.mark.parametrize(
    "command",
    ["search coffee --index", "status", "status --index", "words", "verify", "index", "galleries find"],
)
@pytest.mark.parametrize("number", [errno.EACCES, errno.ENOTCONN, errno.ESTALE, errno.EIO])
def test_a_named_folder_out_of_reach_ends_with_12_and_a_sentence(
    run: Run, listed: Path, out_of_reach: Callable[[Path, int], None], command: str, number: int
) -> None:
    out_of_reach(listed / "a", number)
    done = run(*command.split(), listed / "a")
    assert (done.code, done.out) == (12, "")
    assert done.err.startswith(f"error: cannot look into {listed / 'a'}")
    assert done.err.endswith(f": {os.strerror(number)}\n")


def test_whether_a_folder_can_be_read_is_said_by_what_reads_it(
    run: Run, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda path, mode, **options: mode != os.R_OK)
    for command in ("search coffee --index", "status", "status --index", "words", "verify"):
        assert run(*command.split(), listed / "a").code == 0


def test_the_list_says_in_words_that_photographs_are_out_of_reach(
    run: Run, listed: Path, out_of_reach: Callable[[Path, int], None]
) -> None:
    (listed / "c").mkdir()
    Gallery.create(listed / "elsewhere", listed / "c", MODEL).close()
    registry.register(listed / "elsewhere", registry.data_home(os.environ))
    out_of_reach(listed / "c", errno.ENOTCONN)
    done = run("galleries")
    assert f"cannot look into {listed / 'c'}: Transport endpoint is not connected" in done.out
    assert run("galleries", "forget", "--missing").code == 0
