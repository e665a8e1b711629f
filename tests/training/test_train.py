"""The training loop on a network of a few thousand parameters: checkpoints, resume, refusals."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from train_fixtures import MICRO, interrupt, silent

from stsearch.config import LossWeights, ModelConfig, StageConfig
from stsearch.datasets.labelled_folder import read_dataset
from stsearch.errors import DataError, DeviceError, TrainingError, UsageError, WriteError
from stsearch.models.scene_text import SceneTextModel
from stsearch.training.batches import collate
from stsearch.training.objective import joint_loss
from stsearch.training.options import TrainOptions
from stsearch.training.schedule import MovingAverage, find_batch_norms, learning_rate, measure_norms
from stsearch.training.train import load_training_data, train
from stsearch.training.validation import validate
from stsearch.types import Scene
from stsearch.weights.card import read_card
from stsearch.weights.io import load_model

STAGE = StageConfig("words", (), 10)


@pytest.mark.slow
def test_all_stages_run_and_leave_weights_that_load(options: TrainOptions) -> None:
    messages: list[str] = []
    card = train(
        dataclasses.replace(options, stage="all"), lambda progress: messages.append(progress.message)
    )
    _, loaded = load_model(str(options.out / "last"), "cpu")
    assert loaded.sha256 == card.sha256
    assert {name: stage["done"] for name, stage in loaded.training["stages"].items()} == {
        "words": 3,
        "scenes": 2,
    }
    assert any("mAP" in message for message in messages)
    events = [json.loads(line)["event"] for line in (options.out / "log.jsonl").read_text().splitlines()]
    assert {"start", "step", "validation"} <= set(events)
    assert read_card(options.out / "best").metrics["validation"]["photos"] == 1


@pytest.mark.slow
def test_a_resumed_run_goes_on_to_the_same_weights(options: TrainOptions, tmp_path: Path) -> None:
    whole = dataclasses.replace(options, out=tmp_path / "whole", val=())
    train(whole, silent)
    parts = dataclasses.replace(options, out=tmp_path / "parts", val=())
    with pytest.raises(KeyboardInterrupt):
        train(parts, interrupt)
    assert read_card(parts.out / "last").training["stages"]["words"]["done"] == 1
    train(dataclasses.replace(parts, resume=True), silent)
    assert read_card(parts.out / "last").sha256 == read_card(whole.out / "last").sha256


def test_partial_and_weak_labels_are_trained_on_as_their_folders_are_named(
    options: TrainOptions, labelled_folder: Path
) -> None:
    named = [Path(f"{labelled_folder}:{trust}") for trust in ("partial", "weak")]
    run = dataclasses.replace(options, data=tuple(named), val=(named[0],), steps=1)
    partial, weak = load_training_data(run).photos
    assert (partial.partial, partial.words[0].legible) == (True, True)
    assert (weak.partial, weak.words[0].legible) == (True, False)
    card = train(run, silent)
    assert card.training["photographs"] == {"photos:partial": 1, "photos:weak": 1}
    assert card.metrics["validation"]["sets"] == ["photos:partial"]


def test_a_run_is_not_overwritten(options: TrainOptions) -> None:
    (options.out / "last").mkdir(parents=True)
    with pytest.raises(UsageError, match="--resume"):
        train(options, silent)


def test_a_checkpoint_killed_between_two_renames_is_resumed(options: TrainOptions) -> None:
    run = dataclasses.replace(options, steps=1, val=())
    train(run, silent)
    (options.out / "last").rename(options.out / ".last.old")
    shutil.copytree(options.out / ".last.old", options.out / ".last.new")
    with pytest.raises(UsageError, match="--resume"):
        train(run, silent)
    train(dataclasses.replace(run, steps=2, resume=True), silent)
    assert read_card(options.out / "last").training["stages"]["words"]["done"] == 2


def test_there_is_nothing_to_resume_in_an_empty_folder(options: TrainOptions) -> None:
    options.out.mkdir()
    with pytest.raises(UsageError, match="nothing to resume"):
        train(dataclasses.replace(options, resume=True), silent)


def test_a_device_that_is_lost_leaves_the_last_checkpoint_and_says_how_to_go_on(
    options: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(dataclasses.replace(options, steps=1, val=()), silent)

    def lose(*_: object) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors")

    monkeypatch.setattr("stsearch.training.stage.StageInProgress.take_step", lose)
    with pytest.raises(DeviceError, match=r"cpu failed \(CUDA error.*last, is whole: --resume goes on"):
        train(dataclasses.replace(options, steps=3, val=(), resume=True), silent)
    assert read_card(options.out / "last").training["stages"]["words"]["done"] == 1


def test_an_interrupt_before_the_first_step_leaves_no_checkpoint(
    options: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    def press_ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stsearch.training.stage.StageInProgress.take_step", press_ctrl_c)
    with pytest.raises(KeyboardInterrupt):
        train(options, silent)
    assert [path.name for path in options.out.iterdir()] == ["log.jsonl"]


def test_resuming_without_the_optimizer_says_how_to_go_on(options: TrainOptions) -> None:
    train(dataclasses.replace(options, steps=1, val=()), silent)
    (options.out / "last" / "optimizer.pt").unlink()
    with pytest.raises(DataError, match="--init"):
        train(dataclasses.replace(options, resume=True, val=()), silent)


def test_weights_of_another_architecture_are_no_start(options: TrainOptions) -> None:
    train(dataclasses.replace(options, steps=1, val=()), silent)
    start = dataclasses.replace(options, out=options.out / "next", config=None, init=options.out / "last")
    with pytest.raises(UsageError, match="another architecture"):
        train(start, silent)


def test_an_unknown_stage_lists_the_known_ones(options: TrainOptions) -> None:
    with pytest.raises(UsageError, match="choose from all, contrast, words, scenes, close_ups, spell, read"):
        train(dataclasses.replace(options, stage="sleep"), silent)


def test_a_step_without_a_term_leaves_the_weights_as_they_are(
    options: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stsearch.training.stage.total_loss", lambda *args: {})
    train(dataclasses.replace(options, steps=1, val=()), silent)
    assert read_card(options.out / "last").training["stages"]["words"]["done"] == 1


def test_an_empty_data_folder_is_named(options: TrainOptions, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    with pytest.raises(DataError, match="nothing"):
        train(dataclasses.replace(options, data=(tmp_path / "nothing",)), silent)


def test_a_run_that_cannot_be_written_is_refused(options: TrainOptions, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WriteError, match="cannot write"):
        train(dataclasses.replace(options, out=tmp_path / "file" / "run"), silent)


def test_a_loss_that_is_not_finite_names_its_batch(
    options: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "stsearch.training.stage.total_loss", lambda *args: {"ctc": torch.tensor(float("nan"))}
    )
    with pytest.raises(TrainingError, match="stage words, batch 0"):
        train(options, silent)


def test_terms_with_weight_zero_are_not_computed(micro_model: SceneTextModel, word_scene: Scene) -> None:
    weights = LossWeights(probability=0, similarity=0)
    stage = dataclasses.replace(STAGE, weights=weights)
    batch = collate([word_scene], micro_model.config, stage, np.random.default_rng(0))
    losses = joint_loss(micro_model.train(), batch, stage, np.random.default_rng(0))
    assert list(losses) == ["ctc"]


def test_a_few_steps_on_one_batch_lower_every_term(micro_model: SceneTextModel, word_scene: Scene) -> None:
    batch = collate([word_scene] * 2, micro_model.config, STAGE, np.random.default_rng(0))
    optimizer = torch.optim.AdamW(micro_model.train().parameters(), lr=3e-3)
    history = []
    for _ in range(40):
        losses = joint_loss(micro_model, batch, STAGE, np.random.default_rng(0))
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()
        history.append({name: value.item() for name, value in losses.items()})
    assert {name for name in history[0] if history[-1][name] >= history[0][name]} == set()


@pytest.mark.parametrize(
    ("share", "step", "expected"),
    [
        pytest.param(0.0, 0, 1 / 60, id="first step of the warm-up"),
        pytest.param(0.0, 59, 1.0, id="warm"),
        pytest.param(0.5, 500, 0.51, id="half way"),
        pytest.param(1.0, 900, 0.02, id="end"),
        pytest.param(1.5, 900, 0.02, id="past the end"),
    ],
)
def test_the_rate_warms_up_and_falls_along_a_cosine(share: float, step: int, expected: float) -> None:
    assert learning_rate(STAGE, share, step) / STAGE.learning_rate == pytest.approx(expected)


def test_the_moving_average_follows_the_weights(micro_model: SceneTextModel) -> None:
    average = MovingAverage(micro_model, 0.5)
    name, parameter = next(iter(micro_model.named_parameters()))
    before = parameter.detach().clone()
    torch.nn.init.constant_(parameter, 1.0)
    average.update(micro_model, 100)
    assert torch.allclose(average.state[name], (before + 1) / 2)


def test_validation_without_detection_reads_labelled_words_only(
    micro_model: SceneTextModel, labelled_folder: Path
) -> None:
    result = validate(micro_model, read_dataset(labelled_folder), detect=False)
    assert (result.photos, result.queries, result.labelled_map) == (1, 1, 1.0)
    assert result.figure == result.labelled_map
    assert "labelled words" in result.summary()


def test_the_model_of_a_preset_is_what_its_file_says(options: TrainOptions) -> None:
    train(dataclasses.replace(options, steps=1, val=()), silent)
    config: ModelConfig = read_card(options.out / "last").config
    assert (config.name, config.embedder.frames) == ("micro", 8)


def test_frozen_norms_are_measured_once_and_then_stay(options: TrainOptions) -> None:
    text = MICRO.replace("[stages.scenes]", "[stages.scenes]\nfreeze_norms = true\ndifficulty = [0.5, 0.5]")
    assert options.config is not None
    options.config.write_text(text)
    train(dataclasses.replace(options, stage="scenes", steps=1, val=(), out=options.out / "one"), silent)
    train(dataclasses.replace(options, stage="scenes", steps=2, val=(), out=options.out / "two"), silent)
    one, two = (load_model(str(options.out / name / "last"), "cpu")[0] for name in ("one", "two"))
    name = "backbone.trunk.bn1.running_mean"
    assert torch.equal(one.state_dict()[name], two.state_dict()[name])
    assert one.state_dict()[name].abs().sum() > 0


@pytest.mark.slow
def test_frozen_norms_stay_frozen_after_a_validation(
    options: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stsearch.training.train.NORM_BATCHES", 2)
    assert options.config is not None
    options.config.write_text(
        MICRO.replace("[stages.scenes]", "[stages.scenes]\nfreeze_norms = true\nvalidate_every = 1")
    )
    run = dataclasses.replace(options, stage="scenes", steps=2)
    train(dataclasses.replace(run, val=(), out=options.out / "unwatched"), silent)
    train(dataclasses.replace(run, out=options.out / "watched"), silent)
    unwatched, watched = (
        load_model(str(options.out / n / "last"), "cpu")[0] for n in ("unwatched", "watched")
    )
    name = "backbone.trunk.bn1.running_mean"
    assert torch.equal(unwatched.state_dict()[name], watched.state_dict()[name])


def test_measuring_norms_takes_the_plain_mean_over_batches(
    micro_model: SceneTextModel, word_scene: Scene
) -> None:
    dark = dataclasses.replace(word_scene, image=word_scene.image // 2)
    random = np.random.default_rng(0)
    batches = [collate([scene], micro_model.config, STAGE, random) for scene in (word_scene, dark)]
    norm = find_batch_norms(micro_model)[0]
    means = []
    for batch in batches:
        measure_norms(micro_model, [batch])
        assert norm.running_mean is not None
        means.append(norm.running_mean.clone())
    measure_norms(micro_model, batches)
    assert norm.running_mean is not None
    assert torch.allclose(norm.running_mean, (means[0] + means[1]) / 2, atol=1e-5)
    assert norm.momentum == 0.1


def test_a_compiled_backbone_trains_validates_and_saves_under_the_same_names(
    options: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[str] = []

    def compile_eagerly(module: torch.nn.Module) -> None:
        compiled.append(type(module).__name__)
        module._compiled_call_impl = torch.compile(module._call_impl, backend="eager")

    monkeypatch.setattr(torch.nn.Module, "compile", compile_eagerly)
    train(dataclasses.replace(options, steps=1, compile=True), silent)
    assert compiled == ["ClipResNet"]
    assert load_model(str(options.out / "last"), "cpu")[1].training["stages"]["words"]["done"] == 1
