"""Files that a user names: whole or untouched, and never a link, device or pipe replaced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stsearch.cli.text_file import write_text
from stsearch.errors import WriteError


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("before, and longer")
    write_text(tmp_path / "a.html", "after é")
    assert [file.name for file in tmp_path.iterdir()] == ["a.html"]
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == "after é"


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    write_text(tmp_path / "link", "text")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_text() == "text"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(tmp_path / "pipe", "text")
        assert os.read(reader, 100) == b"text"
    finally:
        os.close(reader)
    assert (tmp_path / "pipe").is_fifo()


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match=f"cannot write {tmp_path}: Is a directory"):
        write_text(tmp_path, "text")
    with pytest.raises(WriteError, match=r"absent/a\.html: No such file or directory"):
        write_text(tmp_path / "absent" / "a.html", "text")
