"""The minutes of a run: what counts, what is set aside, and how true the time left is."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from stsearch.training.run_clock import RunClock, StageClock


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_run_without_minutes_ends_by_its_steps(clock: Clock) -> None:
    run = RunClock(None, clock)
    run.expect_figures("photos", 900)
    stage = StageClock(run, 0, 100)
    clock.now += 1e6
    assert (run.left_s(), run.training_left_s(), run.stride("photos")) == (math.inf, math.inf, 1)
    assert stage.share(49) == 0.5


def test_what_happens_before_the_first_step_counts(clock: Clock) -> None:
    run = RunClock(10, clock)
    clock.now += 240  # the data are read
    stage = StageClock(run, 0, 1_000_000)
    assert run.left_s() == 360
    clock.now += 180
    assert stage.share(0) == pytest.approx(0.5, abs=0.01)


def test_the_figures_at_the_end_are_set_aside(clock: Clock) -> None:
    run = RunClock(10, clock)
    run.expect_figures("photos", 100)
    assert (run.stride("photos"), run.training_left_s()) == (1, 500)


def test_where_all_photographs_take_too_long_every_nth_is_measured(clock: Clock) -> None:
    run = RunClock(1, clock)
    run.expect_figures("photos", 180)  # of 60 seconds
    assert run.stride("photos") == 15
    assert run.training_left_s() == pytest.approx(48)


def test_training_stops_where_one_more_step_would_not_fit(clock: Clock) -> None:
    run = RunClock(1, clock)
    stage = StageClock(run, 0, 1_000)
    over = []
    for step in range(3):
        clock.now += 25
        stage.count(step)
        over.append(stage.is_over(step))
    assert over == [False, True, True]


def test_a_stage_is_over_with_its_last_step(clock: Clock) -> None:
    stage = StageClock(RunClock(None, clock), 2, 4)
    assert [stage.is_over(2), stage.is_over(3)] == [False, True]


@pytest.mark.parametrize("earlier", [0, 500], ids=["a new run", "a resumed run"])
def test_minutes_are_those_of_this_run_alone(clock: Clock, earlier: int) -> None:
    run = RunClock(10, clock)
    stage = StageClock(run, earlier, 1_000_000)
    clock.now += 300
    assert stage.share(earlier + 10) < 1
    assert stage.eta_s(earlier) == 300
    clock.now += 300
    assert stage.share(earlier + 20) == 1


def test_a_resumed_stage_goes_on_with_the_learning_rate_where_it_was(clock: Clock) -> None:
    stage = StageClock(RunClock(10, clock), 500, 1_000)
    assert stage.share(500) == pytest.approx(0.5, abs=0.01)


def test_the_time_left_does_not_count_how_long_the_first_batch_took(clock: Clock) -> None:
    stage = StageClock(RunClock(None, clock), 100, 200)
    assert stage.eta_s(100) is None
    for step in range(100, 111):
        clock.now += 60 if step == 100 else 2
        stage.count(step)
    assert stage.eta_s(110) == pytest.approx(2 * 89)


def test_the_time_left_ends_with_the_minutes(clock: Clock) -> None:
    run = RunClock(1, clock)
    stage = StageClock(run, 0, 12_000)
    assert stage.eta_s(0) == 60
    clock.now += 20
    stage.count(0)
    assert stage.eta_s(0) == 40


def test_what_may_take_a_share_of_the_time_ends_with_it(clock: Clock) -> None:
    def draw() -> Iterator[int]:
        for number in range(100):
            clock.now += 25
            yield number

    run = RunClock(10, clock)
    assert list(run.within(draw(), 0.1)) == [0, 1, 2]
    assert len(list(RunClock(None, clock).within(draw(), 0.1))) == 100
    clock.now += 1e6
    assert list(run.within(draw(), 0.1)) == [0]  # without one there would be nothing to measure
