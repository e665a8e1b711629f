"""How many processes look for words at the same time."""

from __future__ import annotations

from stsearch.memory import free_memory
from stsearch.worker_pool import usable_cores

_MAX_ON_CPU, _MAX_ON_GPU = 8, 12
_MEMORY = 1_000_000_000  # bytes of a process on a CPU, its largest photograph included
GPU_CORES = 2
"""Cores of a process that decodes for a GPU and finds outlines in what it returns."""


def worker_count(on_cpu: bool) -> int:
    """Return how many processes keep every core busy, or a GPU, and fit into the memory that is free."""
    cores = usable_cores()
    if not on_cpu:
        return count_per_gpu(cores)
    free = free_memory()
    return max(1, min(cores, _MAX_ON_CPU, cores if free is None else free // _MEMORY))


def count_per_gpu(cores: int) -> int:
    """Return how many processes keep a GPU busy that has so many cores beside it."""
    return max(1, min(cores // GPU_CORES, _MAX_ON_GPU))
