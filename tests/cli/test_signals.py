"""Ctrl-C unwinds the program, but ends it at once while something is imported."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stsearch.cli import signals


def test_an_interrupt_is_raised_when_nothing_is_imported() -> None:
    with pytest.raises(KeyboardInterrupt):
        signals.interrupt()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "SIGTERM"]
)
def test_a_signal_during_an_import_ends_the_process_at_once(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """Raising there would end in the C++ of torch, which aborts."""
    (tmp_path / "slow_module.py").write_text(
        "import os, signal\n"
        "try:\n"
        f"    os.kill(os.getpid(), {int(number)})\n"
        "except BaseException:\n"
        "    raise SystemExit(134)\n"
    )
    program = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from stsearch.cli import signals; signals.install()\n"
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import slow_module"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == code


def test_little_is_imported_before_ctrl_c_is_answered_quietly() -> None:
    code = "import sys, stsearch.cli.signals; print({'contextlib', 'typing'} & set(sys.modules))"
    command = [sys.executable, "-S", "-c", code]  # without what site-packages imports
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "set()\n"
