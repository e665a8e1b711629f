"""The networks that can be trained by name, and the stages that train them; a TOML file may overlay them."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path

from stsearch.config import (
    BackboneConfig,
    BinarizationThresholds,
    Canvas,
    CloseUpConfig,
    DetectorConfig,
    EmbedderConfig,
    LossWeights,
    ModelConfig,
    Preset,
    PromptConfig,
    ProposalConfig,
    RecognizerConfig,
    StageConfig,
    TextTowerConfig,
)
from stsearch.dataclass_io import overlay
from stsearch.errors import UsageError

_CONTRAST = StageConfig(
    "contrast",
    canvases=(Canvas("words", 32, 128, batch=128),),
    steps=3_000,
    crop_share=0.15,
    weights=LossWeights(contrastive=1.0),
)
_WORDS = StageConfig(
    "words",
    canvases=(
        Canvas("words", 32, 128, batch=96, share=0.75),
        Canvas("words", 64, 256, batch=24, share=0.2),
        Canvas("words", 128, 512, batch=6, share=0.05),
    ),
    steps=12_000,
    learning_rate=2e-3,
    crop_share=0.15,
    weights=LossWeights(probability=1.5, threshold=2.0, binary=0.3),
    validate_stride=3,
    validates_detection=False,
)
_SCENES = StageConfig(
    "scenes",
    canvases=(
        Canvas("words", 32, 128, batch=96, share=0.7),
        Canvas("words", 64, 256, batch=24, share=0.2),
        Canvas("words", 128, 512, batch=6, share=0.05),
        Canvas("scenes", 384, 384, batch=6, share=0.9),
        Canvas("scenes", 640, 640, batch=2, share=0.6),
    ),
    steps=12_000,
    learning_rate=1.2e-3,
    real_share=0.45,
    difficulty=(0.3, 0.9),
    freeze_norms=True,
    validate_stride=5,
)
_CLOSE_UPS = StageConfig(
    "close_ups",
    canvases=(Canvas("coarse", 640, 640, batch=8),),
    steps=400,
    learning_rate=3e-3,
    real_share=1.0,
    weights=LossWeights(probability=0.0, similarity=0.0, ctc=0.0, matching=0.0, close_ups=1.0),
    part="close_up_map",
    ema_decay=0.99,
)
_READ = StageConfig(
    "read",
    canvases=(Canvas("crops", 32, 128, batch=128),),
    steps=20_000,
    learning_rate=1.2e-3,
    warmup_steps=300,
    real_share=0.15,
    crop_share=0.25,
    jitter=0.05,
    clip_norm=5.0,
    ema_decay=0.999,
    validate_every=1_000,
)
_SPELL = StageConfig(
    "spell",
    canvases=(Canvas("strings", 0, 0, batch=256),),
    steps=4_000,
    learning_rate=4e-3,
    warmup_steps=100,
    crop_share=0.15,
    weights=LossWeights(plm=0.0, recognizer_ctc=0.0, orientation=0.0, character_lm=1.0),
    weight_decay=0.01,
    clip_norm=1.0,
    validate_every=1_000,
)
_CR50 = ModelConfig(
    name="cr50",
    backbone=BackboneConfig(
        "RN50", layers=(3, 4, 6, 3), width=64, output_dim=1024, heads=32, attention_pool=True
    ),
    prompts=PromptConfig(
        TextTowerConfig("clip", 49_408, context_length=77, width=512, heads=8, layers=12, quick_gelu=True),
        visual_width=256,
    ),
    neck_channels=256,
    detector=DetectorConfig(channels=64),
    embedder=EmbedderConfig(
        region=(4, 15), channels=(256, 256), hidden=256, frames=15, frame_dim=128, character_dim=256
    ),
    recognizer=RecognizerConfig(
        "ViT-B-16",
        size=(224, 224),
        patch=(16, 16),
        stem=(),
        width=768,
        layers=12,
        heads=12,
        output_dim=512,
        text=TextTowerConfig(
            "clip", 49_408, context_length=16, width=512, heads=8, layers=12, quick_gelu=True
        ),
        frozen_text_layers=6,
    ),
)

# Thresholds, sizes and margin were chosen on the validation photographs (weights/README.md); the cross-modal
# branch does not improve the figures yet.
_TINY = ModelConfig(
    backbone=BackboneConfig(strided_kernel=4),
    neck_inner_channels=24,
    detector=DetectorConfig(
        squeezed_channels=16,
        binarization=(
            BinarizationThresholds(0.78, 0.84, 2.3),
            BinarizationThresholds(0.95, 0.96, 3.0),
            BinarizationThresholds(0.6, 0.75, 2.0),
            BinarizationThresholds(0.9, 0.94, 2.7),
            BinarizationThresholds(0.4, 0.6, 1.7),
            BinarizationThresholds(0.2, 0.4, 1.5),
        ),
    ),
    proposals=ProposalConfig(min_proposal_confidence=0.3, min_reading_confidence=0.5),
    close_ups=CloseUpConfig(),
    scales=(0.5, 0.3),
    recognizer=RecognizerConfig(margin=0.2, cross_modal=False, character_lm=256),
    transcript_weight=0.75,
)

PRESETS: dict[str, Preset] = {
    "tiny": Preset(_TINY, (_CONTRAST, _WORDS, _SCENES, _CLOSE_UPS, _SPELL, _READ)),
    "cr50": Preset(  # towers start from CLIP: a low rate for the image tower, a frozen text tower
        _CR50,
        (
            dataclasses.replace(_WORDS, learning_rate=3e-4, backbone_rate=0.1, text_rate=0.0),
            dataclasses.replace(_SCENES, learning_rate=1e-4, backbone_rate=0.1, text_rate=0.0),
            dataclasses.replace(  # the paper's rates for a batch of 256: 19 times as high for decoders
                _READ,
                canvases=(Canvas("crops", 224, 224, batch=256),),
                learning_rate=8e-4,
                backbone_rate=1 / 19,
                text_rate=1 / 19,
                weight_decay=0.2,
                clip_norm=20.0,
            ),
        ),
    ),
}


def load_preset(name: str, path: Path | None = None) -> Preset:
    """Return the preset ``name``, overlaid with the TOML file ``path`` if one is given.

    In the file, ``[model]`` changes the model and ``[stages.NAME]`` the stage of that name.

    Raises:
        UsageError: no such preset; the file is missing, not TOML, or holds an unknown name.
    """
    if name not in PRESETS:
        raise UsageError(f"no preset {name!r}; choose from {', '.join(sorted(PRESETS))}")
    preset = PRESETS[name]
    if path is None:
        return preset
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from error
    stage_values = values.pop("stages", {})
    model = overlay(preset.model, values.pop("model", {}), f"{path}: model")
    unknown = sorted(values) + sorted(set(stage_values) - {s.name for s in preset.stages})
    if unknown:
        names = ", ".join(s.name for s in preset.stages)
        raise UsageError(
            f"{path}: unknown {', '.join(unknown)}; known are model and stages.NAME with NAME of {names}"
        )
    stages = tuple(
        overlay(s, stage_values.get(s.name, {}), f"{path}: stages.{s.name}") for s in preset.stages
    )
    return Preset(model, stages)


def select_stages(preset: Preset, name: str) -> list[StageConfig]:
    """Return the stages of ``preset`` called ``name``; ``all``: every stage that the model has the parts for.

    Raises:
        UsageError: there is no such stage.
    """
    if name == "all":
        return [stage for stage in preset.stages if _has_parts(preset.model, stage)]
    chosen = [stage for stage in preset.stages if stage.name == name]
    if not chosen:
        names = ", ".join(stage.name for stage in preset.stages)
        raise UsageError(f"preset {preset.model.name} has no stage {name!r}; choose from all, {names}")
    return chosen


def _has_parts(model: ModelConfig, stage: StageConfig) -> bool:
    recognizer = model.recognizer
    return (
        (model.prompts is not None or not stage.weights.contrastive)
        and (model.close_ups is not None or not stage.weights.close_ups)
        and (recognizer is not None or not stage.reads_crops)
        and (bool(recognizer and recognizer.character_lm) or not stage.weights.character_lm)
    )
