"""The console script, also as ``python -m stsearch``: Ctrl-C ends it quietly from its first moment on."""

from __future__ import annotations

from stsearch.cli import signals

TYPE_CHECKING = False  # as in the package
if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Load the command line and run it."""
    signals.leave_at_once()
    from stsearch.cli.app import main as run_program

    run_program()


if __name__ == "__main__":
    main()
