"""The published size, with random weights: a training step, saving, loading, inference."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from stsearch.engines.torch_engine import TorchSceneEngine
from stsearch.models.scene_text import build_model, freeze_prompts
from stsearch.spotting.load import load_recognizer_runner
from stsearch.spotting.spotter import Spotter
from stsearch.training.batches import collate
from stsearch.training.crops import CropBatch
from stsearch.training.objective import joint_loss, total_loss
from stsearch.training.presets import PRESETS
from stsearch.training.schedule import parameter_groups
from stsearch.types import Scene
from stsearch.weights.card import Card
from stsearch.weights.io import load_model, save_model


@pytest.mark.slow
def test_the_published_size_takes_a_step_is_saved_loaded_and_spots(word_scene: Scene, tmp_path: Path) -> None:
    preset = PRESETS["cr50"]
    stage = next(stage for stage in preset.stages if stage.name == "scenes")
    config = dataclasses.replace(preset.model, longer_side=128, recognizer=None)
    model = build_model(config).train()
    batch = collate([word_scene], config, stage, np.random.default_rng(0))
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    losses = joint_loss(model, batch, stage, np.random.default_rng(0))
    torch.stack(list(losses.values())).sum().backward()
    optimizer.step()
    assert {"probability", "matching", "ctc", "similarity_wi"} <= set(losses)
    assert all(torch.isfinite(p).all() for p in model.parameters())

    whole = sum(p.numel() for p in model.parameters())
    freeze_prompts(model.eval())
    card = save_model(tmp_path, model, Card(config))
    assert card.parameters < whole - 60e6  # the text tower stays behind

    loaded, card = load_model(str(tmp_path), "cpu")
    image = torch.from_numpy(word_scene.image).permute(2, 0, 1)[None]
    with torch.inference_mode():
        before, after = (m.detect(m.features(image).levels).probability for m in (model, loaded))
    assert torch.allclose(before, after, atol=0.05)  # kept in half precision
    assert isinstance(Spotter(TorchSceneEngine(loaded), card.info).spot([word_scene.image])[0], list)


@pytest.mark.slow
def test_the_published_recognizer_takes_a_step_is_saved_loaded_and_reads(tmp_path: Path) -> None:
    preset = PRESETS["cr50"]
    stage = next(stage for stage in preset.stages if stage.name == "read")
    small = PRESETS["tiny"].model  # the reader shares nothing with what finds the words
    config = dataclasses.replace(small, recognizer=preset.model.recognizer)
    model = build_model(config)
    assert model.recognizer is not None
    count = sum(p.numel() for p in model.recognizer.parameters())
    assert 150e6 < count < 165e6  # CLIP4STR-B has 158 million
    groups = parameter_groups(model, stage)
    assert 105e6 < sum(p.numel() for p in model.recognizer.parameters() if p.requires_grad) < 120e6
    images = torch.randint(0, 256, (2, 3, 224, 224), dtype=torch.uint8)
    batch = CropBatch(images, ["Coffee", "24/7"])
    losses = total_loss(model, batch, stage, np.random.default_rng(0))
    torch.stack(list(losses.values())).sum().backward()
    torch.optim.SGD([{"params": group["params"]} for group in groups], lr=1e-4).step()
    assert set(losses) == {"orientation", "recognizer_ctc", "visual", "cross"}
    save_model(tmp_path, model, Card(config))
    reader = load_recognizer_runner(str(tmp_path), "cpu")
    [reading] = reader.read([np.asarray(images[0].permute(1, 2, 0))])
    assert 0 <= reading.best.confidence <= 1
