"""Training the recognizer: its stage, what it touches, what validates it, what is kept."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from train_fixtures import MICRO, silent

from stsearch.config import LossWeights, ModelConfig, RecognizerConfig, StageConfig
from stsearch.errors import UsageError, WeightsError
from stsearch.models.scene_text import SceneTextModel, build_model
from stsearch.spotting.load import load_recognizer_runner, load_spotter
from stsearch.training.crops import CropBatch
from stsearch.training.objective import total_loss
from stsearch.training.options import TrainOptions
from stsearch.training.schedule import parameter_groups
from stsearch.training.train import train
from stsearch.types import Scene
from stsearch.weights.card import read_card
from stsearch.weights.io import load_model

READING = """\
[model.recognizer]
stem = [4, 4, 8, 8]
width = 16
layers = 1
heads = 2
output_dim = 16
decoder_heads = 2
text = {width = 16, heads = 2, layers = 1, context_length = 28}
[stages.read]
canvases = [{source = "crops", height = 32, width = 128, batch = 4, share = 1.0}]
steps = 3
warmup_steps = 1
turned_share = 0.25
validate_every = 2
[stages.words]"""
STAGE = StageConfig("read", (), 10)


@pytest.fixture
def crops(word_scene: Scene, tmp_path: Path) -> Path:
    folder = tmp_path / "crops"
    folder.mkdir()
    cv2.imwrite(str(folder / "hi.png"), word_scene.image[20:52, 16:64])
    (folder / "labels.tsv").write_text("hi.png\tHi\n")
    return folder


@pytest.fixture
def options(crops: Path, tmp_path: Path) -> TrainOptions:
    reading = MICRO.replace("recognizer = false\n", "").replace("[stages.words]", READING)
    (tmp_path / "reading.toml").write_text(reading)
    return TrainOptions(
        out=tmp_path / "run",
        config=tmp_path / "reading.toml",
        stage="read",
        crops=(crops,),
        val_crops=(crops,),
        workers=0,
        device="cpu",
    )


@pytest.fixture
def reading_model(micro_config: ModelConfig, micro_recognizer_config: RecognizerConfig) -> SceneTextModel:
    torch.manual_seed(0)
    return build_model(dataclasses.replace(micro_config, recognizer=micro_recognizer_config))


def batch() -> CropBatch:
    images = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 3, 32, 128), dtype=np.uint8))
    return CropBatch(images, ["One", "2", "three"])


def losses_of(model: SceneTextModel, weights: LossWeights) -> dict[str, Tensor]:
    stage = dataclasses.replace(STAGE, weights=weights)
    return total_loss(model, batch(), stage, np.random.default_rng(0))


def changed_tensors(before: Path, after: Path) -> set[str]:
    """Return the names of the tensors in which two checkpoints differ."""
    old, new = (load_model(str(folder), "cpu")[0].state_dict() for folder in (before, after))
    return {name for name, value in old.items() if not torch.equal(value, new[name])}


@pytest.mark.slow
def test_the_read_stage_trains_the_recognizer_alone_and_is_validated_on_crops(options: TrainOptions) -> None:
    start = dataclasses.replace(options, steps=1, val_crops=())
    train(start, silent)
    go_on = dataclasses.replace(options, out=options.out / "next", init=options.out / "last")
    card = train(go_on, silent)
    changed = changed_tensors(options.out / "last", go_on.out / "last")
    assert changed
    assert all(name.startswith("recognizer.") for name in changed)
    assert card.training["stages"]["read"]["done"] == 3
    events = [json.loads(line) for line in (go_on.out / "log.jsonl").read_text().splitlines()]
    assert [event["words"] for event in events if event["event"] == "validation"] == [1, 1]
    metrics = read_card(go_on.out / "best").metrics["words"]
    assert (metrics["sets"], metrics["words"]) == (["crops"], 1)


@pytest.mark.slow
def test_the_recognizer_is_kept_in_a_file_of_its_own(options: TrainOptions, word_scene: Scene) -> None:
    train(dataclasses.replace(options, steps=1, val_crops=()), silent)
    folder = options.out / "last"
    card = read_card(folder)
    assert card.identity not in (card.sha256, card.recognizer_sha256, "")
    assert card.info.sha256 == card.identity
    [reading] = load_recognizer_runner(str(folder), "cpu").read_pictures([word_scene.image])
    assert 0 <= reading.best.confidence <= 1
    assert load_spotter(str(folder), "cpu", reads=False).recognizer is None
    content = bytearray((folder / "recognizer.safetensors").read_bytes())
    content[-1] ^= 1
    (folder / "recognizer.safetensors").write_bytes(content)
    with pytest.raises(WeightsError, match=r"recognizer\.safetensors does not match the checksum"):
        load_recognizer_runner(str(folder), "cpu")
    (folder / "recognizer.safetensors").unlink()
    with pytest.raises(WeightsError, match=r"recognizer\.safetensors is missing"):
        load_model(str(folder), "cpu")


@pytest.mark.slow
def test_the_spell_stage_trains_the_character_model_alone(options: TrainOptions, tmp_path: Path) -> None:
    text = (tmp_path / "reading.toml").read_text()
    text = text.replace("decoder_heads = 2", "decoder_heads = 2\ncharacter_lm = 8")
    (tmp_path / "reading.toml").write_text(text)
    train(dataclasses.replace(options, steps=1, val_crops=()), silent)
    first, out = options.out / "last", options.out / "next"
    spell = dataclasses.replace(options, stage="spell", out=out, init=first, steps=2)
    card = train(spell, silent)
    changed = changed_tensors(first, out / "last")
    assert changed
    assert all(name.startswith("recognizer.character_lm.") for name in changed)
    assert card.training["stages"]["spell"]["done"] == 2


def test_the_read_stage_needs_a_recognizer(options: TrainOptions, tmp_path: Path) -> None:
    (tmp_path / "none.toml").write_text("[model]\nrecognizer = false\n")
    with pytest.raises(UsageError, match="no recognizer to train"):
        train(dataclasses.replace(options, config=tmp_path / "none.toml", steps=1), silent)


def test_the_spell_stage_needs_a_character_model(options: TrainOptions, tmp_path: Path) -> None:
    text = (tmp_path / "reading.toml").read_text()
    (tmp_path / "reading.toml").write_text(
        text.replace("decoder_heads = 2", "decoder_heads = 2\ncharacter_lm = 0")
    )
    with pytest.raises(UsageError, match="no character model to train"):
        train(dataclasses.replace(options, stage="spell", steps=1, val_crops=()), silent)


def test_weights_without_a_recognizer_say_how_to_get_one(options: TrainOptions, tmp_path: Path) -> None:
    (tmp_path / "none.toml").write_text(MICRO)
    scenes = dataclasses.replace(options, config=tmp_path / "none.toml", stage="scenes", steps=1, crops=())
    train(dataclasses.replace(scenes, val_crops=()), silent)
    with pytest.raises(WeightsError, match="--stage read"):
        load_recognizer_runner(str(options.out / "last"), "cpu")


def test_strings_without_pictures_train_the_character_model(
    micro_config: ModelConfig, micro_recognizer_config: RecognizerConfig
) -> None:
    reader = dataclasses.replace(micro_recognizer_config, character_lm=8)
    model = build_model(dataclasses.replace(micro_config, recognizer=reader))
    stage = dataclasses.replace(STAGE, weights=LossWeights(character_lm=2.0))
    nothing = CropBatch(torch.zeros(0, 3, 0, 0, dtype=torch.uint8), ["Caf\u00e9", "24"])
    losses = total_loss(model, nothing, stage, np.random.default_rng(0))
    assert set(losses) == {"character_lm"}
    assert model.recognizer is not None
    assert model.recognizer.character_lm is not None
    expected = 2 * model.recognizer.character_lm.loss(["cafe", "24"])
    assert losses["character_lm"].item() == pytest.approx(expected.item())


def test_each_term_of_reading_can_be_switched_off(reading_model: SceneTextModel) -> None:
    assert set(losses_of(reading_model, LossWeights())) == {
        "orientation",
        "recognizer_ctc",
        "visual",
        "cross",
    }
    assert set(losses_of(reading_model, LossWeights(plm=0))) == {"orientation", "recognizer_ctc"}
    assert set(losses_of(reading_model, LossWeights(orientation=0, recognizer_ctc=0))) == {"visual", "cross"}


def test_a_share_of_the_steps_trains_the_cross_modal_branch(reading_model: SceneTextModel) -> None:
    stage = dataclasses.replace(STAGE, cross_share=0.25)
    steps = [total_loss(reading_model, batch(), stage, np.random.default_rng(i)) for i in range(40)]
    assert 3 <= sum("cross" in losses for losses in steps) <= 20
    assert all("visual" in losses for losses in steps)


@pytest.mark.slow
def test_words_are_cut_out_as_the_detector_outlines_them_when_the_stage_says_so(
    options: TrainOptions, word_scene: Scene, tmp_path: Path
) -> None:
    (tmp_path / "set").mkdir()
    cv2.imwrite(str(tmp_path / "set/1.jpg"), word_scene.image)
    row = {"polygon": word_scene.words[0].polygon.tolist(), "transcript": "word", "legible": True}
    line = {"image": "1.jpg", "height": 64, "width": 96, "instances": [row]}
    (tmp_path / "set/annotations.jsonl").write_text(json.dumps(line))
    assert options.config is not None
    text = options.config.read_text().replace("[stages.read]", "[stages.read]\ndetected_outlines = true")
    options.config.write_text(text)
    told: list[str] = []
    train(
        dataclasses.replace(options, steps=1, data=(tmp_path / "set",), val_crops=()),
        lambda progress: told.append(progress.message),
    )
    assert "outlined the words of 1 of 1 photographs" in told


def test_grouping_words_by_length_changes_no_loss(
    reading_model: SceneTextModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading_model.eval()
    stage = dataclasses.replace(STAGE, permutations=1)  # left to right: nothing is drawn
    losses = []
    for groups in (1, 3):
        monkeypatch.setattr("stsearch.training.objective.LENGTH_GROUPS", groups)
        losses.append(total_loss(reading_model, batch(), stage, np.random.default_rng(0)))
    assert torch.allclose(losses[0]["visual"], losses[1]["visual"], atol=1e-5)
    assert torch.allclose(losses[0]["cross"], losses[1]["cross"], atol=1e-5)


def test_the_weight_of_a_term_multiplies_it(reading_model: SceneTextModel) -> None:
    reading_model.eval()
    once, twice = (losses_of(reading_model, LossWeights(recognizer_ctc=w, plm=w)) for w in (1.0, 2.0))
    for name in ("recognizer_ctc", "visual", "cross"):
        assert torch.allclose(2 * once[name], twice[name], rtol=1e-4)


def test_upside_down_crops_teach_orientation_only(reading_model: SceneTextModel) -> None:
    reading_model.eval()
    other = batch()
    other.images[3:] = 255 - other.images[3:]
    stage = dataclasses.replace(STAGE, weights=LossWeights())
    one = total_loss(reading_model, batch(), stage, np.random.default_rng(0))
    two = total_loss(reading_model, other, stage, np.random.default_rng(0))
    assert torch.allclose(one["visual"], two["visual"], atol=1e-5)
    assert not torch.equal(one["orientation"], two["orientation"])


def test_the_first_text_layers_are_frozen_and_towers_have_rates_of_their_own(
    micro_config: ModelConfig, micro_recognizer_config: RecognizerConfig
) -> None:
    text = dataclasses.replace(micro_recognizer_config.text, layers=2)
    reader = dataclasses.replace(micro_recognizer_config, text=text, frozen_text_layers=1)
    model = build_model(dataclasses.replace(micro_config, recognizer=reader))
    stage = dataclasses.replace(STAGE, backbone_rate=0.5, text_rate=0.25)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rates = {
        names[id(parameter)]: group["rate"]
        for group in parameter_groups(model, stage)
        for parameter in group["params"]
    }
    tower = "recognizer.cross.text.tower."
    assert not any(name.startswith(f"{tower}transformer.resblocks.0.") for name in rates)
    assert f"{tower}token_embedding.weight" not in rates
    assert rates[f"{tower}transformer.resblocks.1.ln_1.weight"] == 0.25
    assert rates["recognizer.image.tower.class_embedding"] == 0.5
    assert rates["recognizer.cross.decoder.positions"] == 1.0
