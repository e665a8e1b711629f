"""The text detector: a differentiable-binarization head over the finest pyramid level."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stsearch.config import DetectorConfig
from stsearch.models.layers import conv_norm_relu


@dataclass(frozen=True, slots=True, eq=False)
class DetectionMaps:
    """Output maps of the detector; logits, so that losses stay stable in low precision."""

    probability: Tensor  # (B, H/stride, W/stride) logits of the shrunken kernels
    threshold: Tensor | None  # the same shape; training only


class DbDetector(nn.Module):
    """Probability and threshold maps (DB, Liao et al. 2020, section 3)."""

    def __init__(self, inputs: int, config: DetectorConfig) -> None:
        super().__init__()
        self.upsamplings = {4: 0, 2: 1, 1: 2}[config.stride]
        self.probability = self._branch(inputs, config)
        self.threshold = self._branch(inputs, config)
        nn.init.constant_(
            self.probability[-1].get_parameter("bias"), -2.0
        )  # text is rare: start near the prior

    def _branch(self, inputs: int, config: DetectorConfig) -> nn.Sequential:
        channels, squeezed = config.channels, config.squeezed_channels
        layers: list[nn.Module] = [nn.Conv2d(inputs, squeezed, 1)] if squeezed else []
        layers.append(conv_norm_relu(squeezed or inputs, channels))
        for _ in range(self.upsamplings):
            layers += [
                nn.ConvTranspose2d(channels, channels, 2, 2, bias=False),
                nn.BatchNorm2d(channels),
                nn.ReLU(True),
            ]
        return nn.Sequential(*layers, nn.Conv2d(channels, 1, 1))

    def forward(self, finest: Tensor) -> DetectionMaps:
        """Return the maps for P2, (B, C, H/4, W/4)."""
        probability = self.probability(finest).squeeze(1)
        threshold = self.threshold(finest).squeeze(1) if self.training else None
        return DetectionMaps(probability, threshold)


def binary_map(maps: DetectionMaps, amplification: float) -> Tensor:
    """Return the approximate binary map 1 / (1 + exp(-k (P - T))), DB equation 2."""
    if maps.threshold is None:
        raise ValueError("the threshold map exists in training only")
    return torch.sigmoid(
        amplification * (maps.probability.float().sigmoid() - maps.threshold.float().sigmoid())
    )
