"""The progress of a job: what its line says, how true rate and time left are, and where it is shown."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence

import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from stsearch.cli import output
from stsearch.cli.progress import (
    ProgressDisplay,
    Step,
    indexing_progress,
    progress_display,
    watched,
)
from stsearch.indexing.progress import Progress


class Clock:
    """Tells the time that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(display: ProgressDisplay, clock: Clock, steps: Sequence[tuple[float, Step]]) -> None:
    for clock.now, step in steps:
        display.show(step)


def drawn(display: ProgressDisplay, width: int) -> list[str]:
    terminal = Console(file=io.StringIO(), width=width, force_terminal=True, no_color=True)
    with terminal.capture() as captured:
        terminal.print(display)
    return [Text.from_ansi(line).plain for line in captured.get().splitlines()]


def test_a_job_that_ends_before_all_steps_says_how_long_it_took() -> None:
    clock = Clock()
    display = ProgressDisplay("steps", clock=clock)
    run(display, clock, [(0.0, Step(1, 100)), (10.0, Step(2, 100)), (60.0, Step(2, 100, is_over=True))])
    assert display.line == "2/100 steps · 10.0 s each · in 0:01:00"


def test_where_errors_only_are_wanted_no_progress_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := io.StringIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    output.hush(True)
    try:
        with progress_display("photos") as display:
            display.show(Step(1, 2))
    finally:
        output.hush(False)
    assert terminal.getvalue() == ""


def test_rate_and_time_left_are_of_what_takes_time() -> None:
    clock = Clock()
    display = ProgressDisplay("photos", clock=clock)
    steps = [(0.0, Step(1_000, 1_100, skipped=1_000))]  # known already
    steps += [(20.0 + 2 * n, Step(1_000 + n, 1_100, skipped=1_000)) for n in range(1, 51)]
    run(display, clock, steps)
    assert display.line == "1,050/1,100 photos · 2.0 s each · 0:01:40 left"


def test_the_rate_does_not_count_how_long_the_first_step_had_to_wait() -> None:
    clock = Clock()
    display = ProgressDisplay("photos", clock=clock)
    run(display, clock, [(0.0, Step(0, 9)), (30.0, Step(1, 9)), (32.0, Step(2, 9)), (34.0, Step(3, 9))])
    assert display.line == "3/9 photos · 2.0 s each · 0:00:12 left"


def test_what_is_not_counted_is_shown_by_what_is_at_work() -> None:
    display = ProgressDisplay("steps", clock=Clock())
    display.show(Step(0, at="reading the labelled data", left_s=60))
    assert display.line == "0:01:00 left · reading the labelled data"


def test_the_rate_follows_the_last_minute() -> None:
    clock = Clock()
    display = ProgressDisplay("photos", clock=clock)
    slow = [(10.0 * n, Step(n, 1_000)) for n in range(1, 11)]
    fast = [(100 + 0.5 * n, Step(10 + n, 1_000)) for n in range(1, 201)]
    run(display, clock, slow)
    assert display.rate == pytest.approx(0.1)
    run(display, clock, fast)
    assert display.rate == pytest.approx(2.0)


def test_the_time_left_that_a_job_knows_goes_before_the_rate() -> None:
    display = ProgressDisplay("steps", clock=Clock())
    display.show(Step(3, 12_000, more="ctc 1.250", left_s=75.2))
    assert display.line == "3/12,000 steps · 0:01:15 left · ctc 1.250"


def test_a_job_of_unknown_length_is_counted() -> None:
    display = ProgressDisplay("crops", clock=Clock())
    display.show(Step(64, at="CUTE80"))
    assert display.line == "64 crops · CUTE80"


def test_a_log_gets_a_line_every_30_seconds() -> None:
    clock, lines = Clock(), list[str]()
    display = ProgressDisplay("photos", lines.append, clock)
    run(display, clock, [(t, Step(n, 9)) for n, t in enumerate((1.0, 29.9, 30.0, 59.0, 61.0))])
    assert [line.split("/")[0] for line in lines] == ["2", "4"]


def test_names_and_words_cannot_act_on_a_terminal() -> None:
    display = ProgressDisplay("photos", clock=Clock())
    display.show(Step(1, 2, at="a\x1b[31m.jpg", read=["ha\x1b[2J"]))
    shown = "".join(drawn(display, 80))
    assert "\\x1b[31m" in display.line
    assert "\\x1b[2J" in shown
    assert "\x1b[2J" not in shown


@pytest.mark.parametrize("width", [30, 60, 80, 120])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    display = ProgressDisplay("photos", clock=Clock())
    display.show(Step(1, 20_000, at="2024/rome/" * 9 + "a.jpg", read=["COFFEE", "OPEN", "日本語の看板"] * 9))
    lines = drawn(display, width)
    assert len(lines) == 2
    assert all(cell_len(line) <= width for line in lines)


def test_a_narrow_terminal_shortens_the_bar_before_the_counts() -> None:
    clock = Clock()
    display = ProgressDisplay("photos", clock=clock)
    run(display, clock, [(1.0, Step(1, 300)), (3.0, Step(2, 300))])
    assert drawn(display, 54)[0].endswith(" 2/300 photos · 2.0 s each · 0:09:56 left")


def test_the_last_words_scroll_by_with_the_newest_at_the_right() -> None:
    display = ProgressDisplay("photos", clock=Clock())
    display.show(Step(1, 2, at="a.jpg", read=["COFFEE", "OPEN"]))
    display.show(Step(2, 2, at="b.jpg", read=["BAKERY"]))
    assert drawn(display, 60)[1].rstrip() == "b.jpg  COFFEE, OPEN, BAKERY"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_last_state_stays_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    with indexing_progress() as show:
        show(Progress(7, 8, 20, at="a.jpg", read=("COFFEE",)))
        show(Progress(8, 8, 23, at="b.jpg", read=("TEA",)))
    screen = terminal.getvalue()
    left = screen[screen.rindex("8/8 photos") :]
    assert "b.jpg" in left
    assert "TEA" in left


def test_what_is_printed_to_stdout_meanwhile_goes_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with watched(["tea", "coffee"], "queries", str) as queries:
        for query in queries:
            sys.stdout.write(f"{query}\n")
    assert capsys.readouterr().out == "tea\ncoffee\n"
    assert "2/2 queries" in terminal.getvalue()


def test_hidden_progress_and_short_jobs_without_a_terminal_say_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for hidden in (True, False):
        with progress_display("photos", hidden) as display:
            display.show(Step(1, 1))
    assert capsys.readouterr() == ("", "")
