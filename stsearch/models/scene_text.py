"""The joint network: wires backbone, neck, detector and embedder; the only place that builds them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stsearch.config import ModelConfig
from stsearch.models.backbone import STRIDES, ClipResNet
from stsearch.models.detector import DbDetector, DetectionMaps
from stsearch.models.embedder import ImageEmbedder, RegionReadings, TextEmbedder
from stsearch.models.layers import FeaturePyramid, sample_regions


class SceneTextModel(nn.Module):
    """Detect words and embed them in the space of query strings (TDSL, section 3)."""

    def __init__(
        self,
        config: ModelConfig,
        backbone: ClipResNet,
        neck: FeaturePyramid,
        detector: DbDetector,
        image_embedder: ImageEmbedder,
        text_embedder: TextEmbedder,
    ) -> None:
        super().__init__()
        self.config = config
        self.backbone = backbone
        self.neck = neck
        self.detector = detector
        self.image_embedder = image_embedder
        self.text_embedder = text_embedder
        mean, std = (
            torch.tensor(values)[:, None, None] * 255
            for values in (config.backbone.mean, config.backbone.std)
        )
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    def features(self, images: Tensor) -> list[Tensor]:
        """Return P2..P5 for (B, 3, H, W) images, RGB in [0, 255]; H and W are multiples of 32."""
        normalised = (images.float() - self.get_buffer("mean")) / self.get_buffer("std")
        levels: list[Tensor] = self.neck(
            self.backbone(normalised.contiguous(memory_format=torch.channels_last))
        )
        return levels

    def detect(self, levels: list[Tensor]) -> DetectionMaps:
        """Return the detection maps of pyramid ``levels``."""
        maps: DetectionMaps = self.detector(levels[0])
        return maps

    def read_regions(self, levels: list[Tensor], edges: Tensor, owner: Tensor) -> RegionReadings:
        """Embed and read regions.

        Args:
            levels: P2..P5 of B images.
            edges: (R, 2, K, 2) float32 pixels of the input, K the configured number of columns.
            owner: (R,) int64 in [0, B).
        """
        rows, _ = self.config.embedder.region
        readings: RegionReadings = self.image_embedder(sample_regions(levels, edges, owner, rows, STRIDES))
        return readings

    def embed_words(self, words: list[list[int]]) -> Tensor:
        """Return (N, D) unit rows for words given as character classes."""
        embeddings: Tensor = self.text_embedder(words)
        return embeddings


def build_model(config: ModelConfig) -> SceneTextModel:
    """Build the network of ``config`` with random weights."""
    backbone = ClipResNet(config.backbone)
    return SceneTextModel(
        config,
        backbone,
        FeaturePyramid(backbone.channels, config.neck_channels),
        DbDetector(config.neck_channels, config.detector),
        ImageEmbedder(config.neck_channels, config.embedder),
        TextEmbedder(config.embedder),
    ).to(memory_format=torch.channels_last)
