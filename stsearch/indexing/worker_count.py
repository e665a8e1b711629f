"""How many processes look for words at the same time."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from stsearch.worker_pool import usable_cores

_MAX_ON_CPU, _MAX_ON_GPU = 8, 12
_MEMORY = 1_000_000_000  # bytes of a process on a CPU, its largest photograph included
_GPU_CORES = 2  # of a process that decodes for a GPU and finds outlines in what it returns


def worker_count(on_cpu: bool) -> int:
    """Return how many processes keep every core busy, or a GPU, and fit into the memory that is free."""
    cores = usable_cores()
    if not on_cpu:
        return max(1, min(cores // _GPU_CORES, _MAX_ON_GPU))
    return max(1, min(cores, _MAX_ON_CPU, _free_memory() // _MEMORY))


def _free_memory() -> int:
    """Return the bytes that this process may take; many where that is not known."""
    found = [1 << 50]
    with suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable")))
    with suppress(OSError, ValueError):  # of the container
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text())
        found.append(limit - int((group / "memory.current").read_text()))
    return min(found)
