"""Where an image needs a closer look: FastTCM's instance-language matching, with a prompt for each size."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stsearch.config import CloseUpConfig, PromptConfig
from stsearch.errors import UsageError
from stsearch.models.layers import conv_norm_relu
from stsearch.models.prompts import FrozenPrompt, TextPrompt, check_prompts, match_cells

_LEVELS = 4  # P2..P5


class CloseUpMap(nn.Module):
    """Match every cell of an image with what is said of its text: small, very small, tiny.

    The dense embedding comes from all levels of the pyramid and the detector's probability map, pooled to the
    coarsest stride: the finest levels alone still show small text, and maxima keep it.
    """

    def __init__(self, config: CloseUpConfig, prompt: TextPrompt | FrozenPrompt, channels: int) -> None:
        """Take the prompt of all phrases, and the ``channels`` of a level of the pyramid."""
        super().__init__()
        self.temperature = config.temperature
        inputs = 2 * (_LEVELS * channels + 1)  # means and maxima
        self.embed = nn.Sequential(
            conv_norm_relu(inputs, config.hidden, 1),
            nn.Conv2d(config.hidden, config.dim, 3, padding=1),
        )
        self.prompt = prompt
        self.bias = nn.Parameter(torch.zeros(len(config.phrases)))

    def forward(self, levels: list[Tensor], probability: Tensor) -> Tensor:
        """Return (B, S, H/32, W/32) logits: that a cell holds text for which each of S sizes is small enough.

        Args:
            levels: P2..P5, each (B, C, H/stride, W/stride).
            probability: (B, H/stride, W/stride) logits of the detector.
        """
        return self.match(pool_features(levels, probability))

    def match(self, pooled: Tensor) -> Tensor:
        """Return the logits of :meth:`forward` for what :func:`pool_features` returned."""
        dense = self.embed(pooled)
        texts = self.prompt(dense.mean(dim=(2, 3)))
        return match_cells(dense, texts[None], self.temperature) + self.bias[:, None, None]


def pool_features(levels: list[Tensor], probability: Tensor) -> Tensor:
    """Return (B, 2 (4 C + 1), H/32, W/32): means and maxima over each cell, of the arguments of the map."""
    maps = [*levels, probability.sigmoid().to(levels[0].dtype)[:, None]]
    cells = [int(each.shape[-1]) // int(levels[-1].shape[-1]) for each in maps]
    means = [F.avg_pool2d(each, side) for each, side in zip(maps, cells, strict=True)]
    maxima = [F.max_pool2d(each, side) for each, side in zip(maps, cells, strict=True)]
    return torch.cat([*means, *maxima], dim=1)


def build_close_up_map(config: CloseUpConfig, channels: int) -> CloseUpMap:
    """Build the map of ``config`` with random weights; ``channels`` are those of the pyramid.

    Raises:
        UsageError: the sizes, phrases, heights and thresholds are not as many as each other, or a phrase is
            longer than the context of the text tower.
    """
    counts = {len(config.sizes), len(config.phrases), len(config.heights), len(config.thresholds)}
    if len(counts) > 1 or not config.sizes:
        raise UsageError("close_ups need as many phrases, heights and thresholds as sizes, and at least one")
    prompts = PromptConfig(config.text, context_vectors=config.context_vectors)
    check_prompts(prompts, config.phrases)
    count = len(config.phrases)
    prompt = (
        FrozenPrompt(config.dim, count) if config.frozen else TextPrompt(prompts, config.dim, config.phrases)
    )
    return CloseUpMap(config, prompt, channels)
