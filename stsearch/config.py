"""Every hyper-parameter, as frozen dataclasses with strict conversion from and to plain dictionaries.

The model part travels in the card beside the weights; the training part is a preset that a TOML file may
overlay. Nothing here knows about files of weights or datasets.
"""

from __future__ import annotations

import dataclasses
import tomllib
import types
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from stsearch.charset import ALPHANUMERIC
from stsearch.errors import UsageError

T = TypeVar("T")


@dataclass(frozen=True)
class BackboneConfig:
    """A CLIP ModifiedResNet, as open_clip builds it."""

    clip_name: str = ""  # open_clip's name of the model these numbers are; empty: no public weights fit

    layers: tuple[int, ...] = (2, 2, 3, 2)  # bottlenecks a stage
    width: int = 32  # channels of the stem; C2..C5 have 4, 8, 16 and 32 times as many
    input_size: int = 224  # pixels a side the attention pool's position table is made for
    output_dim: int = 256  # of the pooled embedding
    heads: int = 8  # of the attention pool
    attention_pool: bool = False  # carried only where something reads the pooled embedding
    mean: tuple[float, ...] = (0.481, 0.458, 0.408)  # of the input, RGB in [0, 1]; CLIP's own
    std: tuple[float, ...] = (0.269, 0.261, 0.276)


@dataclass(frozen=True)
class TextTowerConfig:
    """A CLIP text transformer, as open_clip builds it."""

    tokenizer: str = "bytes"  # bytes: 256 values, start, end; clip: the byte pairs of CLIP
    vocab_size: int = 258
    context_length: int = 96  # tokens, the longest prompt with its learned vectors
    width: int = 128
    heads: int = 4
    layers: int = 3
    quick_gelu: bool = False  # what OpenAI's weights were trained with


@dataclass(frozen=True)
class PromptConfig:
    """How language conditions the detector (TCM and FastTCM)."""

    text: TextTowerConfig = field(default_factory=TextTowerConfig)
    phrase: str = "the pixels of many arbitrary-shape text instances."  # the predefined prompt
    context_vectors: int = 4  # learned tokens after the start; 18 and 32 in the paper's ablation
    # What the language prompt generator asks: "meta", a learned vector (FastTCM); "image", the pooled
    # embedding (TCM); "none", no generator.
    query: str = "meta"
    bimodal: bool = True  # bimodal similarity matching
    visual_layers: int = 3  # of the visual prompt generator; 0: none
    visual_width: int = 128
    visual_heads: int = 4
    dropout: float = 0.1
    temperature: float = 0.07
    frozen: bool = False  # the text side of trained weights is one vector, without the tower that made it


@dataclass(frozen=True)
class DetectorConfig:
    """A DB head (Liao et al., AAAI 2020) and its post-processing."""

    channels: int = 32  # inside the head
    stride: int = 2  # pixels a cell of the probability map
    amplification: float = 50.0  # k of the differentiable step function
    shrink_ratio: float = 0.4  # r of the shrunken kernel
    min_size: float = 4.0  # pixels; a smaller kernel is no training target, a smaller box no detection
    binarize_threshold: float = 0.3  # of the probability map
    score_threshold: float = 0.5  # of a region's mean probability
    unclip_ratio: float = 1.7  # undoes the shrinking
    max_regions: int = 300  # a photograph


@dataclass(frozen=True)
class EmbedderConfig:
    """The two sequence embeddings of TDSL (section 3.2)."""

    region: tuple[int, int] = (8, 32)  # (rows, columns) sampled along a polygon
    margin: float = 0.12  # of the word's height, added around it before sampling
    channels: tuple[int, ...] = (96, 160, 224)  # of the convolutions that fold the rows away
    hidden: int = 128  # of each direction of the LSTM
    frames: int = 16  # T
    frame_dim: int = 32  # C; an embedding has T * C numbers
    characters: str = ALPHANUMERIC  # class order; 0 is the CTC blank
    character_dim: int = 128  # of a character's embedding


@dataclass(frozen=True)
class ModelConfig:
    """The joint network: backbone, prompts, neck, detector, embedder."""

    name: str = "tiny"
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    prompts: PromptConfig | None = None  # needs the backbone's attention pool
    neck_channels: int = 64
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    embedder: EmbedderConfig = field(default_factory=EmbedderConfig)
    longer_side: int = 1280  # pixels a photograph is read at
    # It is read at each of these times that size: huge words are found where they are small.
    scales: tuple[float, ...] = (1.0,)
    fusion: float = 0.5  # share of the transcript's edit similarity in the ranking, chosen on validation


@dataclass(frozen=True)
class LossWeights:
    """What each term counts; 0 switches it off."""

    probability: float = 3.0  # of the shrink map
    threshold: float = 4.0
    binary: float = 1.0
    similarity: float = 3.0  # each of the three TDSL terms
    ctc: float = 5.0  # with less, the detection terms drown it and reading starts late (weights/README.md)
    matching: float = 1.0  # of the instance-language map; counts where the model has prompts
    contrastive: float = 0.0  # between word pictures and their strings


