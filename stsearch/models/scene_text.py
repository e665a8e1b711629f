"""The joint network: wires backbone, neck, detector, embedder and recognizer; the only place that does."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stsearch.config import STRIDES, ModelConfig
from stsearch.errors import UsageError
from stsearch.models.backbone import ClipResNet
from stsearch.models.close_up_map import CloseUpMap, build_close_up_map
from stsearch.models.detector import DbDetector, DetectionMaps
from stsearch.models.embedder import ImageEmbedder, RegionReadings, TextEmbedder
from stsearch.models.layers import FeaturePyramid, dtype_of, normalise, sample_regions
from stsearch.models.prompts import LanguageMatcher, build_matcher, freeze_prompt
from stsearch.models.recognizer import Recognizer, build_recognizer


@dataclass(frozen=True, slots=True, eq=False)
class SceneFeatures:
    """Inputs of the heads."""

    levels: list[Tensor]  # P2..P5
    text_map: Tensor | None = None  # (B, H/32, W/32) logits that a cell holds text; None without prompts


class SceneTextModel(nn.Module):
    """Detect words and embed them in the space of query strings (TDSL, section 3).

    With a matcher, language conditions the features (FastTCM, section 3). A recognizer, which reads crops of
    detected words (CLIP4STR), shares no parameters with the rest.
    """

    def __init__(  # noqa: PLR0913 - one argument a part
        self,
        config: ModelConfig,
        backbone: ClipResNet,
        neck: FeaturePyramid,
        detector: DbDetector,
        image_embedder: ImageEmbedder,
        text_embedder: TextEmbedder,
        matcher: LanguageMatcher | None = None,
        recognizer: Recognizer | None = None,
        close_up_map: CloseUpMap | None = None,
    ) -> None:
        super().__init__()
        self.config = config
        self.backbone = backbone
        self.neck = neck
        self.detector = detector
        self.image_embedder = image_embedder
        self.text_embedder = text_embedder
        self.matcher = matcher
        self.recognizer = recognizer
        self.close_up_map = close_up_map
        mean, std = (
            torch.tensor(values)[:, None, None] * 255
            for values in (config.backbone.mean, config.backbone.std)
        )
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    def stages(self, images: Tensor) -> list[Tensor]:
        """Return C2..C5 for (B, 3, H, W) images, RGB in [0, 255]; H and W are multiples of 32."""
        pixels = normalise(images, self.get_buffer("mean"), self.get_buffer("std"), dtype_of(self.backbone))
        stages: list[Tensor] = self.backbone(pixels)
        return stages

    def features(self, images: Tensor) -> SceneFeatures:
        """Return the inputs of the heads, for images as :meth:`stages` takes them."""
        stages = self.stages(images)
        if self.matcher is None:
            return SceneFeatures(self.neck(stages))
        text_map = self.matcher(*self.backbone.embed(stages[-1]))
        return SceneFeatures(self.neck(stages, text_map.sigmoid()), text_map)

    def detect(self, levels: list[Tensor]) -> DetectionMaps:
        """Return the detection maps of pyramid ``levels``."""
        maps: DetectionMaps = self.detector(levels[0])
        return maps

    def map_close_ups(self, levels: list[Tensor], maps: DetectionMaps) -> Tensor:
        """Return (B, S, H/32, W/32) logits: that a cell needs a close-up in each of S sizes or a larger one.

        Raises:
            ValueError: the model was built without close-ups.
        """
        if self.close_up_map is None:
            raise ValueError("this model has no close-up map: set close_ups")
        logits: Tensor = self.close_up_map(levels, maps.probability)
        return logits

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
    """Build the network of ``config`` with random weights.

    Raises:
        UsageError: it has prompts and no attention pool, whose embeddings they meet.
    """
    if config.prompts is not None and not config.backbone.attention_pool:
        raise UsageError(f"model {config.name}: prompts need backbone.attention_pool = true")
    backbone = ClipResNet(config.backbone)
    prompts = config.prompts
    return SceneTextModel(
        config,
        backbone,
        FeaturePyramid(
            backbone.channels, config.neck_channels, config.neck_inner_channels, joins_map=prompts is not None
        ),
        DbDetector(config.neck_channels, config.detector),
        ImageEmbedder(config.neck_channels, config.embedder),
        TextEmbedder(config.embedder),
        build_matcher(prompts, config.backbone.output_dim) if prompts is not None else None,
        build_recognizer(config.recognizer) if config.recognizer is not None else None,
        build_close_up_map(config.close_ups, config.neck_channels) if config.close_ups is not None else None,
    ).to(memory_format=torch.channels_last)


def freeze_prompts(model: SceneTextModel) -> None:
    """Replace the text sides of ``model`` by their outputs; predictions stay the same.

    Nothing changes where there is no text side, or where the prompt is conditioned on the image (TCM).
    """
    config = model.config
    if model.matcher is not None and config.prompts is not None and config.prompts.query != "image":
        model.matcher.prompt = freeze_prompt(model.matcher.prompt)
        config = dataclasses.replace(config, prompts=dataclasses.replace(config.prompts, frozen=True))
    if model.close_up_map is not None and config.close_ups is not None:
        model.close_up_map.prompt = freeze_prompt(model.close_up_map.prompt)
        config = dataclasses.replace(config, close_ups=dataclasses.replace(config.close_ups, frozen=True))
    model.config = config
