"""A GPU whose memory is really full: batches are halved until they fit, and the words are the same."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from stsearch.errors import DeviceError
from stsearch.images import read_image
from stsearch.spotting.load import load_spotter
from stsearch.spotting.spotter import Spotter
from stsearch.types import Image

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


@contextmanager
def memory_left(device: torch.device, size_bytes: int) -> Iterator[None]:
    """Take all memory of ``device`` but ``size_bytes`` inside a ``with`` block."""
    gc.collect()
    torch.cuda.empty_cache()
    free = torch.cuda.mem_get_info(device)[0]
    taken = torch.empty(max(free - size_bytes, 0), dtype=torch.uint8, device=device)
    try:
        yield
    finally:
        del taken
        torch.cuda.empty_cache()


@pytest.fixture
def spotter(tiny_weights: Path, device: torch.device) -> Spotter:
    if device.type != "cuda":
        pytest.skip("a CPU has no memory of its own to fill")
    return load_spotter(str(tiny_weights), str(device), engine="torch")


@pytest.fixture
def photos(rendered_gallery: Path) -> list[Image]:
    """Return a photograph and many blank ones: their memory is what is tested, not their words."""
    photo = read_image(rendered_gallery / "street-02.jpg")
    return [photo, *[np.full_like(photo, 128)] * 95]


def peak_bytes(spotter: Spotter, photos: list[Image]) -> int:
    """Return how much more memory spotting ``photos`` takes than what is held anyway."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    held = torch.cuda.memory_allocated()
    spotter.spot(photos)
    return torch.cuda.max_memory_allocated() - held


def test_a_batch_that_does_not_fit_is_halved_and_finds_the_same_words(
    spotter: Spotter, photos: list[Image]
) -> None:
    spotter.spot(photos[:1])  # libraries take their own memory first
    whole, one = peak_bytes(spotter, photos), peak_bytes(spotter, photos[:1])
    assert 1.5 * one < 0.7 * whole, "one photograph takes nearly as much as all"
    expected = {each.transcript for each in spotter.spot(photos)[0]}
    with memory_left(torch.device(spotter.device), int(max(1.5 * one, 0.4 * whole))):
        found = {each.transcript for each in spotter.spot(photos)[0]}
        assert spotter._batch_size < len(photos)
    assert len(expected & found) >= 0.8 * len(expected) > 0


def test_memory_that_holds_not_one_photograph_is_told(spotter: Spotter, photos: list[Image]) -> None:
    spotter.spot(photos[:1])
    with (
        memory_left(torch.device(spotter.device), 4 << 20),
        pytest.raises(DeviceError, match="too little free memory"),
    ):
        spotter.spot(photos[:2])
    assert spotter.spot(photos[:1])[0]  # and once there is memory again, it goes on
