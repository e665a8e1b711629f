"""ahead.py: results in order, and no waiting for work that never ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator

import pytest

from stsearch.worker_pool import OrderedPool, Timeout

LIMIT_S = 0.3  # what the others have to be done in, on a busy machine too


@pytest.fixture
def hang() -> Iterator[Callable[[], None]]:
    """Return a function that does not come back before the test is over."""
    over = threading.Event()
    yield lambda: assert_waited(over)
    over.set()


def assert_waited(event: threading.Event) -> None:
    assert event.wait(60)


@pytest.mark.parametrize("number", [0, 1, 3, 50])
def test_results_come_in_order(number: int) -> None:
    with OrderedPool(3, str) as workers:
        assert list(workers.results(range(number))) == [str(item) for item in range(number)]


def test_items_are_taken_up_to_twice_as_many_as_threads_ahead() -> None:
    items = iter(range(100))
    with OrderedPool(2, str) as workers:
        assert next(workers.results(items)) == "0"
    assert next(items) == 4


def test_an_exception_is_raised_where_the_result_is_taken() -> None:
    with OrderedPool(1, int) as workers, pytest.raises(ValueError, match="invalid literal"):
        list(workers.results(["no number"]))


@pytest.mark.parametrize("threads", [1, 3])
def test_what_takes_too_long_is_given_up_and_the_others_are_done(
    hang: Callable[[], None], threads: int
) -> None:
    def work(item: str) -> str:
        if item == "stuck":
            hang()
        return item

    def give_up(item: str) -> str:
        return f"gave up {item}"

    with OrderedPool(threads, work, Timeout(LIMIT_S, give_up)) as workers:
        results = list(workers.results(["a", "stuck", "b", "stuck", "c"]))
    assert results == ["a", "gave up stuck", "b", "gave up stuck", "c"]


def test_a_limit_may_be_infinite() -> None:
    with OrderedPool(1, str, Timeout(float("inf"), str)) as workers:
        assert list(workers.results([1])) == ["1"]


@pytest.mark.slow
def test_a_process_ends_while_work_is_stuck() -> None:
    script = (
        "import threading; from stsearch.worker_pool import Timeout, OrderedPool\n"
        "with OrderedPool(2, lambda item: threading.Event().wait(), Timeout(0.01, str)) as workers:\n"
        "    print(list(workers.results([1, 2, 3])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert (done.stdout, done.stderr) == ("['1', '2', '3']\n", "")
