"""Sampling along polygons in numpy is what torch does."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stsearch.config import STRIDES
from stsearch.engines.region_sampling import sample_regions
from stsearch.models.layers import sample_regions as sample_with_torch


def test_features_are_those_that_torch_samples() -> None:
    random = np.random.default_rng(0)
    levels = [random.standard_normal((2, 256 // s, 320 // s, 6)).astype(np.float32) for s in STRIDES]
    corner = random.uniform(-20, 300, (40, 1, 1, 2))
    height = 2.0 ** random.uniform(2, 9, (40, 1, 1, 1))
    along = np.linspace(0, 1, 7)[:, None] * random.uniform(-200, 200, (40, 1, 1, 2))
    edges = np.concatenate([corner + along, corner + along + height * np.array([0.2, 1])], axis=1)
    edges = edges.astype(np.float32)
    owner = random.integers(0, 2, 40)
    wanted = sample_with_torch(
        [torch.from_numpy(level).permute(0, 3, 1, 2) for level in levels],
        torch.from_numpy(edges),
        torch.from_numpy(owner),
        8,
        STRIDES,
    )
    sampled = sample_regions(levels, edges, owner, 8)
    assert sampled.shape == (40, 8, 7, 6)
    assert sampled == pytest.approx(wanted.permute(0, 2, 3, 1).numpy(), abs=1e-4)
