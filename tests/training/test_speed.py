"""Waiting for data is told apart from computing."""

from __future__ import annotations

from collections.abc import Iterator

from stsearch.training.speed import WaitClock


def test_only_the_time_until_an_item_is_there_counts_as_waiting() -> None:
    now = 0.0

    def draw() -> Iterator[str]:
        nonlocal now
        for item in "ab":
            now += 2.0
            yield item
        now += 1.0  # until it is known that there are no more

    waiting = WaitClock(lambda: now)
    seen = []
    for item in waiting.timed(draw()):
        now += 10.0  # of computing
        seen.append((item, waiting.seconds))
    assert seen == [("a", 2.0), ("b", 4.0)]
    assert waiting.seconds == 5.0
