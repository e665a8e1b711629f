"""CLIP's ModifiedResNet, built by open_clip, as a feature extractor for whole scenes."""

from __future__ import annotations

from open_clip.modified_resnet import AttentionPool2d, Bottleneck, ModifiedResNet
from torch import Tensor, cat, nn
from torch.nn import functional as F

from stsearch.config import BackboneConfig


class ClipResNet(nn.Module):
    """The image tower of a CLIP ResNet (FastTCM, section 3.1)."""

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
        if config.strided_kernel:
            for layer in (self.trunk.layer2, self.trunk.layer3, self.trunk.layer4):
                _use_strided_conv(layer[0], config.strided_kernel)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return C2..C5 for (B, 3, H, W) normalised images; H and W are multiples of 32."""
        features = self.trunk.stem(images)
        stages = []
        for layer in (self.trunk.layer1, self.trunk.layer2, self.trunk.layer3, self.trunk.layer4):
            features = layer(features)
            stages.append(features)
        return stages

    def embed(self, c5: Tensor) -> tuple[Tensor, Tensor]:
        """Evaluate CLIP's attention pool at every position of C5 (FastTCM, section 3.1).

        Args:
            c5: (B, C, H/32, W/32).

        Returns:
            The dense embedding I, (B, D, H/32, W/32), and the pooled one, (B, D): what CLIP itself returns.
            Neither is normalised.

        Raises:
            ValueError: the tower was built without its attention pool.
        """
        if self.trunk.attnpool is None:
            raise ValueError("this backbone has no attention pool: set backbone.attention_pool")
        return _attend_everywhere(self.trunk.attnpool, c5)


def _use_strided_conv(block: Bottleneck, kernel: int) -> None:
    """Replace the 3x3 convolution of ``block``, and the pooling after it, by a convolution with stride 2."""
    channels = block.conv2.out_channels
    block.conv2 = nn.Conv2d(channels, channels, kernel, stride=2, padding=(kernel - 1) // 2, bias=False)
    block.avgpool = nn.Identity()


def _attend_everywhere(pool: AttentionPool2d, c5: Tensor) -> tuple[Tensor, Tensor]:
    height, width = c5.shape[2:]
    cells = c5.flatten(2).transpose(1, 2)
    tokens = cat([cells.mean(dim=1, keepdim=True), cells], dim=1) + _positions(pool, height, width).to(
        c5.dtype
    )

    def split_heads(projection: nn.Linear) -> Tensor:
        heads: Tensor = projection(tokens).unflatten(2, (pool.num_heads, -1))
        return heads.transpose(1, 2)

    attended = F.scaled_dot_product_attention(
        split_heads(pool.q_proj), split_heads(pool.k_proj), split_heads(pool.v_proj)
    )
    embedded = pool.c_proj(attended.transpose(1, 2).flatten(2))
    return embedded[:, 1:].transpose(1, 2).unflatten(2, (height, width)), embedded[:, 0]


def _positions(pool: AttentionPool2d, height: int, width: int) -> Tensor:
    """Return (1, 1 + height * width, C) position embeddings, the learned grid resized to any input."""
    mean, grid = pool.positional_embedding[:1], pool.positional_embedding[1:]
    side = round(len(grid) ** 0.5)
    if (height, width) != (side, side):
        square = grid.T.unflatten(1, (side, side))[None].float()
        resized = F.interpolate(square, size=(height, width), mode="bilinear", align_corners=False)
        grid = resized[0].flatten(1).T
    return cat([mean, grid])[None]
