"""How many processes look for words: as many as there are cores, memory and use for."""

from __future__ import annotations

import pytest

from stsearch.indexing.worker_count import worker_count


@pytest.mark.parametrize(
    ("cores", "free", "count"),
    [(2, None, 2), (6, 64_000_000_000, 6), (6, 2_900_000_000, 2), (6, 100_000_000, 1), (64, None, 8)],
)
def test_processes_on_a_cpu_have_a_core_and_memory_each(
    monkeypatch: pytest.MonkeyPatch, cores: int, free: int | None, count: int
) -> None:
    monkeypatch.setattr("stsearch.indexing.worker_count.usable_cores", lambda: cores)
    monkeypatch.setattr("stsearch.indexing.worker_count.free_memory", lambda: free)
    assert worker_count(on_cpu=True) == count


@pytest.mark.parametrize(("cores", "count"), [(1, 1), (5, 2), (16, 8), (64, 12)])
def test_processes_that_decode_for_a_gpu_have_two_cores_each(
    monkeypatch: pytest.MonkeyPatch, cores: int, count: int
) -> None:
    monkeypatch.setattr("stsearch.indexing.worker_count.usable_cores", lambda: cores)
    assert worker_count(on_cpu=False) == count
