"""On a CPU the shipped weights index and search by image without importing torch, which takes seconds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from stsearch.cli import app
code = app.run(app.app, sys.argv[1:])
print("imported", sorted({"torch", "torchvision", "timm", "open_clip"} & set(sys.modules)))
sys.exit(code)
"""


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", SCRIPT, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_index_and_search_by_image_import_no_torch(tmp_path: Path, rendered_gallery: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.jpg").write_bytes((rendered_gallery / "street-03.jpg").read_bytes())
    indexed = run("index", photos, "--device", "cpu")
    assert (indexed.returncode, indexed.stdout.splitlines()[-1]) == (0, "imported []"), indexed.stderr
    assert "int8 (OpenVINO)" in indexed.stderr
    searched = run("search", "--like", photos / "a.jpg", "--index", photos)
    assert searched.stdout.splitlines()[-1] == "imported []", searched.stderr


TWO_AT_ONCE = """
import threading, numpy
from stsearch.spotting.load import load_spotter
spotter, start = load_spotter("tiny", "cpu").for_indexing(), threading.Barrier(2)
def spot():
    start.wait()
    spotter.spot([numpy.zeros((64, 96, 3), numpy.uint8)])
threads = [threading.Thread(target=spot) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""


@pytest.mark.slow
def test_two_threads_may_begin_at_the_same_time(tiny_weights: Path) -> None:
    # Before OpenVINO's tables of types were made by one thread, they waited for each other for ever.
    subprocess.run([sys.executable, "-c", TWO_AT_ONCE], timeout=60, check=True)
