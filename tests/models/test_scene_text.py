"""The joint network: shapes at two sizes, batch invariance, gradients everywhere, sampling along polygons."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from stsearch.config import STRIDES, ModelConfig
from stsearch.geometry.polygons import region_edges
from stsearch.models.detector import binary_map
from stsearch.models.layers import sample_regions
from stsearch.models.scene_text import SceneTextModel, build_model


def random_images(count: int, height: int, width: int) -> Tensor:
    return torch.randint(0, 256, (count, 3, height, width), generator=torch.Generator().manual_seed(1)).to(
        torch.uint8
    )


def upright_edges(count: int, config: ModelConfig) -> Tensor:
    box = np.array([[10, 10], [90, 10], [90, 40], [10, 40]], np.float32)
    columns, margin = config.embedder.region[1], config.embedder.margin
    return torch.from_numpy(np.stack([region_edges(box + 3 * i, columns, margin) for i in range(count)]))


@pytest.mark.parametrize("size", [(64, 128), (96, 64)])
def test_a_cheaper_network_has_levels_and_map_of_the_same_shapes(
    micro_model: SceneTextModel, cheap_config: ModelConfig, size: tuple[int, int]
) -> None:
    images = random_images(2, *size)
    shapes = []
    for model in (micro_model, build_model(cheap_config).eval()):
        levels = model.features(images).levels
        shapes.append([level.shape for level in [*levels, model.detect(levels).probability]])
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("size", [(64, 128), (96, 64)])
def test_pyramid_levels_have_strides_4_to_32(micro_model: SceneTextModel, size: tuple[int, int]) -> None:
    levels = micro_model.features(random_images(2, *size)).levels
    assert [tuple(level.shape) for level in levels] == [(2, 16, size[0] // s, size[1] // s) for s in STRIDES]


@pytest.mark.parametrize("size", [(64, 128), (96, 64)])
def test_the_probability_map_has_the_configured_stride(
    micro_model: SceneTextModel, size: tuple[int, int]
) -> None:
    maps = micro_model.detect(micro_model.features(random_images(2, *size)).levels)
    assert maps.probability.shape == (2, size[0] // 2, size[1] // 2)
    assert maps.threshold is None


def test_regions_become_unit_embeddings_and_one_frame_a_column(micro_model: SceneTextModel) -> None:
    config = micro_model.config
    levels = micro_model.features(random_images(2, 64, 128)).levels
    readings = micro_model.read_regions(levels, upright_edges(3, config), torch.tensor([0, 1, 1]))
    assert readings.embeddings.shape == (3, 64)
    assert readings.logits.shape == (3, 32, 37)
    assert readings.embeddings.norm(dim=1).tolist() == pytest.approx([1, 1, 1])


def test_an_image_reads_the_same_alone_and_in_a_batch(micro_model: SceneTextModel) -> None:
    images, edges = random_images(3, 64, 128), upright_edges(3, micro_model.config)
    with torch.inference_mode():
        together = micro_model.read_regions(
            micro_model.features(images).levels, edges, torch.arange(3)
        ).embeddings
        alone = micro_model.read_regions(
            micro_model.features(images[2:]).levels, edges[2:], torch.zeros(1).long()
        ).embeddings
    assert together[2].numpy() == pytest.approx(alone[0].numpy(), abs=1e-5)


def test_a_word_embeds_the_same_alone_and_in_a_batch(micro_model: SceneTextModel) -> None:
    with torch.inference_mode():
        together = micro_model.embed_words([[1, 2, 3], [4], [5] * 25])
        alone = micro_model.embed_words([[4]])
    assert together.shape == (3, 64)
    assert together[1].numpy() == pytest.approx(alone[0].numpy(), abs=1e-6)


@pytest.mark.parametrize("fixture", ["micro_config", "cheap_config"])
def test_the_gradient_reaches_every_parameter(fixture: str, request: pytest.FixtureRequest) -> None:
    model = build_model(request.getfixturevalue(fixture)).train()
    for name, parameter in model.named_parameters():
        if name.endswith(
            "bn3.weight"
        ):  # CLIP starts residual branches at zero, which would stop the gradient
            torch.nn.init.ones_(parameter)
    levels = model.features(random_images(2, 128, 128)).levels
    box = np.array([[0, 0], [120, 0], [120, 20], [0, 20]], np.float32)
    heights = [box * np.array([1, factor], np.float32) for factor in (1, 3, 6, 12)]  # one for every level
    edges = torch.from_numpy(np.stack([region_edges(b, 32, 0.1) for b in heights]))
    readings = model.read_regions(levels, edges, torch.tensor([0, 1, 0, 1]))
    words = model.embed_words([[1, 2], list(range(1, 37))])
    loss = binary_map(model.detect(levels), 50).mean() + readings.logits.square().mean()
    (loss + (readings.embeddings @ words.T).square().mean()).backward()
    starved = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert starved == []


def test_sampling_follows_a_turned_polygon() -> None:
    ramp = torch.arange(16.0).expand(16, 16)[None, None] * 4 + 2  # the value is the x of the cell's centre
    turned = np.array([[40, 8], [40, 56], [24, 56], [24, 8]], np.float32)  # reads downwards
    edges = torch.from_numpy(turned[[0, 1]])[None], torch.from_numpy(turned[[3, 2]])[None]
    regions = sample_regions([ramp], torch.stack(edges, 1), torch.zeros(1).long(), 4, (4,))
    assert regions[0, 0, :, 0].tolist() == pytest.approx([38, 34, 30, 26])


def test_large_words_are_sampled_from_coarse_levels() -> None:
    levels = [torch.full((1, 1, 64 // s, 64 // s), float(s)) for s in STRIDES]
    heights = (16, 32, 64, 128, 256, 2000)
    boxes = [np.array([[[0, 0], [60, 0]], [[0, h], [60, h]]], np.float32) for h in heights]
    sampled = sample_regions(levels, torch.from_numpy(np.stack(boxes)), torch.zeros(6).long(), 8, STRIDES)
    assert sampled[:, 0, 0, 0].tolist() == [4, 4, 8, 16, 32, 32]
