from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from program import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
# Whether stsearch is installed or not, the README's word for it runs the code under test.
SHELL = f'set -o pipefail; stsearch() {{ "{sys.executable}" -m stsearch "$@"; }}; '


# Processors with and without bfloat16 and 8-bit instructions compute a little differently.
SCORE_TOLERANCE = 0.15
FIGURE_TOLERANCE = 4.0  # percent, of 12 photographs


@dataclass(frozen=True)
class Example:
    command: str
    output: str


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def examples() -> list[Example]:
    """Return each command of the console blocks with the output shown below it."""
    parts = re.split(r"^\$ ", "".join(blocks("console")), flags=re.MULTILINE)[1:]
    return [Example(*part.partition("\n")[::2]) for part in parts]


@pytest.fixture
def folder(tmp_path: Path, tiny_weights: Path, rendered_gallery: Path) -> Path:
    """Return a folder in which the commands of the README find what they name."""
    shutil.copytree(rendered_gallery, tmp_path / "examples" / "gallery")
    shutil.copytree(ROOT / "examples" / "photographs", tmp_path / "examples" / "photographs")
    return tmp_path


@pytest.mark.slow
def test_every_console_example_succeeds_and_finds_the_photographs_it_shows(folder: Path) -> None:
    for example in examples():
        command = ["bash", "-c", SHELL + example.command]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert (done.returncode, example.command) == (0, example.command), done.stderr
        printed = done.stdout or done.stderr  # where nothing matches, what nearly does
        assert photographs(printed) == photographs(example.output), example.command
        assert scores(printed) == pytest.approx(scores(example.output), abs=SCORE_TOLERANCE), example.command
        shown = figures(example.output)
        assert figures(printed) == pytest.approx(shown, abs=FIGURE_TOLERANCE), example.command


def test_the_rendered_benchmark_has_a_floor() -> None:
    """The example above fails when the shipped weights fall below it."""
    (floor,) = re.findall(r"^\$ stsearch eval .*--min-map (\d+)$", README, re.MULTILINE)
    assert int(floor) >= 75


def photographs(output: str) -> list[str]:
    # Sorted: scores that differ in the third digit change places between processors with and without bf16.
    return sorted(re.findall(r"[\w-]+\.jpg", output))


def scores(output: str) -> dict[str, float]:
    """Return the scores of hits, by photograph and how many of its hits come before."""
    found = re.findall(r'(?:^|[\s"])(\d\.\d\d)\s+\S*?([\w-]+\.jpg)', output)
    found += re.findall(r'"score": (\d\.\d+),.*?([\w-]+\.jpg)', output)
    photos = [photo for _, photo in found]
    return {
        f"{photo} {photos[:number].count(photo)}": float(score) for number, (score, photo) in enumerate(found)
    }


def figures(output: str) -> dict[str, float]:
    """Return the percentages of a report, by name."""
    return {
        name: float(value) for name, value in re.findall(r"(mAP|hmean|precision|recall) ([\d.]+)%", output)
    }


def test_scores_and_figures_are_taken_from_what_commands_print() -> None:
    assert scores("1  0.98   photos/a-1.jpg  GARDEN  4,4,2,2\n2  0.40  photos/a-1.jpg  V4u\n") == {
        "a-1.jpg 0": 0.98,
        "a-1.jpg 1": 0.40,
    }
    assert scores('{"score": 0.9922, "path": "/home/ada/b.jpg"}') == {"b.jpg 0": 0.9922}
    assert figures("retrieval  mAP 97.7%\ndetection  hmean 82.4%") == {"mAP": 97.7, "hmean": 82.4}


@pytest.mark.slow
def test_the_python_example_runs(folder: Path) -> None:
    subprocess.run(
        ["bash", "-c", f"{SHELL} cp -r examples/gallery photos; stsearch index photos"], cwd=folder
    )
    for block in blocks("python"):
        subprocess.run([sys.executable, "-c", block], cwd=folder, check=True)


@pytest.mark.parametrize("target", re.findall(r"\]\((?!http|#)([^)]+)\)", README))
def test_every_file_the_readme_links_to_exists(target: str) -> None:
    assert (ROOT / target).exists()


def test_nothing_is_left_to_fill_in() -> None:
    assert "FIXME" not in README
