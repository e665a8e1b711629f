"""The close-up map: shapes, what training reaches, prompts frozen without a change, weights on disk."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from prompt_fixtures import random_images
from torch import Tensor

from stsearch.config import CloseUpConfig, ModelConfig, TextTowerConfig
from stsearch.errors import UsageError
from stsearch.models.close_up_map import build_close_up_map
from stsearch.models.scene_text import SceneTextModel, build_model, freeze_prompts
from stsearch.weights.card import Card
from stsearch.weights.io import load_model, save_model, start_from

CLOSE_UPS = CloseUpConfig(text=TextTowerConfig(width=16, heads=2, layers=2), hidden=8, dim=12)


def make_model(config: ModelConfig, close_ups: CloseUpConfig = CLOSE_UPS) -> SceneTextModel:
    torch.manual_seed(0)
    return build_model(dataclasses.replace(config, close_ups=close_ups)).eval()


def logits(model: SceneTextModel, images: Tensor) -> Tensor:
    with torch.inference_mode():
        levels = model.features(images).levels
        return model.map_close_ups(levels, model.detect(levels))


@pytest.mark.parametrize(("height", "width"), [(64, 96), (128, 32)])
def test_a_cell_of_32_pixels_has_a_logit_for_each_size(
    micro_config: ModelConfig, height: int, width: int
) -> None:
    found = logits(make_model(micro_config), random_images(2, height, width))
    assert found.shape == (2, 3, height // 32, width // 32)


def test_an_image_has_the_same_map_alone_and_in_a_batch(micro_config: ModelConfig) -> None:
    model, images = make_model(micro_config), random_images(3, 64, 96)
    together, alone = logits(model, images), logits(model, images[1:2])
    assert together[1].numpy() == pytest.approx(alone[0].numpy(), abs=1e-4)


def test_the_gradient_reaches_every_parameter() -> None:
    torch.manual_seed(0)
    head = build_close_up_map(CLOSE_UPS, 4)
    levels = [torch.randn(2, 4, 128 // stride, 64 // stride) for stride in (4, 8, 16, 32)]
    # Squared: cosines with a bias alone would cancel in a sum.
    head(levels, torch.randn(2, 64, 32)).square().sum().backward()
    tokens = {"prompt.encoder.tower.token_embedding.weight", "prompt.encoder.tower.positional_embedding"}
    without = {name for name, p in head.named_parameters() if p.grad is None or not p.grad.abs().max()}
    assert without - tokens == set()


def test_the_sizes_have_different_maps(micro_config: ModelConfig) -> None:
    found = logits(make_model(micro_config), random_images(1, 64, 96))[0]
    assert (found[0] - found[1]).abs().max() > 1e-3


def test_a_frozen_map_is_the_same_without_its_text_tower(micro_config: ModelConfig) -> None:
    model, images = make_model(micro_config), random_images(2, 64, 96)
    before = logits(model, images)
    freeze_prompts(model)
    assert logits(model, images).numpy() == pytest.approx(before.numpy(), abs=1e-5)
    assert not [name for name in model.state_dict() if "tower" in name]
    assert model.config.close_ups == dataclasses.replace(CLOSE_UPS, frozen=True)


def test_the_map_of_a_single_size_can_be_frozen(micro_config: ModelConfig) -> None:
    one = dataclasses.replace(
        CLOSE_UPS, sizes=(1280,), phrases=("small",), heights=(48.0,), thresholds=(0.5,)
    )
    model, images = make_model(micro_config, one), random_images(1, 64, 96)
    before = logits(model, images)
    freeze_prompts(model)
    assert logits(model, images).numpy() == pytest.approx(before.numpy(), abs=1e-5)


def test_a_saved_frozen_map_loads(micro_config: ModelConfig, tmp_path: Path) -> None:
    model, images = make_model(micro_config), random_images(1, 64, 96)
    freeze_prompts(model)
    save_model(tmp_path / "first", model, Card(model.config))
    first, _ = load_model(str(tmp_path / "first"), "cpu")
    save_model(tmp_path / "second", first, Card(first.config))
    second, card = load_model(str(tmp_path / "second"), "cpu")
    assert card.config.close_ups == model.config.close_ups
    assert torch.equal(logits(first, images), logits(second, images))


def test_weights_without_a_map_start_one_with_it(
    micro_config: ModelConfig, micro_model: SceneTextModel, tmp_path: Path
) -> None:
    save_model(tmp_path / "old", micro_model, Card(micro_config))
    wanted = dataclasses.replace(micro_config, close_ups=CLOSE_UPS)
    _, fresh = start_from(wanted, str(tmp_path / "old"))
    assert fresh == ["close_up_map"]


def test_a_start_from_a_frozen_map_keeps_its_prompts(micro_config: ModelConfig, tmp_path: Path) -> None:
    model = make_model(micro_config)
    wanted = model.config
    freeze_prompts(model)
    save_model(tmp_path / "frozen", model, Card(micro_config))
    started, fresh = start_from(wanted, str(tmp_path / "frozen"))
    assert fresh == []
    assert started.close_up_map is not None
    assert model.close_up_map is not None
    kept, wrote = (head.prompt.get_buffer("embedding") for head in (started.close_up_map, model.close_up_map))
    assert kept.numpy() == pytest.approx(wrote.numpy(), abs=2e-3)  # written in half precision


def test_a_model_without_a_map_says_so(micro_model: SceneTextModel) -> None:
    levels = micro_model.features(random_images(1, 64, 64)).levels
    with pytest.raises(ValueError, match="set close_ups"):
        micro_model.map_close_ups(levels, micro_model.detect(levels))


def test_sizes_and_phrases_that_do_not_match_are_refused() -> None:
    with pytest.raises(UsageError, match="as many phrases, heights and thresholds as sizes"):
        build_close_up_map(dataclasses.replace(CLOSE_UPS, sizes=(1280, 1920)), 4)
