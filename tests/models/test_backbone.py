"""CLIP's attention pool, asked from every position, against open_clip's own."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from open_clip.modified_resnet import AttentionPool2d, ModifiedResNet
from prompt_fixtures import DIM, POOLED, make_backbone, random_images
from torch import nn

from stsearch.config import STRIDES, BackboneConfig
from stsearch.models.backbone import ClipResNet
from stsearch.training.presets import PRESETS


@pytest.mark.parametrize(
    ("config", "count"),
    [
        pytest.param(POOLED, 2, id="micro"),
        pytest.param(PRESETS["cr50"].model.backbone, 1, id="RN50", marks=pytest.mark.slow),
    ],
)
def test_the_pooled_embedding_is_what_open_clip_returns(config: BackboneConfig, count: int) -> None:
    backbone, images = make_backbone(config), random_images(count, 224, 224) / 128 - 1
    with torch.inference_mode():
        _, pooled = backbone.embed(backbone(images)[-1])
        own = backbone.trunk(images)
        assert (own - backbone.trunk(-images)).abs().max() > 1e-2  # it depends on the image
    assert pooled.numpy() == pytest.approx(own.numpy(), abs=1e-5)


@pytest.mark.parametrize("size", [(64, 128), (224, 224), (256, 96)])
def test_the_dense_embedding_has_a_vector_a_cell_of_c5(size: tuple[int, int]) -> None:
    backbone = make_backbone(POOLED)
    with torch.inference_mode():
        dense, pooled = backbone.embed(backbone(random_images(2, *size))[-1])
    assert dense.shape == (2, DIM, size[0] // 32, size[1] // 32)
    assert pooled.shape == (2, DIM)


def test_the_dense_embedding_is_the_pools_attention_asked_from_every_cell() -> None:
    backbone = make_backbone(POOLED)
    pool = backbone.trunk.attnpool
    nn.init.zeros_(pool.positional_embedding)
    c5 = torch.randn(1, 256, 2, 3)
    cells = c5[0].reshape(256, 6).T
    tokens = torch.cat([cells.mean(dim=0, keepdim=True), cells])[:, None]
    projections = (pool.q_proj, pool.k_proj, pool.v_proj)
    biases = torch.cat([projection.bias for projection in projections])
    weights = dict(
        zip(("q_proj_weight", "k_proj_weight", "v_proj_weight"), (p.weight for p in projections), strict=True)
    )
    with torch.inference_mode():
        own, _ = nn.functional.multi_head_attention_forward(
            *(tokens, tokens, tokens, 256, pool.num_heads, None, biases, None, None, False, 0.0),
            pool.c_proj.weight,
            pool.c_proj.bias,
            training=False,
            need_weights=False,
            use_separate_proj_weight=True,
            **weights,
        )
        dense, _ = backbone.embed(c5)
    for cell in range(6):
        assert dense[0, :, cell // 3, cell % 3].numpy() == pytest.approx(own[1 + cell, 0].numpy(), abs=1e-5)


def test_another_size_pools_as_open_clip_does_with_positions_resized() -> None:
    backbone = make_backbone(POOLED)
    pool, larger = backbone.trunk.attnpool, AttentionPool2d(14, 256, 4, DIM)
    grid = pool.positional_embedding[1:].T.reshape(1, 256, 7, 7)
    resized = nn.functional.interpolate(grid, scale_factor=2, mode="bilinear")[0].reshape(256, 196).T
    positions = torch.cat([pool.positional_embedding[:1], resized])
    larger.load_state_dict(pool.state_dict() | {"positional_embedding": positions})
    with torch.inference_mode():
        c5 = backbone(random_images(2, 448, 448) / 128 - 1)[-1]
        assert backbone.embed(c5)[1].numpy() == pytest.approx(larger(c5).numpy(), abs=1e-5)


def test_positions_of_columns_stay_with_columns_when_resized() -> None:
    backbone = make_backbone(POOLED)
    with torch.inference_mode():
        columns = torch.randn(7, 256)
        backbone.trunk.attnpool.positional_embedding[1:] = columns.repeat(7, 1)  # the same in every row
        dense, _ = backbone.embed(torch.zeros(1, 256, 3, 5))
    assert (dense - dense[:, :, :1]).abs().max() < 1e-5
    assert (dense - dense[:, :, :, :1]).abs().max() > 1e-2


def test_embedding_without_attention_pool_is_refused() -> None:
    backbone = ClipResNet(dataclasses.replace(POOLED, attention_pool=False))
    with pytest.raises(ValueError, match=r"backbone\.attention_pool"):
        backbone.embed(torch.zeros(1, 256, 2, 2))


@pytest.mark.parametrize("kernel", [3, 4])
@pytest.mark.parametrize("size", [(64, 128), (96, 224)])
def test_strided_convolutions_keep_the_strides_of_the_stages(kernel: int, size: tuple[int, int]) -> None:
    backbone = make_backbone(dataclasses.replace(POOLED, strided_kernel=kernel))
    with torch.inference_mode():
        stages = backbone(random_images(2, *size) / 128 - 1)
    shapes = [(2, c, size[0] // s, size[1] // s) for c, s in zip(backbone.channels, STRIDES, strict=True)]
    assert [tuple(stage.shape) for stage in stages] == shapes


def test_a_strided_convolution_of_4x4_can_be_3x3_and_average_pooling() -> None:
    pooled = make_backbone(POOLED).trunk.layer2[0]
    strided = ClipResNet(dataclasses.replace(POOLED, strided_kernel=4)).trunk.layer2[0].eval()
    state = pooled.state_dict()
    shifts = [nn.functional.pad(state["conv2.weight"], (x, 1 - x, y, 1 - y)) for x in (0, 1) for y in (0, 1)]
    state["conv2.weight"] = torch.stack(shifts).mean(dim=0)
    strided.load_state_dict(state)
    with torch.inference_mode():
        for block in (pooled, strided):
            block.act2 = nn.Identity()  # without the rectifier between them both are linear
        features = torch.rand(1, 32, 16, 24)
        assert strided(features).numpy() == pytest.approx(pooled(features).numpy(), abs=1e-4)


def test_without_strided_convolutions_the_tower_is_open_clip_s() -> None:
    backbone = make_backbone(POOLED)
    own = ModifiedResNet(list(POOLED.layers), DIM, POOLED.heads, POOLED.input_size, POOLED.width).eval()
    own.load_state_dict(backbone.trunk.state_dict())
    images = random_images(1, 224, 224) / 128 - 1
    with torch.inference_mode():
        assert torch.equal(backbone.trunk(images), own(images))
