"""What Ctrl-C and SIGTERM do: stop at once, and never inside an import."""

from __future__ import annotations

import os
import signal
import sys

TYPE_CHECKING = False  # as in the package: what is imported here delays the answer to the first Ctrl-C
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import NoReturn

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


def leave_at_once() -> None:
    """Let both signals end the process quietly; for when there is nothing to close, at its begin and end."""
    _handle(signal.SIGTERM, lambda *_: leave(TERMINATED))
    _handle(signal.SIGINT, lambda *_: leave(INTERRUPTED))


def install() -> None:
    """Let both signals unwind the program, so that what is open gets closed."""
    _handle(signal.SIGTERM, _terminate)
    _handle(signal.SIGINT, interrupt)


def _handle(number: signal.Signals, handler: Callable[[int, FrameType | None], object]) -> None:
    if signal.getsignal(number) is not signal.SIG_IGN:  # which a shell sets for a job in the background
        signal.signal(number, handler)


def interrupt(_signal: int = signal.SIGINT, _frame: object = None) -> NoReturn:
    """Raise KeyboardInterrupt, or leave at once while something is imported."""
    _leave_an_import(INTERRUPTED)
    raise KeyboardInterrupt


def _terminate(_signal: int, _frame: object) -> NoReturn:
    _leave_an_import(TERMINATED)
    sys.exit(TERMINATED)


def _leave_an_import(code: int) -> None:
    # An exception in the middle of importing torch ends in C++, which aborts. Nothing is lost that was
    # committed, and nothing else has been done by then.
    if any(_is_importing(module) for module in list(sys.modules.values())):
        leave(code)


def _is_importing(module: object) -> bool:
    return bool(getattr(getattr(module, "__spec__", None), "_initializing", False))


def leave(code: int) -> NoReturn:
    """End the process without waiting for threads, under which the interpreter would abort."""
    try:
        sys.stderr.flush()
    finally:  # the signal may have come while it was written to
        os._exit(code)
