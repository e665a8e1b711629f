"""Everything that CUDA does, in four minutes on a machine with a GPU: ``make gpu``.

    PYTHONPATH=.:tests/support python tests/bench/gpu.py [--device cuda] [--photos 2000] [--part tests ...]

Four parts, each a process with a time limit of its own, so that what fails or hangs stops no other: the
tests of tests/gpu, in two parts, the agreement of GPU and CPU on the same photographs (gpu_agreement.py),
and the speed of ``stsearch index`` (gpu_indexing.py). Each figure is a line of JSON on stdout, and in
$OUT/figures.jsonl where OUT is set; all else goes to stderr. Photographs are those of $DATA, else the
rendered ones. Exit code 0: all passed; 1: something did not; 14: there is no GPU.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass

from gpu_figures import device_name, tell
from program import ROOT

from stsearch.errors import DeviceError
from stsearch.weights.io import pick_device

COMPARED = 80  # photographs that CPU and GPU are compared on: some 20 s of 16 cores

DRY_RUN_PATIENCE = 5  # times as long may a part take on a CPU


@dataclass(frozen=True)
class Part:
    """A program with a time limit."""

    name: str
    command: list[str]
    limit_s: float


def parts(device: str, photos: int) -> list[Part]:
    """Return the parts for a GPU, or for the CPU as a dry run."""
    bench = ROOT / "tests/bench"
    compared = str(min(photos, COMPARED))
    tests = ["-m", "pytest", "-v", "-m", "gpu", "-W", "default", "-p", "no:cacheprovider", "--durations=5"]
    lost = str(ROOT / "tests/gpu/test_lost_device.py")  # by itself: it starts the program again and again
    agreement = [str(bench / "gpu_agreement.py"), "--device", device, "--photos", compared]
    indexing = [str(bench / "gpu_indexing.py"), "--device", device, "--photos", str(photos)]
    return [
        Part("tests", [*tests, str(ROOT / "tests/gpu"), f"--ignore={lost}"], 65),
        Part("lost device", [*tests, lost], 40),
        Part("agreement", agreement, 60),
        Part("indexing", [*indexing, "--seconds", "45"], 70),
    ]


def run(part: Part, device: str) -> bool:
    """Run a part and tell how it ended; return whether it passed."""
    environment = {**os.environ, "GPU_TEST_DEVICE": device}
    limit_s = part.limit_s * (1 if device.startswith("cuda") else DRY_RUN_PATIENCE)
    out = sys.stderr if "pytest" in part.command else None  # it prints no figures
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, *part.command], env=environment, cwd=ROOT, stdout=out, start_new_session=True
    )
    try:
        code: int | None = process.wait(limit_s)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)  # with the processes it started
            process.wait()
    seconds = round(time.monotonic() - started, 1)
    tell("part", part=part.name, passed=code == 0, exit_code=code, timed_out=code is None, seconds=seconds)
    return code == 0


def main() -> int:
    """Run the parts; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda", help="cuda[:N]; cpu is a dry run")
    parser.add_argument("--photos", type=int, default=2000, help="that are indexed")
    parser.add_argument("--part", action="append", help="one of them by name; default: all")
    arguments = parser.parse_args()
    try:
        pick_device(arguments.device)
    except DeviceError as error:
        print(f"no GPU, nothing was run: {error}", file=sys.stderr)
        return DeviceError.exit_code
    tell("device", device=arguments.device, name=device_name(arguments.device), cores=os.cpu_count())
    chosen = [p for p in parts(arguments.device, arguments.photos) if p.name in (arguments.part or [p.name])]
    passed = [run(part, arguments.device) for part in chosen]
    return 0 if all(passed) else 1


if __name__ == "__main__":
    sys.exit(main())
