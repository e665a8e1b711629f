"""The progress of a long job: a bar that moves with every step on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

from stsearch.cli import output

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from stsearch.indexing.progress import Progress

T = TypeVar("T")

QUIET_S = 30.0
"""A log file gets a line this often: enough to see life, too few to drown the messages."""

_WINDOW_S = 60.0  # that the rate is measured over
_BAR_WIDTH, _MIN_BAR_WIDTH = 24, 6
_WORDS_KEPT = 40


@dataclass(frozen=True, slots=True)
class Step:
    """How far a job is.

    Attributes:
        done: steps that are finished.
        total: steps there are; 0: not known.
        at: what is at work or was finished last, such as a file.
        read: words that were read in it.
        more: figures of the job, such as losses.
        skipped: steps of those done that took no time; the rate is of the others.
        left_s: seconds left; None: by the rate.
        is_over: the job has ended, be it before all steps were done.
    """

    done: int
    total: int = 0
    at: str = ""
    read: Sequence[str] = ()
    more: str = ""
    skipped: int = 0
    left_s: float | None = None
    is_over: bool = False


class ProgressDisplay:
    """Shows the steps of a job; its text is kept apart from where it is shown.

    Args:
        noun: what is counted, such as photos.
        write: is given a line every ``QUIET_S`` seconds; None: no lines are wanted.
        clock: seconds.
    """

    def __init__(
        self,
        noun: str,
        write: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._noun, self._write, self._clock = noun, write, clock
        self._step = Step(0)
        self._timed: deque[tuple[float, int]] = deque()  # when so many steps that take time were done
        self._words: deque[str] = deque(maxlen=_WORDS_KEPT)
        self._begun = self._written = clock()

    def show(self, step: Step) -> None:
        """Show that the job has come to ``step``."""
        self._step = step
        self._words.extend(map(output.printable, step.read))
        self._time(step.done - step.skipped)
        if self._write is not None and self._clock() - self._written >= QUIET_S:
            self._written = self._clock()
            self._write(self.line)

    def _time(self, done: int) -> None:
        now = self._clock()
        if self._timed and done < self._timed[-1][1]:  # another count has begun
            self._timed.clear()
        if done and (not self._timed or done > self._timed[-1][1]):  # the first one waits for what is loaded
            self._timed.append((now, done))
        while len(self._timed) > 2 and self._timed[1][0] < now - _WINDOW_S:
            self._timed.popleft()

    @property
    def rate(self) -> float:
        """Steps a second, of those that take time, in the last minute; 0 while it is not known."""
        if len(self._timed) < 2:
            return 0.0
        (begun, before), (ended, after) = self._timed[0], self._timed[-1]
        return (after - before) / (ended - begun) if ended > begun else 0.0

    @property
    def line(self) -> str:
        """The state of the job in a line, what is at work last."""
        return " · ".join(filter(None, [self._counts(), output.printable(self._step.at)]))

    def _counts(self) -> str:
        step = self._step
        counted = ""
        if step.done or step.total:
            number = f"{step.done:,}/{step.total:,}" if step.total else f"{step.done:,}"
            counted = f"{number} {self._noun}"
        return " · ".join(filter(None, [counted, self._rate_text(), self._left_text(), step.more]))

    def _rate_text(self) -> str:
        rate = self.rate
        if not (rate and self._step.done):
            return ""
        return f"{rate:.1f} {self._noun}/s" if rate >= 1 else f"{1 / rate:.1f} s each"

    def _left_text(self) -> str:
        step, rate = self._step, self.rate
        if step.is_over or 0 < step.total == step.done:
            return f"in {timedelta(seconds=round(self._clock() - self._begun))}"
        left_s = step.left_s
        if left_s is None and rate and step.total:
            left_s = (step.total - step.done) / rate
        return "" if left_s is None else f"{timedelta(seconds=round(left_s))} left"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a bar with the counts beside it; below what is at work, and the last words that were read."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        step = self._step
        counts = Text(self._counts(), no_wrap=True, overflow="ellipsis")
        width = min(max(options.max_width - counts.cell_len - 1, _MIN_BAR_WIDTH), _BAR_WIDTH)
        bar = ProgressBar(step.total or None, step.done, width=width, pulse=not step.total)
        row = Table.grid(padding=(0, 1))
        row.add_row(bar, counts)
        yield row
        below = Text(output.printable(step.at), style="dim", no_wrap=True, overflow="ellipsis")
        below.truncate(options.max_width // 2)
        below.append("  ")
        below.append(self._last_words(options.max_width - below.cell_len), style="bold")
        yield below

    def _last_words(self, width: int) -> str:
        """Return as many of the last words as fit into ``width`` columns, the newest at the right."""
        from rich.cells import cell_len

        shown = ""
        for word in reversed(self._words):
            longer = f"{word}, {shown}" if shown else word
            if cell_len(longer) > width:
                break
            shown = longer
        return shown


@contextmanager
def progress_display(noun: str, hidden: bool = False) -> Iterator[ProgressDisplay]:
    """Yield a display on stderr: a bar whose last state stays on a terminal, else a line every 30 seconds.

    Args:
        noun: what is counted, such as photos.
        hidden: show nothing; so it is where errors only are wanted.
    """
    if hidden or output.is_quiet():
        yield ProgressDisplay(noun)
        return
    if not sys.stderr.isatty():
        yield ProgressDisplay(noun, output.note)
        return
    from rich.console import Console
    from rich.live import Live

    display = ProgressDisplay(noun)
    # What is printed to stdout meanwhile is left alone: it may go to a file.
    with Live(display, console=Console(stderr=True), refresh_per_second=8, redirect_stdout=False):
        yield display


@contextmanager
def indexing_progress(hidden: bool = False) -> Iterator[Callable[[Progress], None]]:
    """Yield the callable that an indexing run tells its progress, to be shown by a display of photos."""
    with progress_display("photos", hidden) as display:
        yield lambda now: display.show(Step(now.done, now.total, at=now.at, read=now.read, skipped=now.known))


@contextmanager
def watched(
    items: Sequence[T], noun: str, name: Callable[[T], str], hidden: bool = False
) -> Iterator[Iterable[T]]:
    """Yield ``items`` to go through once, while a display shows the ``name`` of the one at work."""
    with progress_display(noun, hidden) as display:

        def go_through() -> Iterator[T]:
            for number, item in enumerate(items):
                display.show(Step(number, len(items), at=name(item)))
                yield item
            display.show(Step(len(items), len(items)))

        yield go_through()
