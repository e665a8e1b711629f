"""A run of ``stsearch train`` on a GPU is resumed where it was interrupted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from train_fixtures import MICRO, interrupt, silent, write_photographs

from stsearch.training.checkpoint import read_state
from stsearch.training.options import TrainOptions
from stsearch.training.presets import load_preset, select_stages
from stsearch.training.stage import StageInProgress
from stsearch.training.train import train
from stsearch.types import Scene
from stsearch.weights.card import read_card
from stsearch.weights.io import load_model

pytestmark = [pytest.mark.gpu, pytest.mark.slow]


@pytest.fixture
def options(word_scene: Scene, tmp_path: Path, device: torch.device) -> TrainOptions:
    (tmp_path / "micro.toml").write_text(MICRO)
    photos = write_photographs(tmp_path / "photos", word_scene, 2)
    return TrainOptions(
        out=tmp_path / "run",
        config=tmp_path / "micro.toml",
        stage="words",
        data=(photos,),
        val=(photos,),
        workers=1,
        device=str(device),
    )


def test_a_resumed_run_reaches_the_weights_of_an_undisturbed_one(
    options: TrainOptions, tmp_path: Path
) -> None:
    whole = dataclasses.replace(options, out=tmp_path / "whole", val=())
    train(whole, silent)
    parts = dataclasses.replace(options, out=tmp_path / "parts", val=())
    with pytest.raises(KeyboardInterrupt):
        train(parts, interrupt)
    assert read_card(parts.out / "last").training["stages"]["words"]["done"] == 1
    train(dataclasses.replace(parts, resume=True), silent)
    one, other = (load_model(str(run.out / "last"), "cpu")[0].state_dict() for run in (whole, parts))
    for name, value in one.items():  # the order of sums differs between runs of a GPU
        assert np.allclose(value.numpy(), other[name].numpy(), atol=2e-2), name


def test_what_is_resumed_lies_where_it_is_computed_with(options: TrainOptions, device: torch.device) -> None:
    train(dataclasses.replace(options, steps=1, val=()), silent)
    model = load_model(str(options.out / "last"), str(device))[0]
    [stage] = select_stages(load_preset(options.preset, options.config), options.stage)
    running = StageInProgress(model, stage, options.seed)
    running.restore(read_state(options.out / "last"))
    state = running.state()
    assert {value.device.type for value in state["average"].values()} == {device.type}
    moments = state["optimizer"]["state"].values()
    assert {each["exp_avg"].device.type for each in moments} == {device.type}
    assert {each["step"].device.type for each in moments} == {"cpu"}


def test_the_best_checkpoint_is_measured_on_the_device(options: TrainOptions) -> None:
    card = train(options, silent)
    assert card.metrics["validation"]["photos"] == 2
