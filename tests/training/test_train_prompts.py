"""Training with language prompts: the contrast stage, the rates of the towers, starts from other weights."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from prompt_fixtures import make_model
from torch import Tensor
from train_fixtures import MICRO, silent

from stsearch.config import LossWeights, ModelConfig, StageConfig
from stsearch.errors import UsageError
from stsearch.models.prompts import TextPrompt
from stsearch.models.scene_text import build_model, freeze_prompts
from stsearch.models.text_encoder import tokenize
from stsearch.training.batches import collate
from stsearch.training.losses import contrastive_loss
from stsearch.training.objective import joint_loss
from stsearch.training.options import Progress, TrainOptions
from stsearch.training.presets import load_preset
from stsearch.training.train import train
from stsearch.types import Scene, WordLabel
from stsearch.weights.card import read_card
from stsearch.weights.io import load_model, save_model

PROMPTED = MICRO.replace("output_dim = 32,", "output_dim = 32, attention_pool = true,").replace(
    "[stages.words]",
    """\
[model.prompts]
context_vectors = 2
visual_layers = 1
visual_width = 16
visual_heads = 2
text = {width = 16, heads = 2, layers = 1}
[stages.contrast]
canvases = [{source = "words", height = 32, width = 64, batch = 2, share = 1.0}]
steps = 1
warmup_steps = 1
crop_share = 0.0
[stages.words]""",
)
CONTRAST = StageConfig("contrast", (), 10, weights=LossWeights(contrastive=1.0))


@pytest.fixture
def options(tmp_path: Path) -> TrainOptions:
    (tmp_path / "prompted.toml").write_text(PROMPTED)
    return TrainOptions(
        out=tmp_path / "run",
        config=tmp_path / "prompted.toml",
        stage="contrast",
        steps=1,
        workers=0,
        device="cpu",
    )


def first_state(options: TrainOptions) -> dict[str, Tensor]:
    """Return the tensors that a run starts from, as they would be after saving."""
    torch.manual_seed(options.seed)
    state = build_model(load_preset(options.preset, options.config).model).state_dict()
    return {
        name: value.half().float() if value.is_floating_point() and value.ndim > 1 else value
        for name, value in state.items()
    }


def last_state(options: TrainOptions) -> dict[str, Tensor]:
    return load_model(str(options.out / "last"), "cpu")[0].state_dict()


def moved(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name, value in after.items() if not torch.equal(value, before[name])}


def written(text: str) -> Scene:
    image = np.full((32, 64, 3), 220, np.uint8)
    cv2.putText(image, text, (4, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (20, 20, 20), 2)
    box = np.array([[2, 4], [62, 4], [62, 28], [2, 28]], np.float32)
    return Scene(image, (WordLabel(box, text, True),))


def test_the_contrast_stage_trains_the_two_towers_and_nothing_else(options: TrainOptions) -> None:
    train(options, silent)
    changed = moved(first_state(options), last_state(options))
    assert {"backbone.trunk.attnpool.c_proj.weight", "backbone.trunk.conv1.weight"} <= changed
    assert "matcher.prompt.encoder.tower.text_projection" in changed
    towers = ("backbone.", "matcher.prompt.encoder.")
    assert [name for name in sorted(changed) if not name.startswith(towers)] == []


def test_the_contrast_stage_needs_a_model_with_prompts(options: TrainOptions, tmp_path: Path) -> None:
    before, _, rest = PROMPTED.partition("[model.prompts]")
    (tmp_path / "plain.toml").write_text(before + rest[rest.index("[stages.contrast]") :])
    with pytest.raises(UsageError, match="micro has no text tower to train"):
        train(dataclasses.replace(options, config=tmp_path / "plain.toml"), silent)


@pytest.mark.slow
def test_all_stages_of_a_model_with_prompts_begin_with_contrast(options: TrainOptions) -> None:
    card = train(dataclasses.replace(options, stage="all"), silent)
    assert list(card.training["stages"]) == ["contrast", "words", "scenes"]


@pytest.mark.parametrize(
    ("rate", "tower"), [("text_rate", "matcher.prompt.encoder."), ("backbone_rate", "backbone.")]
)
def test_a_tower_with_rate_zero_keeps_its_parameters(
    options: TrainOptions, tmp_path: Path, rate: str, tower: str
) -> None:
    path = tmp_path / "rate.toml"
    path.write_text(PROMPTED.replace("[stages.words]", f"[stages.words]\n{rate} = 0.0"))
    run = dataclasses.replace(options, config=path, stage="words")
    train(run, silent)
    parameters = dict(load_model(str(run.out / "last"), "cpu")[0].named_parameters())
    changed = moved(first_state(run), {name: value.detach() for name, value in parameters.items()})
    assert [name for name in sorted(changed) if name.startswith(tower)] == []
    assert {"matcher.prompt.context", "matcher.prompt.meta_query", "neck.join.weight"} <= changed
    others = {"matcher.prompt.encoder.", "backbone."} - {tower}
    assert [other for other in others if not any(name.startswith(other) for name in changed)] == []


def test_a_rate_multiplies_the_learning_rate_of_its_tower(options: TrainOptions, tmp_path: Path) -> None:
    path = tmp_path / "rate.toml"
    path.write_text(PROMPTED.replace("[stages.words]", "[stages.words]\nbackbone_rate = 0.1"))
    slow = dataclasses.replace(options, config=path, stage="words", out=tmp_path / "slow")
    fast = dataclasses.replace(options, stage="words", out=tmp_path / "fast")
    name = "backbone.trunk.bn1.weight"  # kept in float32
    for run in (slow, fast):
        train(run, silent)
    steps = [(last_state(run)[name] - first_state(run)[name]).abs().median() for run in (slow, fast)]
    assert float(steps[0] / steps[1]) == pytest.approx(0.1, rel=0.1)  # the gradients of later steps differ


def test_a_start_from_contrast_weights_keeps_both_towers(options: TrainOptions, tmp_path: Path) -> None:
    train(options, silent)
    path = tmp_path / "still.toml"
    still = "[stages.words]\ntext_rate = 0.0\nbackbone_rate = 0.0"
    path.write_text(PROMPTED.replace("[stages.words]", still))
    messages: list[str] = []
    words = dataclasses.replace(
        options, config=path, stage="words", init=options.out / "last", out=tmp_path / "words"
    )
    train(words, lambda progress: messages.append(progress.message))
    changed = moved(last_state(options), last_state(words))
    kept = ("backbone.", "matcher.prompt.encoder.")
    assert [n for n in sorted(changed) if n.startswith(kept) and "running" not in n and "num_" not in n] == []
    assert not [message for message in messages if "random" in message]
    training = read_card(words.out / "last").training
    assert list(training["stages"]) == ["contrast", "words"]
    assert training["history"] == [{"contrast": 1}]


def test_a_start_from_weights_without_prompts_names_what_is_random(
    options: TrainOptions, tmp_path: Path
) -> None:
    (tmp_path / "plain.toml").write_text(MICRO)
    plain = dataclasses.replace(
        options, config=tmp_path / "plain.toml", stage="words", out=tmp_path / "plain"
    )
    train(plain, silent)
    messages: list[str] = []

    def listen(progress: Progress) -> None:
        messages.append(progress.message)

    train(dataclasses.replace(options, stage="words", init=plain.out / "last"), listen)
    [message] = [message for message in messages if "random at first" in message]
    assert message.endswith("random at first: backbone.trunk.attnpool, matcher, neck.join")


def test_a_start_from_frozen_weights_stays_frozen(options: TrainOptions, tmp_path: Path) -> None:
    train(options, silent)
    model, card = load_model(str(options.out / "last"), "cpu")
    freeze_prompts(model)
    save_model(tmp_path / "frozen", model, card)
    words = dataclasses.replace(options, stage="words", init=tmp_path / "frozen", out=tmp_path / "words")
    train(words, silent)
    prompts = read_card(words.out / "last").config.prompts
    assert prompts is not None
    assert prompts.frozen
    assert torch.equal(
        last_state(words)["matcher.prompt.embedding"], model.state_dict()["matcher.prompt.embedding"]
    )


def test_a_frozen_prompt_has_no_tower_for_the_contrast_stage(micro_config: ModelConfig) -> None:
    model = make_model(micro_config)
    freeze_prompts(model)
    batch = collate([written("open")], model.config, CONTRAST, np.random.default_rng(0))
    with pytest.raises(UsageError, match="micro has no text tower to train: contrastive must be 0"):
        joint_loss(model, batch, CONTRAST, np.random.default_rng(0))


def test_the_contrastive_term_matches_each_picture_with_its_own_word(micro_config: ModelConfig) -> None:
    model, random = make_model(micro_config), np.random.default_rng(0)
    words = ["open", "a", "shop"]
    scenes = [Scene(written("illegible").image, ()), *(written(word) for word in words)]
    batch = collate(scenes, model.config, CONTRAST, random)
    assert model.matcher is not None
    assert isinstance(model.matcher.prompt, TextPrompt)
    encoder = model.matcher.prompt.encoder
    with torch.inference_mode():
        loss = joint_loss(model, batch, CONTRAST, random)["contrastive"]
        _, pooled = model.backbone.embed(model.stages(batch.images)[-1])
        texts = encoder(tokenize(words, encoder.config))
        expected = contrastive_loss(pooled[1:], texts, torch.eye(3).bool(), 0.07)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-4)


def test_a_picture_matches_every_word_in_it(micro_config: ModelConfig) -> None:
    model, random = make_model(micro_config), np.random.default_rng(0)
    other = dataclasses.replace(written("shop").words[0], transcript="door")
    two = dataclasses.replace(written("shop"), words=(*written("shop").words, other))
    batch = collate([two], model.config, CONTRAST, random)
    with torch.inference_mode():
        loss = joint_loss(model, batch, CONTRAST, random)["contrastive"]
    assert loss.item() == pytest.approx(math.log(2), abs=0.2)  # shared out, never told apart


def test_a_contrast_batch_without_a_word_has_no_term(micro_config: ModelConfig) -> None:
    batch = collate([Scene(written("a").image, ())], micro_config, CONTRAST, np.random.default_rng(0))
    assert joint_loss(make_model(micro_config), batch, CONTRAST, np.random.default_rng(0)) == {}


def test_a_frozen_prompt_is_no_way_to_begin(options: TrainOptions) -> None:
    assert options.config is not None
    text = options.config.read_text().replace("[model.prompts]", "[model.prompts]\nfrozen = true")
    options.config.write_text(text)
    with pytest.raises(UsageError, match="--init"):
        train(options, silent)


def test_a_few_contrastive_steps_on_one_batch_lower_the_loss(micro_config: ModelConfig) -> None:
    model = make_model(micro_config).train()
    random = np.random.default_rng(0)
    batch = collate([written(word) for word in ("OPEN", "shop", "8", "-iIl")], model.config, CONTRAST, random)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    history = []
    for _ in range(20):
        losses = joint_loss(model, batch, CONTRAST, random)
        assert list(losses) == ["contrastive"]
        optimizer.zero_grad()
        losses["contrastive"].backward()
        optimizer.step()
        history.append(losses["contrastive"].item())
    assert history[-1] < history[0] / 2
