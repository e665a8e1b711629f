"""Crops in the terminal: which graphics a terminal gets, what is sent, and that a pipe gets none."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from gallery_fixtures import Run, make_set_gallery

from stsearch.cli import crop_preview
from stsearch.cli.crop_preview import graphics_of, half_blocks, iterm, kitty
from stsearch.types import Image


def noise(height: int, width: int) -> Image:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def decoded(encoded: str) -> Image:
    return np.asarray(PIL.Image.open(io.BytesIO(base64.b64decode(encoded))))


@pytest.mark.parametrize(
    ("environment", "graphics"),
    [
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm"),
        ({"LC_TERMINAL": "iTerm2"}, "iterm"),
        ({"TERM": "xterm-256color"}, "blocks"),
        ({}, "blocks"),
        ({"TERM": "screen-256color", "KITTY_WINDOW_ID": "1"}, "blocks"),
        ({"TMUX": "/tmp/tmux", "TERM_PROGRAM": "iTerm.app"}, "blocks"),
    ],
)
def test_a_terminal_gets_the_graphics_it_says_it_has(environment: dict[str, str], graphics: str) -> None:
    assert graphics_of(environment) == graphics


def test_kitty_gets_a_png_in_pieces_of_which_the_last_says_so() -> None:
    picture = noise(40, 100)
    pieces = re.findall("\x1b_G([^;]*);([^\x1b]*)\x1b\\\\", kitty(picture))
    assert [control for control, _ in pieces] == ["a=T,f=100,q=2,m=1", "m=1", "m=1", "m=0"]
    assert max(len(part) for _, part in pieces) <= 4096
    np.testing.assert_array_equal(decoded("".join(part for _, part in pieces)), picture)


def test_a_small_picture_is_one_piece() -> None:
    assert kitty(np.zeros((4, 4, 3), np.uint8)).startswith("\x1b_Ga=T,f=100,q=2,m=0;")


def test_iterm_gets_a_png_and_its_size() -> None:
    picture = noise(10, 20)
    found = re.fullmatch("\x1b]1337;File=inline=1;width=20px;height=10px:(.*)\x07", iterm(picture))
    assert found is not None
    np.testing.assert_array_equal(decoded(found[1]), picture)


def test_half_blocks_hold_two_pixels_each() -> None:
    picture = np.zeros((2, 3, 3), np.uint8)
    picture[0], picture[1] = (255, 0, 0), (0, 0, 255)
    (line,) = half_blocks(picture, 80)
    assert line.plain == "▀▀▀"
    assert {str(span.style) for span in line.spans} == {"rgb(255,0,0) on rgb(0,0,255)"}


def test_half_blocks_are_eight_lines_high_and_never_wider_than_the_terminal() -> None:
    lines = list(half_blocks(noise(48, 96), 80))
    assert (len(lines), len(lines[0])) == (8, 32)
    assert max(map(len, half_blocks(noise(48, 480), 80))) == 80


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_set_gallery(tmp_path, {"a.png": ["bar"], "b.png": ["bar", "bar"]}).close()
    PIL.Image.new("RGB", (640, 480), (200, 30, 30)).save(tmp_path / "b.png")
    monkeypatch.setenv("STSEARCH_INDEX", str(tmp_path))
    monkeypatch.setenv("TERM", "xterm-kitty")
    monkeypatch.delenv("TMUX", raising=False)
    return tmp_path


@pytest.mark.usefixtures("photos")
def test_a_pipe_gets_no_pictures(run: Run) -> None:
    plain = run("search", "bar")
    assert run("search", "bar", "--preview").out == plain.out


@pytest.mark.usefixtures("photos")
def test_on_a_terminal_the_words_follow_the_table(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    done = run("search", "bar", "--preview")
    assert re.findall("^([0-9])  1.00  bar$", done.out, re.MULTILINE) == ["2", "3"]
    assert done.out.count("\x1b_Ga=T") == 2
    assert "cannot show " in done.err
    assert "a.png: No such file or directory" in done.err


@pytest.mark.usefixtures("photos")
def test_a_terminal_without_graphics_and_colours_gets_a_note(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    done = run("search", "bar", "--preview")
    assert (done.code, done.out.count("▀"), done.out.count("\x1b")) == (0, 0, 0)
    assert "--preview needs a terminal with colours" in done.err


@pytest.mark.usefixtures("photos")
def test_without_graphics_the_words_are_set_in_blocks(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for name, value in {"TERM": "xterm-256color", "COLORTERM": "truecolor", "FORCE_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR")
    assert "▀" in run("search", "bar", "--preview").out


@pytest.mark.usefixtures("photos")
def test_paths_and_json_lines_are_never_mixed_with_pictures(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr(crop_preview, "print_crops", lambda *_: pytest.fail("pictures"))
    assert run("search", "bar", "--preview", "--json").out.count("\n") == 3
    assert run("search", "bar", "--preview", "-l").code == 0
