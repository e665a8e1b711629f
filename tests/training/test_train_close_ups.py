"""The stage that trains the close-up map: it changes nothing else, and its weights load."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from train_fixtures import MICRO, silent, write_photographs

from stsearch.config import ModelConfig
from stsearch.errors import UsageError
from stsearch.models.scene_text import SceneTextModel
from stsearch.training.batches import Batch, BatchDataset
from stsearch.training.options import TrainOptions
from stsearch.training.presets import load_preset, select_stages
from stsearch.training.train import load_training_data, train
from stsearch.types import Scene
from stsearch.weights.card import Card
from stsearch.weights.io import load_model, save_model

STAGE = """
[stages.close_ups]
canvases = [{source = "coarse", height = 64, width = 96, batch = 2, share = 1.0}]
steps = 2
warmup_steps = 1
validate_every = 2
"""
CLOSE_UPS = "{hidden = 8, dim = 8, text = {width = 16, heads = 2, layers = 1}}"
WITH_MAP = MICRO.replace("close_ups = false", f"close_ups = {CLOSE_UPS}") + STAGE


@pytest.fixture
def options(micro_config: ModelConfig, word_scene: Scene, tmp_path: Path) -> TrainOptions:
    (tmp_path / "micro.toml").write_text(WITH_MAP)
    photos = write_photographs(tmp_path / "photos", word_scene, 2)
    return TrainOptions(
        tmp_path / "run",
        config=tmp_path / "micro.toml",
        stage="close_ups",
        init=tmp_path / "start",
        data=(photos,),
        workers=0,
        device="cpu",
    )


@pytest.fixture
def start(micro_model: SceneTextModel, tmp_path: Path) -> SceneTextModel:
    save_model(tmp_path / "start", micro_model, Card(micro_model.config))
    return load_model(str(tmp_path / "start"), "cpu")[0]


def test_the_stage_trains_the_map_and_leaves_the_rest_as_it_is(
    options: TrainOptions, start: SceneTextModel
) -> None:
    train(options, silent)
    trained, card = load_model(str(options.out / "last"), "cpu")
    before, after = start.state_dict(), trained.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert {name.split(".")[0] for name in set(after) - set(before)} == {"close_up_map"}
    assert card.training["stages"]["close_ups"]["done"] == 2


def test_the_norm_of_the_map_measures_its_inputs(options: TrainOptions, start: SceneTextModel) -> None:
    train(options, silent)
    trained, _ = load_model(str(options.out / "last"), "cpu")
    means = trained.state_dict()["close_up_map.embed.0.1.running_mean"]
    assert means.abs().max() > 0


def test_a_batch_has_a_target_for_every_cell_and_size(options: TrainOptions) -> None:
    preset = load_preset(options.preset, options.config)
    [stage] = select_stages(preset, "close_ups")
    batch = BatchDataset(load_training_data(options), preset.model, stage, 2)[0]
    assert isinstance(batch, Batch)
    assert batch.images.shape == (2, 3, 64, 96)
    assert batch.close_ups is not None
    assert batch.close_ups.needed.shape == (2, 3, 2, 3)
    assert batch.close_ups.care.shape == (2, 2, 3)


def test_a_model_without_a_map_cannot_train_one(options: TrainOptions, start: SceneTextModel) -> None:
    assert options.config is not None
    options.config.write_text(MICRO + STAGE)
    with pytest.raises(UsageError, match="has no close_up_map to train in stage close_ups"):
        train(options, silent)
