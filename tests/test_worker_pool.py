"""worker_pool.py: results in order, and no waiting for work that is slow."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from stsearch.worker_pool import OrderedPool, Step

PATIENCE_S = 60.0  # until a test that hangs fails


@pytest.fixture
def hang() -> Iterator[Callable[[], None]]:
    """Return a function that does not come back before the test is over."""
    over = threading.Event()
    yield lambda: assert_waited(over)
    over.set()


def assert_waited(event: threading.Event) -> None:
    assert event.wait(PATIENCE_S)


def pool_of(threads: int, work: Callable[[int], str]) -> OrderedPool[int, str]:
    return OrderedPool(Step(threads, work))


@pytest.mark.parametrize("number", [0, 1, 3, 50])
def test_results_come_in_order(number: int) -> None:
    with pool_of(3, str) as workers:
        assert list(workers.results(range(number))) == [str(item) for item in range(number)]


def test_the_result_of_a_step_is_the_item_of_the_next() -> None:
    two_steps: OrderedPool[int, str] = OrderedPool(Step(2, lambda item: item + 1), Step(3, str))
    with two_steps as workers:
        assert list(workers.results(range(50))) == [str(item + 1) for item in range(50)]


def test_up_to_twice_as_many_items_as_threads_are_in_work() -> None:
    taken, done, in_work = 0, 0, [0]

    def items() -> Iterator[int]:
        nonlocal taken
        for item in range(100):
            taken += 1
            in_work.append(taken - done)
            yield item

    with pool_of(2, str) as workers:
        for _ in workers.results(items()):
            done += 1
    assert max(in_work) <= 4


@pytest.mark.parametrize("is_slow_in", [0, 1])
def test_items_pass_a_slow_one_in_whichever_step_it_is(is_slow_in: int) -> None:
    passed, done = threading.Event(), 0

    def work(step: int, item: int) -> int:
        if item == 0 and step == is_slow_in:
            assert_waited(passed)
        return item

    def last(item: int) -> int:
        nonlocal done
        result = work(1, item)
        done += item > 0
        if done == 39:
            passed.set()
        return result

    pool: OrderedPool[int, int] = OrderedPool(Step(2, lambda item: work(0, item)), Step(2, last), ahead=40)
    with pool as workers:
        assert list(workers.results(range(40))) == list(range(40))


def test_no_more_items_than_allowed_pass_a_slow_one() -> None:
    """The slow item waits until the last one allowed is done, which is when another would be taken."""
    passed = threading.Event()
    taken = iter(range(100))

    def work(item: int) -> int:
        if item == 0:
            assert_waited(passed)
        elif item == 9:
            passed.set()
        return item

    pool: OrderedPool[int, int] = OrderedPool(Step(2, work), ahead=10)
    with pool as workers:
        assert next(workers.results(taken)) == 0
    assert next(taken) == 10


def test_an_exception_is_raised_before_the_results_of_slow_items(hang: Callable[[], None]) -> None:
    def work(item: str) -> int:
        if not item:
            hang()
        return int(item)

    pool: OrderedPool[str, int] = OrderedPool(Step(2, work))
    with pool as workers, pytest.raises(ValueError, match="invalid literal"):
        list(workers.results(["", "no number"]))


def test_what_was_finished_before_an_exception_can_be_taken(hang: Callable[[], None]) -> None:
    def work(item: str) -> str:
        if item == "slow":
            hang()
        if item == "wrong":
            raise KeyboardInterrupt
        return item

    pool: OrderedPool[str, str] = OrderedPool(Step(2, work))
    with pytest.raises(KeyboardInterrupt), pool as workers:
        list(workers.results(["slow", "quick", "wrong"]))
    assert pool.take_finished() == ["quick"]


@pytest.mark.slow
def test_a_process_ends_while_work_is_stuck() -> None:
    script = (
        "import threading; from stsearch.worker_pool import OrderedPool, Step\n"
        "with OrderedPool(Step(2, lambda item: item or threading.Event().wait())) as workers:\n"
        "    print(next(workers.results([1, 0, 0])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("1\n", "")
