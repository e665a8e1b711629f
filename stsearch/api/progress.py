"""Progress bars of library calls, for terminals and notebooks (tqdm)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from stsearch.errors import UsageError

T = TypeVar("T")


@contextmanager
def shown(
    progress: bool | Callable[[T], None], unit: str, state: Callable[[T], tuple[int, int, str]]
) -> Iterator[Callable[[T], None]]:
    """Yield the callable that a job tells how far it is.

    Args:
        progress: True shows a bar, False nothing; a callable is yielded as it is.
        unit: of what is counted.
        state: returns how much is done, of how much (0: the bar stays where it is), and what else to show.
    """
    if callable(progress):
        yield progress
        return
    if not isinstance(progress, bool):
        raise UsageError(f"progress is True, False or a function, not {progress!r}")
    from tqdm.auto import tqdm

    with tqdm(unit=unit, disable=not progress) as bar:

        def update(now: T) -> None:
            done, total, more = state(now)
            bar.set_postfix_str(more, refresh=False)
            if total:
                bar.total = total
                bar.update(done - bar.n)

        yield update
