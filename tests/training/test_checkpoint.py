"""A checkpoint is whole whenever the process ends, and one that cannot be resumed is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from stsearch.errors import DataError, WriteError
from stsearch.training.checkpoint import finish_replacing, read_state, replacing_folder


def write(folder: Path, content: str) -> Path:
    folder.mkdir()
    (folder / "weights").write_text(content)
    return folder


def replace(place: Path, content: str) -> None:
    with replacing_folder(place) as folder:
        (folder / "weights").write_text(content)


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    replace(tmp_path / "last", "first")
    (tmp_path / "last" / "more").write_text("")
    replace(tmp_path / "last", "second")
    assert [path.name for path in tmp_path.iterdir()] == ["last"]
    assert {path.name: path.read_text() for path in (tmp_path / "last").iterdir()} == {"weights": "second"}


def test_a_folder_stays_when_what_should_replace_it_cannot_be_written(tmp_path: Path) -> None:
    place = write(tmp_path / "last", "first")
    with pytest.raises(WriteError, match="No space left"), replacing_folder(place):
        raise OSError(28, "No space left on device")
    assert [path.name for path in tmp_path.iterdir()] == ["last"]
    assert (place / "weights").read_text() == "first"


@pytest.mark.parametrize(
    ("left", "found"),
    [
        pytest.param({"last": "a", ".last.new": ""}, "a", id="killed while writing"),
        pytest.param({".last.old": "a", ".last.new": "b"}, "b", id="killed between the two renames"),
        pytest.param({"last": "b", ".last.old": "a"}, "b", id="killed before the old one was deleted"),
        pytest.param({".last.old": "a"}, "a", id="only the old one is left"),
    ],
)
def test_what_a_kill_leaves_is_put_right(tmp_path: Path, left: dict[str, str], found: str) -> None:
    for name, content in left.items():
        write(tmp_path / name, content)
    finish_replacing(tmp_path / "last")
    assert (tmp_path / "last" / "weights").read_text() == found
    replace(tmp_path / "last", "next")
    assert [path.name for path in tmp_path.iterdir()] == ["last"]


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def write_text(path: Path) -> None:
    path.write_text("no archive of torch")


def take_a_field_out(path: Path) -> None:
    torch.save({"stage": "words", "done": {}}, path)


def write_a_list(path: Path) -> None:
    torch.save([1, 2], path)


@pytest.mark.parametrize("damage", [empty, cut, write_text, take_a_field_out, write_a_list])
def test_a_damaged_state_is_named_with_the_way_out(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    torch.save({"stage": "words"}, tmp_path / "optimizer.pt")
    damage(tmp_path / "optimizer.pt")
    with pytest.raises(DataError, match=r"optimizer\.pt is damaged .* --init"):
        read_state(tmp_path)
