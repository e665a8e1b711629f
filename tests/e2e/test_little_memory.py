"""The program where it may use little memory: a sentence and 14, never a crash."""

from __future__ import annotations

import functools
import resource
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def run_limited(addresses: int, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run ``stsearch`` as after ``ulimit -v``, with so many bytes."""
    limit = functools.partial(resource.setrlimit, resource.RLIMIT_AS, (addresses, addresses))
    command = [sys.executable, "-m", "stsearch", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, preexec_fn=limit)


def test_with_too_little_memory_for_numpy_a_command_says_so(photos: Path) -> None:
    for addresses in (300_000_000, 400_000_000, 500_000_000):
        done = run_limited(addresses, "status", photos)
        assert done.returncode == 14, done.stderr
        assert "ulimit -v unlimited" in done.stderr


def test_help_takes_little_memory() -> None:
    assert run_limited(200_000_000, "--help").returncode == 0


def test_with_too_little_memory_for_the_network_it_is_not_loaded(photos: Path, tiny_weights: Path) -> None:
    for addresses in (800_000_000, 1_600_000_000):
        done = run_limited(addresses, "index", photos, "--model", tiny_weights)
        assert done.returncode == 14, done.stderr
        assert "ulimit -v unlimited" in done.stderr
    assert run_limited(2_000_000_000, "status", photos, "--failed").stdout == ""
