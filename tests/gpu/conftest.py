"""The device that is tested: a GPU, or the CPU in a dry run of the same tests (GPU_TEST_DEVICE=cpu)."""

from __future__ import annotations

import os

import pytest
import torch


@pytest.fixture(scope="session")
def device() -> torch.device:
    return torch.device(os.environ.get("GPU_TEST_DEVICE", "cuda"))
