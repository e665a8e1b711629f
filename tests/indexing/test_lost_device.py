"""A GPU that is lost in the middle of ``stsearch index`` ends it with a sentence, and costs one batch."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pytest
import torch
from gallery_fixtures import ColourSpotter, Run, photo_bytes

from stsearch.device_errors import raises_device_errors
from stsearch.gallery.gallery import Gallery
from stsearch.types import Image, TextInstance

FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 512.00 MiB.")
LOST = RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be reported elsewhere")


class FailingSpotter(ColourSpotter):
    """Takes batches, as on a GPU, whose third one fails."""

    error: RuntimeError
    batches = 0

    def for_indexing(self, threads: int = 0) -> Self:
        self.device = "cuda:0"
        return self

    @raises_device_errors
    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        self.batches += 1
        if self.batches == 3:
            raise self.error
        return super().spot(images)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(LOST, "cuda:0 failed (CUDA error: unspecified launch failure). ", id="lost"),
        pytest.param(FULL, "cuda:0 has too little free memory: ", id="full"),
    ],
)
def test_a_device_that_fails_costs_one_batch_and_the_next_run_goes_on(
    error: RuntimeError, told: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for number in range(8):
        (photos / f"{number}.png").write_bytes(photo_bytes("hotel", blue=number))
    with monkeypatch.context() as patched:
        spotter = FailingSpotter()
        spotter.error = error
        patched.setattr(sys.modules["stsearch.spotting.load"], "load_spotter", lambda *_: spotter)
        done = run("index", photos, "--batch", "2", "--quiet")
    assert done.code == 14
    assert done.err.startswith(f"error: {told}")
    assert done.err.count("\n") == 1
    with Gallery.open(photos / ".stsearch") as gallery:
        assert gallery.catalog.counts().photos == 4
    assert run("index", photos).out.startswith("4 new, 0 changed, 0 moved, 0 removed, 4 unchanged")
