"""Networks with language prompts, small and lively, that the tests of prompts share."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor, nn

from stsearch.config import BackboneConfig, ModelConfig, PromptConfig, TextTowerConfig
from stsearch.models.backbone import ClipResNet
from stsearch.models.scene_text import SceneTextModel, build_model

DIM = 32
POOLED = BackboneConfig(layers=(1, 1, 1, 1), width=8, heads=4, output_dim=DIM, attention_pool=True)
PROMPTS = PromptConfig(
    TextTowerConfig(width=16, heads=2, layers=2), visual_layers=2, visual_width=16, visual_heads=2
)
QUERIES = ("meta", "image", "none")


def random_images(count: int, height: int, width: int) -> Tensor:
    """Return images that differ in colour and pattern, not in noise alone."""
    generator = torch.Generator().manual_seed(1)
    coarse = torch.rand(count, 3, height // 16, width // 16, generator=generator)
    return nn.functional.interpolate(coarse, size=(height, width), mode="bilinear") * 255


def enliven(model: nn.Module, backbone: ClipResNet) -> None:
    """Give norms measured statistics and weights that are not 1 or 0.

    CLIP starts residual branches at zero and random statistics let the image fade: both hide differences.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5)
        nn.init.uniform_(norm.bias, -0.3, 0.3)
        norm.momentum = None
    backbone.train()
    with torch.no_grad():
        backbone(random_images(4, 64, 64) / 128 - 1)
    model.eval()


def make_backbone(config: BackboneConfig) -> ClipResNet:
    torch.manual_seed(0)
    backbone = ClipResNet(config)
    enliven(backbone, backbone)
    return backbone


def make_model(config: ModelConfig, query: str = "meta") -> SceneTextModel:
    torch.manual_seed(0)
    prompts = dataclasses.replace(PROMPTS, query=query)
    model = build_model(dataclasses.replace(config, backbone=POOLED, prompts=prompts))
    enliven(model, model.backbone)
    return model


def outputs(model: SceneTextModel, images: Tensor) -> list[Tensor]:
    with torch.inference_mode():
        features = model.features(images)
        assert features.text_map is not None
        return [*features.levels, model.detect(features.levels).probability, features.text_map]


def difference(left: list[Tensor], right: list[Tensor]) -> float:
    return max(float((a - b).abs().max()) for a, b in zip(left, right, strict=True))
