"""The joint network with language prompts: what they reach, what freezing them keeps, the neck."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from prompt_fixtures import PROMPTS, QUERIES, difference, make_model, outputs, random_images
from torch import Tensor, nn

from stsearch.config import ModelConfig, PromptConfig, TextTowerConfig
from stsearch.engines.torch_engine import TorchSceneEngine, fold_batch_norms
from stsearch.errors import UsageError
from stsearch.models.detector import binary_map
from stsearch.models.layers import FeaturePyramid
from stsearch.models.prompts import FrozenPrompt, TextPrompt, freeze_prompt
from stsearch.models.scene_text import SceneTextModel, build_model, freeze_prompts
from stsearch.spotting.spotter import Spotter
from stsearch.types import Scene
from stsearch.weights.card import Card
from stsearch.weights.io import load_model, save_model, start_from


@pytest.mark.parametrize("query", QUERIES)
def test_an_image_has_the_same_map_alone_and_in_a_batch(micro_config: ModelConfig, query: str) -> None:
    model, images = make_model(micro_config, query), random_images(3, 64, 96)
    together, alone = outputs(model, images)[-1], outputs(model, images[2:])[-1]
    assert (together[0] - together[2]).abs().max() > 1e-3
    assert together[2].numpy() == pytest.approx(alone[0].numpy(), abs=1e-4)  # cosines to 1e-5, over 0.07


@pytest.mark.parametrize("query", ["meta", "none"])
def test_freezing_changes_no_output(micro_config: ModelConfig, query: str) -> None:
    model, images = make_model(micro_config, query), random_images(2, 64, 96)
    before = outputs(model, images)
    freeze_prompts(model)
    assert model.config.prompts is not None
    assert model.config.prompts.frozen
    assert difference(before, outputs(model, images)) < 1e-5


def test_a_frozen_model_leaves_its_text_tower_behind(micro_config: ModelConfig) -> None:
    model = make_model(micro_config)
    before = sum(value.numel() for value in model.state_dict().values())
    freeze_prompts(model)
    state = model.state_dict()
    assert [name for name in state if name.startswith("matcher.prompt.")] == ["matcher.prompt.embedding"]
    assert sum(value.numel() for value in state.values()) < before - 10_000


def test_a_prompt_that_asks_the_image_is_left_as_it_is(micro_config: ModelConfig) -> None:
    model = make_model(micro_config, "image")
    names, config = list(model.state_dict()), model.config
    freeze_prompts(model)
    assert list(model.state_dict()) == names
    assert model.config == config


def test_a_model_without_prompts_is_left_as_it_is(micro_model: SceneTextModel) -> None:
    config = micro_model.config
    freeze_prompts(micro_model)
    assert micro_model.config == config


def test_freezing_twice_is_harmless(micro_config: ModelConfig) -> None:
    model, images = make_model(micro_config), random_images(1, 64, 64)
    freeze_prompts(model)
    before = outputs(model, images)
    freeze_prompts(model)
    assert model.matcher is not None
    model.matcher.prompt = freeze_prompt(model.matcher.prompt)
    assert difference(before, outputs(model, images)) == 0


@pytest.mark.parametrize("query", QUERIES)
def test_a_saved_model_loads_with_its_prompts(micro_config: ModelConfig, query: str, tmp_path: Path) -> None:
    images = random_images(2, 64, 96)
    save_model(tmp_path / "first", make_model(micro_config, query), Card(micro_config))
    first, _ = load_model(str(tmp_path / "first"), "cpu")
    save_model(tmp_path / "second", first, Card(micro_config))
    # Saving rounds to half precision once; what was loaded is rounded already and comes back whole.
    second, card = load_model(str(tmp_path / "second"), "cpu")
    assert card.config.prompts == dataclasses.replace(PROMPTS, query=query)
    assert difference(outputs(first, images), outputs(second, images)) == 0


def test_a_frozen_model_loads_with_equal_outputs(micro_config: ModelConfig, tmp_path: Path) -> None:
    images = random_images(2, 64, 96)
    save_model(tmp_path / "whole", make_model(micro_config), Card(micro_config))
    whole, _ = load_model(str(tmp_path / "whole"), "cpu")
    before = outputs(whole, images)
    freeze_prompts(whole)
    save_model(tmp_path / "frozen", whole, Card(micro_config))
    frozen, card = load_model(str(tmp_path / "frozen"), "cpu")
    assert card.config.prompts is not None
    assert card.config.prompts.frozen
    # The weights are rounded already, and the frozen embedding is kept in float32.
    assert difference(before, outputs(frozen, images)) < 1e-5


def test_a_start_from_frozen_weights_keeps_their_prompt(micro_config: ModelConfig, tmp_path: Path) -> None:
    model = make_model(micro_config)
    wanted = model.config
    freeze_prompts(model)
    save_model(tmp_path / "frozen", model, Card(micro_config))
    started, fresh = start_from(wanted, str(tmp_path / "frozen"))
    assert fresh == []
    assert started.matcher is not None
    assert model.matcher is not None
    assert isinstance(started.matcher.prompt, FrozenPrompt)
    assert torch.equal(
        started.matcher.prompt.get_buffer("embedding"), model.matcher.prompt.get_buffer("embedding")
    )


def test_the_spotter_finds_the_same_with_a_frozen_prompt(
    micro_config: ModelConfig, word_scene: Scene
) -> None:
    model = make_model(micro_config)
    polygons = [[word.polygon for word in word_scene.words]]
    info = Card(model.config).info
    [before] = Spotter(TorchSceneEngine(model), info).read([word_scene.image], polygons)
    freeze_prompts(model)
    [after] = Spotter(TorchSceneEngine(model), info).read([word_scene.image], polygons)
    assert [i.transcript for i in before] == [i.transcript for i in after]
    assert np.stack([i.embedding for i in before]) == pytest.approx(
        np.stack([i.embedding for i in after]), abs=1e-5
    )


def test_the_spotter_leaves_the_model_its_text_tower(micro_config: ModelConfig) -> None:
    model = make_model(micro_config)
    names, config = list(model.state_dict()), model.config
    Spotter(TorchSceneEngine(model), Card(config).info)
    assert list(model.state_dict()) == names
    assert model.config == config


def test_folding_norms_changes_no_output_of_a_model_with_prompts(micro_config: ModelConfig) -> None:
    model, images = make_model(micro_config), random_images(2, 64, 96)
    assert difference(outputs(model, images), outputs(fold_batch_norms(model), images)) < 1e-3


# The whole network


def test_prompts_without_attention_pool_are_refused(micro_config: ModelConfig) -> None:
    with pytest.raises(UsageError, match=r"micro: prompts need backbone\.attention_pool = true"):
        build_model(dataclasses.replace(micro_config, prompts=PROMPTS))


@pytest.mark.parametrize("query", QUERIES)
def test_the_gradient_reaches_every_parameter_from_the_maps(micro_config: ModelConfig, query: str) -> None:
    model = make_model(micro_config, query).train()
    features = model.features(random_images(2, 96, 128))
    assert features.text_map is not None
    level_loss = torch.stack([level.square().mean() for level in features.levels]).sum()
    map_loss = features.text_map.square().mean()
    (binary_map(model.detect(features.levels), 50).mean() + level_loss + map_loss).backward()
    starved = [
        name
        for name, p in model.named_parameters()
        if (p.grad is None or not p.grad.abs().sum()) and "embedder." not in name
    ]
    # Of one text there is one thing to attend to: what asks for it does not matter.
    asking = [
        f"matcher.visual_prompt.decoder.layers.{i}.norm2.{n}" for i in (0, 1) for n in ("weight", "bias")
    ]
    # The same added to all keys cancels out; what is left is rounding.
    assert [n for n in starved if n not in asking and n != "backbone.trunk.attnpool.k_proj.bias"] == []


@pytest.mark.parametrize("query", QUERIES)
def test_the_heads_alone_train_the_text_side(micro_config: ModelConfig, query: str) -> None:
    model = make_model(micro_config, query).train()
    model.detect(model.features(random_images(2, 64, 96)).levels).probability.square().mean().backward()
    assert model.matcher is not None
    assert isinstance(model.matcher.prompt, TextPrompt)
    gradient = model.matcher.prompt.context.grad
    assert gradient is not None
    assert gradient.abs().sum() > 0


def test_the_map_reaches_the_heads(micro_config: ModelConfig) -> None:
    model, images = make_model(micro_config), random_images(1, 64, 96)
    before = outputs(model, images)
    assert model.matcher is not None
    model.matcher.temperature = -0.07  # turns the map round
    assert all(float((a - b).abs().max()) > 1e-4 for a, b in zip(before, outputs(model, images), strict=True))


def test_the_neck_is_told_probabilities(micro_config: ModelConfig) -> None:
    model = make_model(micro_config)
    told: list[Tensor] = []
    model.neck.register_forward_pre_hook(lambda _, inputs: told.append(inputs[1]))
    text_map = outputs(model, random_images(1, 64, 96))[-1]
    assert told[0].numpy() == pytest.approx(text_map.sigmoid().numpy())


def make_stages() -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, 8 * s, 32 // s, 64 // s) for s in (4, 8, 16, 32)]


def test_a_neck_without_join_ignores_the_map() -> None:
    neck = FeaturePyramid((32, 64, 128, 256), 16).eval()
    with torch.inference_mode():
        with_map, without = neck(make_stages(), torch.rand(2, 1, 2)), neck(make_stages())
    assert difference(with_map, without) == 0


def test_a_joined_map_counts_as_one_more_channel_of_c5() -> None:
    stages, text_map = make_stages(), torch.rand(2, 1, 2)
    neck = FeaturePyramid((32, 64, 128, 256), 16, joins_map=True).eval()
    wide = FeaturePyramid((32, 64, 128, 257), 16).eval()
    c5 = neck.lateral[3]
    assert isinstance(c5, nn.Conv2d)
    assert neck.join is not None
    assert c5.bias is not None
    state = neck.state_dict()
    state["lateral.3.weight"] = torch.cat([c5.weight, state.pop("join.weight")], dim=1)
    wide.load_state_dict(state)
    with torch.inference_mode():
        joined = neck(stages, text_map)
        concatenated = wide([*stages[:3], torch.cat([stages[3], text_map[:, None]], dim=1)])
    assert difference(joined, concatenated) < 1e-5


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        pytest.param(PromptConfig(query="metta"), "prompts.query is 'metta'; choose from meta", id="query"),
        pytest.param(
            PromptConfig(TextTowerConfig("words")), "tokenizer is 'words'; choose from bytes", id="tokenizer"
        ),
        pytest.param(PromptConfig(context_vectors=64), "116 tokens with its 64 context_vectors", id="length"),
    ],
)
def test_prompts_that_cannot_be_are_refused(
    micro_config: ModelConfig, prompts: PromptConfig, message: str
) -> None:
    backbone = dataclasses.replace(micro_config.backbone, attention_pool=True)
    with pytest.raises(UsageError, match=message):
        build_model(dataclasses.replace(micro_config, backbone=backbone, prompts=prompts))
