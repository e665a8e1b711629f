"""CLIP's vision transformer, built by open_clip, with all tokens and an optional convolutional stem."""

from __future__ import annotations

import math

import torch
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import Tensor, nn

from stsearch.config import RecognizerConfig
from stsearch.models.layers import conv_norm_relu


class VisionTower(nn.Module):
    """Word crops -> tokens, all of them normalised and projected (CLIP4STR, section 3.2)."""

    def __init__(self, config: RecognizerConfig) -> None:
        super().__init__()
        self.tower = VisionTransformer(
            image_size=config.size,
            patch_size=config.patch,
            width=config.width,
            layers=config.layers,
            heads=config.heads,
            mlp_ratio=4.0,
            output_dim=config.output_dim,
            act_layer=QuickGELU if config.text.quick_gelu else nn.GELU,
        )
        if config.stem:
            self.tower.conv1 = _stem(config)
        self.rows = config.size[0] // config.patch[0]

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, 1 + N, D) tokens of (B, 3, H, W) normalised images: the class token, then row by row."""
        patches = self.tower.conv1(images).flatten(2).transpose(1, 2)
        first = self.tower.class_embedding.to(patches.dtype).expand(patches.shape[0], 1, -1)
        tokens = torch.cat([first, patches], dim=1) + self.tower.positional_embedding.to(patches.dtype)
        tokens = self.tower.transformer(self.tower.ln_pre(tokens))
        projected: Tensor = self.tower.ln_post(tokens) @ self.tower.proj
        return projected

    def pool_columns(self, tokens: Tensor) -> Tensor:
        """Return (B, K, D), the mean of each column of patches, for tokens of :meth:`forward`."""
        patches = tokens[:, 1:]
        return patches.view(patches.shape[0], self.rows, -1, patches.shape[2]).mean(dim=1)


def _stem(config: RecognizerConfig) -> nn.Sequential:
    """Return 3x3 convolutions of stride 2 within a patch, then a convolution over the rest of the patch."""
    inputs, (height, width) = 3, config.patch
    layers: list[nn.Module] = []
    for outputs in config.stem:
        stride = (math.gcd(height, 2), math.gcd(width, 2))
        layers.append(conv_norm_relu(inputs, outputs, stride=stride))
        inputs, height, width = outputs, height // stride[0], width // stride[1]
    layers.append(nn.Conv2d(inputs, config.width, (height, width), (height, width), bias=False))
    return nn.Sequential(*layers)
