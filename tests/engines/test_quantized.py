"""Eight bits compute what floating point does, but for rounding."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stsearch.config import ModelConfig, PromptConfig
from stsearch.engines import quantized
from stsearch.engines.quantized import QuantizedConv, calibrate_activations, quantize, supports_int8
from stsearch.engines.torch_engine import fold_batch_norms
from stsearch.errors import UsageError
from stsearch.models.scene_text import SceneTextModel, build_model
from stsearch.spotting import spotter as spotter_module
from stsearch.spotting.spotter import Spotter
from stsearch.types import Scene
from stsearch.weights.card import Card

pytestmark = pytest.mark.skipif(
    not supports_int8(torch.device("cpu")), reason="this processor does not multiply bytes"
)


def cells(*shape: int) -> Tensor:
    """Return random bytes, channels last."""
    generator = torch.Generator().manual_seed(1)
    values = torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)
    return values.to(memory_format=torch.channels_last)


def pictures(*sides: int) -> list[Tensor]:
    return [cells(1, 3, side, side + 32) for side in sides]


@pytest.fixture
def lively_model(micro_model: SceneTextModel) -> SceneTextModel:
    """Return a network whose norms do something, as trained ones do."""
    torch.manual_seed(2)
    for module in micro_model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.3, 0.3)
    return micro_model


@pytest.mark.parametrize(
    "conv",
    [
        pytest.param(nn.Conv2d(16, 24, 1), id="1x1"),
        pytest.param(nn.Conv2d(16, 24, 3, padding=1), id="3x3 with a border"),
        pytest.param(nn.Conv2d(16, 16, 2, 2, groups=16, bias=False), id="by channel, every other cell"),
    ],
)
@pytest.mark.parametrize("relu", [False, True])
def test_a_convolution_of_bytes_is_that_of_their_values(conv: nn.Conv2d, relu: bool) -> None:
    given = cells(2, 16, 18, 30)
    with torch.inference_mode():
        wanted = conv(given * 0.02)
        wanted = wanted.relu() if relu else wanted
        found = QuantizedConv(conv, 0.02, relu=relu, dtype=torch.float32)(given)
    assert found.dtype == torch.float32
    assert (found - wanted).abs().max() < 0.02 * wanted.abs().max()


def test_a_convolution_rounds_to_the_steps_of_its_output() -> None:
    conv = nn.Conv2d(16, 24, 1)
    with torch.inference_mode():
        exact = QuantizedConv(conv, 0.02, relu=True, dtype=torch.float32)(given := cells(1, 16, 8, 8))
        rounded = QuantizedConv(conv, 0.02, 0.05, relu=True)(given)
    assert rounded.dtype == torch.uint8
    assert (rounded * 0.05 - exact.clamp(max=255 * 0.05)).abs().max() < 0.0251


def test_a_sum_is_the_rectified_one_of_both() -> None:
    conv = nn.Conv2d(16, 24, 1)
    given, total = cells(1, 16, 8, 8), cells(1, 24, 8, 8)
    with torch.inference_mode():
        exact = QuantizedConv(conv, 0.02, dtype=torch.float32)(given) + total * 0.03
        rounded = QuantizedConv(conv, 0.02, 0.05).add_to(total.clone(), 0.03, given)
    assert (rounded * 0.05 - exact.clamp(0, 255 * 0.05)).abs().max() < 0.0251


def test_features_in_bytes_are_those_in_floats(lively_model: SceneTextModel) -> None:
    folded = fold_batch_norms(lively_model)
    activation_max = calibrate_activations(folded, pictures(64, 96))
    assert all(top > 0 for top in activation_max)
    [seen] = pictures(128)
    with torch.inference_mode():
        wanted = folded.features(seen).levels
        quantize(folded, activation_max, torch.float32)
        found = folded.features(seen).levels
    for exact, level in zip(wanted, found, strict=True):
        assert level.dtype == exact.dtype
        assert (level - exact).norm() < 0.05 * exact.norm()


def test_looking_at_activations_changes_no_network(lively_model: SceneTextModel) -> None:
    [seen] = pictures(64)
    with torch.inference_mode():
        before = lively_model.features(seen).levels
        first, again = (
            calibrate_activations(lively_model, [seen]),
            calibrate_activations(lively_model, [seen]),
        )
        after = lively_model.features(seen).levels
    assert first == again
    assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))


def test_a_spotter_computes_in_bytes_where_it_knows_how_high_activations_rise(
    lively_model: SceneTextModel, word_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    polygons = [[np.asarray(word_scene.words[0].polygon, np.float32)]]
    asked: list[tuple[float, ...]] = []

    def note(model: SceneTextModel, activation_max: tuple[float, ...], dtype: torch.dtype) -> None:
        asked.append(activation_max)
        quantize(model, activation_max, dtype)

    monkeypatch.setattr(spotter_module, "quantize", note)
    [[exact]] = Spotter(lively_model, Card(lively_model.config).info).read([word_scene.image], polygons)
    assert not asked
    activation_max = calibrate_activations(fold_batch_norms(lively_model), pictures(64, 96))
    lively_model.config = dataclasses.replace(
        lively_model.config,
        backbone=dataclasses.replace(lively_model.config.backbone, activation_max=activation_max),
    )
    rounding = Spotter(lively_model, Card(lively_model.config).info)
    [[rounded]] = rounding.read([word_scene.image], polygons)
    assert asked == [activation_max]
    assert rounding.precision.endswith(", image tower in int8")
    assert float(exact.embedding @ rounded.embedding) > 0.99


def test_operators_that_changed_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(*given: object) -> None:
        raise RuntimeError("expected at most 16 arguments")

    monkeypatch.setattr(
        quantized, "_has_int8_operators", quantized._has_int8_operators.__wrapped__
    )  # nothing kept
    assert supports_int8(torch.device("cpu"))
    monkeypatch.setattr(QuantizedConv, "forward", changed)
    assert not supports_int8(torch.device("cpu"))


@pytest.mark.parametrize(
    ("prompts", "activation_max", "told"),
    [
        pytest.param(None, (1.0, 2.0), "backbone.activation_max must have", id="too few"),
        pytest.param(PromptConfig(), (1.0,) * 17, "prompts need", id="with prompts"),
    ],
)
def test_activations_of_another_network_are_refused(
    micro_config: ModelConfig, prompts: PromptConfig | None, activation_max: tuple[float, ...], told: str
) -> None:
    backbone = dataclasses.replace(
        micro_config.backbone, activation_max=activation_max, attention_pool=prompts is not None
    )
    with pytest.raises(UsageError, match=told):
        build_model(dataclasses.replace(micro_config, backbone=backbone, prompts=prompts))
