"""graphs.py: what runs exported graphs tells nobody of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

LOAD = """
import os, sys
import numpy as np
forks = []
os.register_at_fork(before=lambda: forks.append("fork"))
from stsearch.spotting.load import load_spotter
spotter = load_spotter(sys.argv[1], "cpu", engine="openvino", cores=1).for_indexing(1)
spotter.spot([np.zeros((64, 64, 3), np.uint8)])
import openvino
print(forks, sys.modules["openvino_telemetry"], openvino.__name__)
"""


def test_loading_networks_reports_to_nobody_and_forks_nothing(tiny_weights: Path) -> None:
    pytest.importorskip("openvino")
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(tiny_weights)], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("[] None openvino\n", 0), done.stderr
