"""The published size on a GPU: forward passes, and a training step of detector and recognizer in bfloat16."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from stsearch.config import Canvas, ModelConfig, RecognizerConfig, StageConfig
from stsearch.engines.torch_engine import TorchSceneEngine
from stsearch.models.scene_text import build_model
from stsearch.spotting.spotter import Spotter
from stsearch.training.batches import collate
from stsearch.training.crops import CropBatch
from stsearch.training.presets import PRESETS
from stsearch.training.stage import StageInProgress
from stsearch.types import Scene, WordLabel
from stsearch.weights.card import Card

pytestmark = [pytest.mark.gpu, pytest.mark.slow]

CR50 = PRESETS["cr50"]


def stage_of(name: str) -> StageConfig:
    return next(stage for stage in CR50.stages if stage.name == name)


def size_of(device: torch.device) -> int:
    """Return the pixels of a side: full size, and little on a CPU, where it would take minutes."""
    return 640 if device.type == "cuda" else 128


def scene_of(side: int) -> Scene:
    """Return a noisy picture with two labelled words."""
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    words = []
    for number, text in enumerate(("Coffee", "24/7")):
        top = side * (1 + 2 * number) / 8
        box = [[side / 8, top], [side * 0.8, top], [side * 0.8, top + side / 6], [side / 8, top + side / 6]]
        words.append(WordLabel(np.array(box, np.float32), text, True))
    return Scene(image, tuple(words))


def test_the_detector_takes_a_step_and_spots(device: torch.device) -> None:
    side, stage = size_of(device), stage_of("scenes")
    config = dataclasses.replace(CR50.model, longer_side=2 * side, recognizer=None)
    model = build_model(config).to(device)
    running = StageInProgress(model, stage, seed=1)
    running.begin_training()
    before = model.neck.state_dict()
    before = {name: value.clone() for name, value in before.items()}
    batch = collate([scene_of(side)] * 2, config, stage, np.random.default_rng(0)).to(device)
    losses = running.take_step(batch, 0, 0.01)
    assert {"probability", "matching", "ctc", "similarity_wi"} <= set(losses)
    assert any((value != before[name]).any() for name, value in model.neck.state_dict().items())
    assert all(torch.isfinite(each).all() for each in model.parameters())
    del running, before
    spotter = Spotter(TorchSceneEngine(model.eval()), Card(config).info)
    found = spotter.spot([scene_of(2 * side).image] * 2)
    assert len(found) == 2


def test_the_recognizer_takes_a_step_with_a_full_batch(
    device: torch.device, micro_config: ModelConfig, micro_recognizer_config: RecognizerConfig
) -> None:
    stage = stage_of("read")
    published = CR50.model.recognizer
    assert published is not None
    config = published if device.type == "cuda" else micro_recognizer_config
    [canvas] = stage.canvases if device.type == "cuda" else [Canvas("crops", 32, 128, batch=4)]
    model = build_model(dataclasses.replace(micro_config, recognizer=config)).to(device)
    running = StageInProgress(model, stage, seed=1)
    running.begin_training()
    shape = (canvas.batch, 3, canvas.height, canvas.width)
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    words = ["Coffee", "24/7"] * (canvas.batch // 2)
    losses = running.take_step(CropBatch(images, words).to(device), 0, 0.01)
    assert set(losses) == {"orientation", "recognizer_ctc", "visual", "cross"}
    assert all(torch.isfinite(each).all() for each in model.parameters())
