"""The memory of tensors is kept while training on a CPU."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest

TENSORS = """
import resource, torch, stsearch.engines.torch_engine  # as training does
from stsearch.training.memory import keep_freed_memory

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

keep_freed_memory()
before = faults()
for value in range(20):
    torch.full((40_000_000,), value, dtype=torch.uint8)
print(faults() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is asked to keep memory")
def test_the_memory_of_a_freed_tensor_is_used_again_without_page_faults() -> None:
    pages = 40_000_000 // resource.getpagesize()
    done = subprocess.run([sys.executable, "-c", TENSORS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 20 * pages / 4  # a small object may come to lie in the way, now and then
