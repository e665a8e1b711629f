"""A device that is really lost: an assertion in a kernel ends all work of the process on that GPU."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from program import ROOT, Cli

pytestmark = [pytest.mark.gpu, pytest.mark.slow]

# After three photographs a row that an embedding does not have is asked for. A CPU has no such kernels: there
# it raises what torch raises.
PROGRAM = """
import torch
from stsearch.cli import app
from stsearch.device_errors import raises_device_errors
from stsearch.engines.torch_engine import TorchSceneEngine
from stsearch.spotting.spotter import Spotter

spot, photos = Spotter.spot, 0

def lose_device(engine, images, *, encode=TorchSceneEngine.encode.__wrapped__):
    if photos > 3:
        if engine.device == "cpu":
            raise RuntimeError("CUDA error: device-side assert triggered")
        rows = torch.full((1,), 1 << 20, device=engine.device)
        torch.embedding(torch.zeros(2, 2, device=engine.device), rows)
        torch.cuda.synchronize()
    return encode(engine, images)

def count(spotter, images):
    global photos
    photos += len(images)
    return spot(spotter, images)

TorchSceneEngine.encode = raises_device_errors(lose_device)
Spotter.spot = count
app.main()
"""


def test_a_device_lost_in_the_middle_of_index_loses_no_photograph_before_it(
    rendered_gallery: Path, tmp_path: Path, cli: Cli, device: torch.device
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in sorted(rendered_gallery.glob("*.jpg"))[:5]:
        shutil.copy(path, photos)
    index = ["index", str(photos), "--device", str(device), "--engine", "torch", "--batch", "1", "--quiet"]
    lost = subprocess.run(
        [sys.executable, "-c", PROGRAM, *index], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert lost.returncode == 14, lost.stderr
    assert "failed (CUDA error: device-side assert triggered)" in lost.stderr
    kept = json.loads(cli("status", "--index", photos, "--json").stdout)["photos"]
    assert 1 <= kept <= 3  # on a GPU one photograph at a time, on a CPU some at once
    again = cli(*index)
    assert again.returncode == 0, again.stderr


def test_a_device_that_is_not_there_is_an_error_before_anything_is_read(cli: Cli, tmp_path: Path) -> None:
    done = cli("index", tmp_path, "--device", "cuda:63")
    assert done.returncode == 14
    assert "error: cuda:63: " in done.stderr
    assert not (tmp_path / ".stsearch").exists()
