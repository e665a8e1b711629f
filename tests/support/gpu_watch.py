"""How busy a GPU is, and how much of its memory is taken, as nvidia-smi says."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import mean


@contextmanager
def watched_gpu() -> Iterator[list[tuple[float, float]]]:
    """Sample the GPU inside a ``with`` block: percent of the time that it is busy, and MiB that are taken."""
    samples: list[tuple[float, float]] = []
    if shutil.which("nvidia-smi") is None:
        yield samples
        return
    query = ["nvidia-smi", "--query-gpu=utilization.gpu,memory.used", "--format=csv,noheader,nounits"]
    process = subprocess.Popen([*query, "-lms", "250"], stdout=subprocess.PIPE, text=True)
    try:
        yield samples
    finally:
        process.terminate()
        for line in process.communicate()[0].splitlines():
            busy, _, memory = line.partition(",")
            if busy.strip().isdigit() and memory.strip().isdigit():
                samples.append((float(busy), float(memory)))


def busy(samples: Sequence[tuple[float, float]]) -> dict[str, float | None]:
    """Return how busy the GPU was on average, and the most memory that was taken; None without samples."""
    return {
        "gpu_busy_percent": round(mean(percent for percent, _ in samples), 1) if samples else None,
        "gpu_memory_mib": max(memory for _, memory in samples) if samples else None,
    }