@dataclass(frozen=True)
class Canvas:
    """A training image size and how often it is drawn."""

    source: str  # "words": one word in its surroundings; "scenes": whole scenes
    height: int
    width: int
    batch: int  # images a step
    share: float = 1.0  # relative frequency of such batches


@dataclass(frozen=True)
class StageConfig:
    """One stage of training: what is rendered, how much is real, which losses are on."""

    name: str
    canvases: tuple[Canvas, ...]
    steps: int
    learning_rate: float = 1.5e-3
    warmup_steps: int = 60
    real_share: float = 0.15  # of the samples, cut from real training photographs
    crop_share: float = 0.1  # of the samples on word canvases, real word crops (transcripts only)
    difficulty: tuple[float, float] = (0.5, 1.0)  # of rendered scenes, first and last step
    weights: LossWeights = field(default_factory=LossWeights)
    jitter: float = 0.06  # of the word's height, noise on the corners of training regions
    max_regions: int = 192  # a step; the rest take part in detection only
    hardest: int = 8  # pairs a row that the similarity loss averages; the paper takes 1
    # Batch normalisation keeps statistics measured on the stage's scenes before its first step. Those of a
    # mixture of word canvases and scenes fit neither: with them detection fell apart on whole photographs.
    freeze_norms: bool = False
    backbone_rate: float = 1.0  # times the learning rate, for the image tower
    text_rate: float = 1.0  # for the text tower of the prompts; 0 leaves it as it is
    weight_decay: float = 0.02
    clip_norm: float = 5.0
    ema_decay: float = 0.998
    validate_every: int = 700  # steps
    validate_stride: int = 1  # every such photograph of the validation sets takes part
    validates_detection: bool = True  # False: labelled words are read, detection is not run
    checkpoint_minutes: float = 4.0


@dataclass(frozen=True)
class Preset:
    """A model and the stages that train it."""

    model: ModelConfig
    stages: tuple[StageConfig, ...]


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
)

# Thresholds and sizes were chosen on the validation photographs (weights/README.md).
_TINY = ModelConfig(
    detector=DetectorConfig(binarize_threshold=0.78, score_threshold=0.87, unclip_ratio=2.3),
    scales=(1.0, 0.5, 0.3),
    fusion=0.75,
)

PRESETS: dict[str, Preset] = {
    "tiny": Preset(_TINY, (_CONTRAST, _WORDS, _SCENES)),
    "cr50": Preset(  # its towers come from CLIP: the image side moves slowly, the text side not at all
        _CR50,
        (
            dataclasses.replace(_WORDS, learning_rate=3e-4, backbone_rate=0.1, text_rate=0.0),
            dataclasses.replace(_SCENES, learning_rate=1e-4, backbone_rate=0.1, text_rate=0.0),
        ),
    ),
}


def to_dict(config: Any) -> dict[str, Any]:  # Any: every dataclass of this module
    """Return ``config`` as nested plain dictionaries, ready for JSON."""
    return dataclasses.asdict(config)


def from_dict(kind: type[T], values: dict[str, Any], where: str = "config") -> T:
    """Build ``kind`` from nested dictionaries; unknown names and wrong types are errors.

    Raises:
        UsageError: a name is unknown or a value has the wrong type; the message gives its place.
    """
    return typing.cast("T", _build(kind, values, where))


def overlay(config: T, values: dict[str, Any], where: str = "config") -> T:
    """Return ``config`` with ``values`` (nested) put over it, as strictly as :func:`from_dict`."""
    merged = _merge(to_dict(config), values)
    return from_dict(type(config), merged, where)


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


def _merge(base: Any, values: Any) -> Any:  # Any: JSON-like
    if isinstance(base, dict) and isinstance(values, dict):
        return base | {key: _merge(base.get(key), value) for key, value in values.items()}
    return values


def _build(kind: Any, value: Any, where: str) -> Any:  # Any: a type expression and JSON-like values
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    if typing.get_origin(kind) is tuple:
        return _build_tuple(kind, value, where)
    if isinstance(kind, types.UnionType):
        options = [option for option in typing.get_args(kind) if option is not type(None)]
        # TOML has no null: there, false leaves an optional part out.
        return None if value is None or value is False else _build(options[0], value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UsageError(f"{where} must be {kind.__name__}, not {value!r}")
    return value


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:  # Any: as above
    if not isinstance(value, dict):
        raise UsageError(f"{where} must be a table, not {value!r}")
    hints = typing.get_type_hints(kind)
    known = {f.name for f in dataclasses.fields(kind)}
    unknown = sorted(set(value) - known)
    if unknown:
        raise UsageError(f"{where} has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    return kind(**{name: _build(hints[name], item, f"{where}.{name}") for name, item in value.items()})


def _build_tuple(kind: Any, value: Any, where: str) -> Any:  # Any: as above
    if not isinstance(value, list | tuple):
        raise UsageError(f"{where} must be a list, not {value!r}")
    kinds = typing.get_args(kind)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise UsageError(f"{where} must have {len(kinds)} values, not {len(value)}")
    return tuple(_build(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
