"""Building blocks that more than one network uses."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stsearch.padding import pad_to_multiple


def dtype_of(module: nn.Module) -> torch.dtype:
    """Return the precision of the weights of ``module``, which inputs must have."""
    return next(module.parameters()).dtype


def pad_indices(count: int, multiple: int, device: torch.device) -> Tensor:
    """Return the (N,) int64 indices of ``count`` rows, padded to a multiple by repeating the first rows.

    oneDNN compiles for a second for every new shape.
    """
    return torch.arange(pad_to_multiple(count, multiple), device=device) % count


def normalise(images: Tensor, mean: Tensor, std: Tensor, dtype: torch.dtype) -> Tensor:
    """Normalise (B, C, H, W) ``images`` in [0, 255] by mean and std; channels last, in ``dtype``."""
    return ((images.float() - mean) / std).to(dtype, memory_format=torch.channels_last)


def conv_norm_relu(
    inputs: int, outputs: int, kernel: int = 3, stride: int | tuple[int, int] = 1
) -> nn.Sequential:
    """Return convolution, batch normalisation, ReLU; "same" padding."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class FeaturePyramid(nn.Module):
    """Bring C2..C5 to one width and add them from coarse to fine (FPN, Lin et al. 2017, section 3)."""

    def __init__(
        self, inputs: tuple[int, ...], channels: int, inner_channels: int = 0, joins_map: bool = False
    ) -> None:
        super().__init__()
        inner = inner_channels or channels
        self.lateral = nn.ModuleList(nn.Conv2d(width, inner, 1) for width in inputs)
        self.smooth = nn.ModuleList(conv_norm_relu(inner, channels) for _ in inputs)
        # A 1x1 convolution over C5 joined with the map is the sum of one over each: weights without the map
        # stay usable as a start.
        self.join = nn.Conv2d(1, inner, 1, bias=False) if joins_map else None

    def forward(self, stages: list[Tensor], text_map: Tensor | None = None) -> list[Tensor]:
        """Return P2..P5, each (B, C, H/stride, W/stride) at strides 4, 8, 16, 32.

        Args:
            stages: C2..C5.
            text_map: (B, H/32, W/32) in [0, 1], joined to C5 by a neck that was built for it.
        """
        maps = [lateral(stage) for lateral, stage in zip(self.lateral, stages, strict=True)]
        if self.join is not None and text_map is not None:
            maps[-1] = maps[-1] + self.join(text_map[:, None].to(maps[-1].dtype))
        for fine in range(len(maps) - 2, -1, -1):
            maps[fine] = maps[fine] + F.interpolate(
                maps[fine + 1], size=maps[fine].shape[-2:], mode="nearest"
            )
        return [smooth(level) for smooth, level in zip(self.smooth, maps, strict=True)]


def sample_regions(
    levels: list[Tensor], edges: Tensor, owner: Tensor, rows: int, strides: tuple[int, ...]
) -> Tensor:
    """Sample a grid of features along every polygon: rotated and curved words are rectified.

    Each region is sampled from the pyramid level whose stride is nearest to its cell height, so that small
    words keep their detail and large ones are not aliased.

    Args:
        levels: P2..P5, each (B, C, H/stride, W/stride).
        edges: (R, 2, K, 2) float32, upper and lower edge of each region in pixels of the input, reading
            direction.
        owner: (R,) int64, the image each region lies in.
        rows: rows of the grid; K is its number of columns.
        strides: pixels a cell, one a level.

    Returns:
        (R, C, rows, K).
    """
    heights = (edges[:, 0] - edges[:, 1]).norm(dim=-1).mean(dim=-1) / rows
    wanted = torch.log2(heights.clamp(min=1e-3) / strides[0]).round().long().clamp(0, len(levels) - 1)
    share = (torch.arange(rows, device=edges.device, dtype=edges.dtype) + 0.5) / rows
    grid = edges[:, None, 0] + share[None, :, None, None] * (
        edges[:, None, 1] - edges[:, None, 0]
    )  # (R, rows, K, 2)
    out = levels[0].new_zeros(len(edges), levels[0].shape[1], rows, edges.shape[2])
    for index, (level, stride) in enumerate(zip(levels, strides, strict=True)):
        members = (wanted == index).nonzero().flatten()
        if len(members):
            out[members] = _sample_level(level, grid[members], owner[members], stride)
    return out


def _sample_level(level: Tensor, grid: Tensor, owner: Tensor, stride: int) -> Tensor:
    """Sample (M, rows, K, 2) points from one (B, C, H, W) map in one call, an image's regions stacked."""
    images, channels, height, width = level.shape
    members, rows, columns, _ = grid.shape
    size = torch.tensor([width, height], device=grid.device, dtype=grid.dtype) * stride
    normalised = grid / size * 2 - 1
    counts = torch.bincount(owner, minlength=images)
    order = torch.argsort(owner, stable=True)
    first = torch.cumsum(counts, 0) - counts
    slot = torch.empty_like(owner)
    slot[order] = torch.arange(members, device=owner.device) - first[owner[order]]
    stacked = normalised.new_zeros(images, int(counts.max()), rows, columns, 2)
    stacked[owner, slot] = normalised
    sampled = F.grid_sample(
        level.float(), stacked.flatten(1, 2), mode="bilinear", padding_mode="border", align_corners=False
    )
    return sampled.view(images, channels, -1, rows, columns)[owner, :, slot].to(level.dtype)
