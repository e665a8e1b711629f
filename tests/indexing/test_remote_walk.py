"""remote_walk.py: a folder on a network mount is walked as any other, or given up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stsearch.errors import GalleryUnreadableError, UsageError
from stsearch.indexing import remote_walk
from stsearch.indexing.walk import WalkRules, walk_photos
from stsearch.mounts import Mounts

HALTED = """
from stsearch.worker_process import serve

if __name__ == "__main__":
    serve(lambda request: ({"steps": 3}, b""))
"""


@pytest.fixture(autouse=True)
def distant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every folder for one on a network mount."""
    monkeypatch.setattr(Mounts, "has_distant", lambda _self, _folder: True)


@pytest.mark.parametrize(
    "rules",
    [WalkRules(), WalkRules(("b*",), follow=True), WalkRules(only=("a.jpg", "gone.jpg"))],
    ids=["all", "excluded, with links", "listed"],
)
def test_it_finds_what_a_walk_in_this_process_finds(tmp_path: Path, rules: WalkRules) -> None:
    (tmp_path / "in").mkdir()
    names = ("a.jpg", "b.jpg", "notes.txt", "in/c.png", os.fsdecode(b"in/\xff.png"))
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    os.mkfifo(tmp_path / "pipe.jpg")
    assert remote_walk.walk_photos(tmp_path, rules) == walk_photos(tmp_path, rules)


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot list .*gone"):
        remote_walk.walk_photos(tmp_path / "gone", WalkRules())


def test_a_walk_that_comes_to_a_halt_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "halted.py").write_text(HALTED)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(remote_walk, "_MODULE", "halted")
    with pytest.raises(GalleryUnreadableError, match="does not answer any more"):
        remote_walk.walk_photos(tmp_path, WalkRules(), silence_s=0.05)
