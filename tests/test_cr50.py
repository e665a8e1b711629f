"""The published size, with random weights: a training step, saving, loading, inference."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from stsearch.config import PRESETS
from stsearch.data.dataset import collate
from stsearch.models.scene_text import build_model, freeze_prompts
from stsearch.objective import joint_loss
from stsearch.spotter import Spotter
from stsearch.types import Scene
from stsearch.weights import Card, load_model, save_model


@pytest.mark.slow
def test_the_published_size_takes_a_step_is_saved_loaded_and_spots(word_scene: Scene, tmp_path: Path) -> None:
    preset = PRESETS["cr50"]
    stage = preset.stages[-1]
    config = dataclasses.replace(preset.model, longer_side=128)
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
    assert isinstance(Spotter(loaded, card.info).spot([word_scene.image])[0], list)
