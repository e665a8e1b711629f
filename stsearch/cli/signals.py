"""What Ctrl-C and SIGTERM do: stop at once, and never inside an import."""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

INTERRUPTED = 128 + signal.SIGINT
TERMINATED = 128 + signal.SIGTERM


def install() -> None:
    """Let both signals unwind the program, so that what is open gets closed."""
    signal.signal(signal.SIGTERM, _terminate)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else ignored, as in a background job
        signal.signal(signal.SIGINT, interrupt)


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
    sys.stderr.flush()
    os._exit(code)
