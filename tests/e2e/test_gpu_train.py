"""``make gpu-train``: what it leaves, what it does without, and that it may be killed at any time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from program import ROOT
from train_fixtures import MICRO, write_photographs

from stsearch.models.scene_text import build_model
from stsearch.training.presets import load_preset
from stsearch.types import Scene
from stsearch.weights.card import Card
from stsearch.weights.io import load_model, save_model

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Training:
    """A folder with data and weights to train on, of a network of a few thousand parameters."""

    home: Path

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        environment = os.environ | {
            "PYTHONPATH": f"{ROOT}:{ROOT}/tests/support",
            "DATA": str(self.home / "data"),
            "OUT": str(self.home / "out"),
        }
        for name in ("FONTS", "BACKGROUNDS", "WORDS"):
            environment.pop(name, None)
        options = {"stage": "words", "init": "weights", "config": "micro.toml", "work": "work"}
        places = [f"--{name}={value}" for name, value in options.items()]
        command = [
            sys.executable,
            str(ROOT / "tests/bench/gpu_train.py"),
            *places,
            "--device=cpu",
            "--jobs=1",
        ]
        return subprocess.Popen(
            [*command, *arguments], cwd=self.home, env=environment, stdout=subprocess.PIPE, text=True
        )

    def published(self) -> list[str]:
        return sorted(str(path.relative_to(self.home / "out")) for path in (self.home / "out").rglob("*.*"))


@pytest.fixture
def training(tmp_path: Path, word_scene: Scene) -> Training:
    for part in ("train", "val"):
        (tmp_path / "data" / part).mkdir(parents=True)
        write_photographs(tmp_path / "data" / part / "icdar03", word_scene, 2)
    (tmp_path / "micro.toml").write_text(MICRO.replace("steps = 3\n", "steps = 100000\n"))
    torch.manual_seed(0)
    model = build_model(load_preset("tiny", tmp_path / "micro.toml").model)
    save_model(tmp_path / "weights", model, Card(model.config))
    return Training(tmp_path)


def test_the_best_weights_and_the_log_are_left_without_an_optimizer(training: Training) -> None:
    process = training.start("--steps", "3")
    told = [json.loads(line) for line in process.communicate()[0].splitlines()]
    assert process.returncode == 0
    assert training.published() == [
        "best/card.json",
        "best/model.safetensors",
        "figures.jsonl",
        "log.jsonl",
    ]
    by_name = {each["figure"]: each for each in told}
    assert f"{training.home}/data/train/icdar15" in by_name["training data"]["missing"]
    assert "$FONTS" in by_name["training data"]["missing"]
    assert by_name["before"]["validation"] is not None
    assert (by_name["training"]["steps"], by_name["training"]["too_large"]) == (3, [])
    assert len(by_name["training"]["validations"]) == 2


def test_a_kill_leaves_whole_weights_and_the_run_goes_on(training: Training) -> None:
    with training.start() as process:
        assert process.stdout is not None
        while '"published"' not in (line := process.stdout.readline()):
            assert line
        process.kill()
    load_model(str(training.home / "out" / "best"), "cpu")
    with training.start("--work=again") as process:
        assert process.stdout is not None
        while '"published"' not in (line := process.stdout.readline()):
            assert line
        process.send_signal(signal.SIGTERM)
        assert '"exit_code": 130' in process.stdout.read()
        assert process.wait() == 130
    more = training.start("--work=again", "--resume", "--steps", "100000", "--minutes", "0.02")
    assert '"exit_code": 0' in more.communicate()[0]


def test_minutes_end_the_run(training: Training) -> None:
    process = training.start("--minutes", "0.05")
    assert '"exit_code": 0' in process.communicate()[0]
    assert "best/model.safetensors" in training.published()


def test_weights_that_are_not_there_are_an_error(training: Training) -> None:
    process = training.start("--init", "nowhere")
    process.communicate()
    assert process.returncode == 13
    assert training.published() == ["figures.jsonl"]
