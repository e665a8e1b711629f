"""``make gpu``: it runs nothing without a GPU, and a dry run on the CPU does all that it does with one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from program import ROOT

STANDIN = """
import sys
sys.path.insert(0, "tests/bench")
import gpu
gpu.parts = lambda device, photos: [
    gpu.Part("fails", ["-c", "raise SystemExit(3)"], 60),
    gpu.Part("hangs", ["-c", "import signal; signal.pause()"], 0.2),
    gpu.Part("passes", ["-c", "import os; assert os.environ['GPU_TEST_DEVICE'] == 'cpu'"], 60),
]
sys.exit(gpu.main())
"""


def prove(*arguments: str, out: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT}/tests/support"}
    environment.pop("DATA", None)
    if out is not None:
        environment["OUT"] = str(out)
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def figures(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.slow
def test_without_a_gpu_nothing_is_run_and_one_line_says_so() -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = prove("tests/bench/gpu.py")
    assert (done.returncode, done.stdout) == (14, "")
    assert done.stderr.startswith("no GPU, nothing was run: cuda: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_part_that_fails_or_hangs_stops_no_other(tmp_path: Path) -> None:
    done = prove("-c", STANDIN, "--device", "cpu", out=tmp_path)
    assert done.returncode == 1
    told = [each for each in figures(done.stdout) if each["figure"] == "part"]
    assert [(each["part"], each["passed"], each["timed_out"]) for each in told] == [
        ("fails", False, False),
        ("hangs", False, True),
        ("passes", True, False),
    ]
    assert (tmp_path / "figures.jsonl").read_text() == done.stdout


@pytest.mark.long
def test_a_dry_run_passes_and_tells_every_figure(tmp_path: Path) -> None:
    done = prove("tests/bench/gpu.py", "--device", "cpu", "--photos", "6", out=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    told = figures((tmp_path / "figures.jsonl").read_text())
    parts = [each["part"] for each in told if each["figure"] == "part"]
    assert parts == ["tests", "lost device", "agreement", "indexing"]
    [agreement] = [each for each in told if each.get("against") == "cpu, torch"]
    assert (agreement["same_outlines"], agreement["same_transcripts"]) == (1.0, 1.0)
    [indexing] = [each for each in told if each["figure"] == "indexing"]
    assert (indexing["photos"], indexing["stopped_by_the_clock"]) == (6, False)
    [stages] = [each for each in told if each["figure"] == "indexing stages"]
    assert stages["not_timed"] == []
