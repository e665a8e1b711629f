"""CLIP's ModifiedResNet, built by open_clip, as a feature extractor for whole scenes."""

from __future__ import annotations

from open_clip.modified_resnet import ModifiedResNet
from torch import Tensor, nn

from stsearch.config import BackboneConfig

STRIDES = (4, 8, 16, 32)
"""Pixels a cell of C2, C3, C4, C5."""


class ClipResNet(nn.Module):
    """The convolutional stages of a CLIP ResNet (FastTCM, section 3.1)."""

    def __init__(self, config: BackboneConfig) -> None:
        super().__init__()
        self.channels = tuple(config.width * factor for factor in (4, 8, 16, 32))
        self.trunk = ModifiedResNet(
            layers=list(config.layers),
            output_dim=config.output_dim,
            heads=config.heads,
            image_size=config.input_size,
            width=config.width,
        )
        if not config.attention_pool:
            self.trunk.attnpool = None

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return C2..C5 for (B, 3, H, W) normalised images; H and W are multiples of 32."""
        features = self.trunk.stem(images)
        stages = []
        for layer in (self.trunk.layer1, self.trunk.layer2, self.trunk.layer3, self.trunk.layer4):
            features = layer(features)
            stages.append(features)
        return stages
