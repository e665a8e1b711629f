"""registry.py, trust.py and user_lists.py: what is listed, and what is passed over."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from gallery_fixtures import make_gallery

from stsearch.errors import GalleryDamagedError, GalleryUnreadableError, GalleryUntrustedError
from stsearch.gallery import registry, trust


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a data folder that lists the galleries of two folders, ``a`` and ``b``."""
    for name in ("a", "b"):
        make_gallery(tmp_path / name, {}).close()
        registry.register(tmp_path / name / ".stsearch", tmp_path / "home")
    return tmp_path / "home"


def disconnect(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let everything below ``folder`` answer as the mount point of a FUSE process that has died."""
    stat = Path.stat

    def fail(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        if path.is_relative_to(folder):
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr(Path, "stat", fail)


@pytest.fixture
def stranger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Be another user than the one whose files these are, who is not root either."""
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    monkeypatch.setattr(trust, "_ROOT", -1)


def test_a_listed_gallery_that_cannot_be_reached_is_passed_over_with_a_note(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disconnect(tmp_path / "a", monkeypatch)
    told: list[str] = []
    assert registry.registered(home, told.append) == [tmp_path / "b" / ".stsearch"]
    [note] = told
    assert note.startswith("passed over: cannot look into ")
    assert note.endswith("Transport endpoint is not connected")


def test_a_gallery_that_cannot_be_reached_is_an_error_where_it_is_named_or_the_only_one(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disconnect(tmp_path / "a", monkeypatch)
    disconnect(tmp_path / "b", monkeypatch)
    for attempt in (lambda: registry.registered(home, print), lambda: registry.find(tmp_path / "a", home)):
        with pytest.raises(GalleryUnreadableError, match="cannot look into") as raised:
            attempt()
        assert raised.value.exit_code == 12


def test_a_parent_that_cannot_be_looked_into_is_passed_over_on_the_way_up(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_gallery(tmp_path, {}).close()
    disconnect(tmp_path / "a" / ".stsearch", monkeypatch)
    told: list[str] = []
    assert registry.nearest(tmp_path / "a", home, told.append) == tmp_path / ".stsearch"
    assert len(told) == 1


def test_the_gallery_of_another_user_is_used_once_it_is_trusted(
    tmp_path: Path, home: Path, stranger: None
) -> None:
    folder, told = tmp_path / "a" / ".stsearch", list[str]()
    with pytest.raises(GalleryUntrustedError, match=f"stsearch galleries trust {folder}"):
        registry.find(tmp_path / "a", home)
    assert registry.nearest(tmp_path / "a", home, told.append) is None
    assert "passed over: the gallery" in told[0]
    trust.trust(folder, home)
    assert registry.find(tmp_path / "a", home) == folder
    assert registry.nearest(tmp_path / "a", home, told.append) == folder
    assert registry.registered(home, told.append) == [folder]  # b is passed over


def test_what_is_both_near_and_listed_is_passed_over_once(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disconnect(tmp_path / "a", monkeypatch)
    told: list[str] = []
    assert registry.usable(tmp_path / "a", home, told.append) == [tmp_path / "b" / ".stsearch"]
    assert len(told) == 1


def test_trust_ends_when_a_gallery_changes_hands(
    tmp_path: Path, home: Path, stranger: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a" / ".stsearch"
    trust.trust(folder, home)
    monkeypatch.setattr(trust, "_other_owners", lambda _: [7])
    with pytest.raises(GalleryUntrustedError, match=r"belongs to user 7|belongs to lp"):
        trust.check_owner(folder, home)


def test_a_link_in_the_place_of_a_gallery_is_not_followed(tmp_path: Path, home: Path) -> None:
    (tmp_path / "bait").mkdir()
    link, told = tmp_path / "bait" / ".stsearch", list[str]()
    link.symlink_to(tmp_path / "a" / ".stsearch")
    for attempt in (lambda: registry.find(tmp_path / "bait", home), lambda: trust.trust(link, home)):
        with pytest.raises(GalleryUntrustedError, match=f"{link} is a link to {tmp_path}/a/.stsearch"):
            attempt()
    assert registry.nearest(tmp_path / "bait", home, told.append) is None
    assert "is a link" in told[0]


def test_galleries_of_root_need_no_trust(
    tmp_path: Path, home: Path, stranger: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "_ROOT", (tmp_path / "a").stat().st_uid)
    assert registry.find(tmp_path / "a", home) == tmp_path / "a" / ".stsearch"


def test_galleries_that_are_registered_at_the_same_moment_are_all_listed(tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from stsearch.gallery import registry
home, number = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for each in range(20):
    registry.register(Path(f"/{number}-{each}"), home)
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for process in processes:
        assert process.stdout is not None
        process.stdout.readline()
    for process in processes:
        process.communicate("\n")
    listed = json.loads((tmp_path / "galleries.json").read_text())["galleries"]
    assert listed == sorted(f"/{number}-{each}" for number in range(4) for each in range(20))


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{}", id="no list"),
        pytest.param('{"galleries": [1]}', id="no paths"),
        pytest.param("[" * 100_000 + "]" * 100_000, id="nested deeply"),
    ],
)
def test_a_damaged_list_says_so_whatever_is_in_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "galleries.json").write_text(text)
    with pytest.raises(GalleryDamagedError, match=r"galleries\.json is damaged"):
        registry.registered(tmp_path, print)
