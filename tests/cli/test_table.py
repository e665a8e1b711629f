"""Tables of any width: what gives way first, and what is never lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rich.cells import cell_len

from stsearch.cli.table import Cell, Row, print_table, shorten_path
from stsearch.objects.url import ObjectUrl

PHOTO = Path("/home/ada/photos/2019/a journey to rome/IMG_2231.jpg")
ROW = Row(
    {"word": Cell("COFFEE"), "score": Cell("0.98", is_number=True), "photo": Cell(str(PHOTO), file=PHOTO)}
)


@pytest.fixture
def columns(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("TERM", "dumb")
    return monkeypatch


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(
    columns: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], width: int
) -> None:
    columns.setenv("COLUMNS", str(width))
    print_table([ROW])
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["word", "score", "photo"]
    assert cell_len(row) <= width
    assert row.startswith("COFFEE   0.98  /home/")
    assert row.endswith("IMG_2231.jpg")
    assert ("…" in row) == (width < 80)


def test_a_terminal_without_escape_sequences_is_as_wide_as_it_says(
    columns: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns.setattr("sys.stdout.isatty", lambda: True)
    columns.delenv("COLUMNS")
    columns.setattr("os.get_terminal_size", lambda *_: os.terminal_size((50, 24)))
    print_table([ROW])
    assert cell_len(capsys.readouterr().out.splitlines()[1]) == 50


def test_a_word_too_long_for_the_terminal_is_cut_at_its_end(
    columns: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns.setenv("COLUMNS", "40")
    print_table([Row({**ROW.cells, "word": Cell("x" * 50)})])
    row = capsys.readouterr().out.splitlines()[1]
    assert len(row) == 40
    assert row.startswith("xxxxxxxxxxxxxx…   0.98  /h")


def test_notes_stand_below_their_row_and_are_wrapped(
    columns: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    columns.setenv("COLUMNS", "40")
    print_table([Row(ROW.cells, ["why " * 15])])
    lines = capsys.readouterr().out.splitlines()[2:]
    assert len(lines) == 2
    assert all(line.startswith("   why") and len(line) <= 40 for line in lines)


def test_on_a_terminal_a_path_leads_to_its_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "50")
    print_table([ROW])
    out = capsys.readouterr().out
    assert ";file:///home/ada/photos/2019/a%20journey%20to%20rome/IMG_2231.jpg\x1b\\" in out
    assert "IMG_2231.jpg\x1b]8;;\x1b\\" in out


def test_on_a_terminal_a_url_leads_to_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("FORCE_COLOR", "1")
    url = ObjectUrl("s3", "bucket", "photos/a journey/IMG_2231.jpg")
    print_table([Row({"photo": Cell(str(url), file=url)})])
    assert ";s3://bucket/photos/a%20journey/IMG_2231.jpg\x1b\\" in capsys.readouterr().out


def test_a_console_that_cannot_follow_links_gets_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TERM", "linux")
    monkeypatch.setenv("FORCE_COLOR", "1")
    print_table([ROW])
    assert "file://" not in capsys.readouterr().out


def test_nothing_is_printed_of_no_rows(capsys: pytest.CaptureFixture[str]) -> None:
    print_table([])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("path", "width", "shown"),
    [
        pytest.param("a/b.jpg", 10, "a/b.jpg", id="it fits"),
        pytest.param("photos/2019/IMG_2231.jpg", 20, "photos…/IMG_2231.jpg", id="the middle goes"),
        pytest.param("photos/" + "x" * 30 + ".jpg", 12, "…xxxxxxx.jpg", id="a long name"),
        pytest.param("写真/東京/看板.jpg", 11, "…/看板.jpg", id="wide letters"),
    ],
)
def test_a_path_is_cut_in_its_middle(path: str, width: int, shown: str) -> None:
    assert shorten_path(path, width) == shown
    assert cell_len(shown) <= width
