"""Every hyper-parameter, as frozen dataclasses.

The model part travels in the card beside the weights; the training part is a preset that a TOML file may
overlay. Nothing here knows about files of weights or datasets.
"""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from stsearch.charset import ALPHANUMERIC, PRINTABLE
from stsearch.conversion import overlay
from stsearch.errors import UsageError


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
    # What the highest byte of every activation stands for where it computes in 8 bits; empty: it never does.
    tops: tuple[float, ...] = ()


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
class Cut:
    """One way of turning a probability map into regions; several give a word several outlines."""

    binarize: float = 0.3  # cells of a higher probability belong to a kernel
    score: float = 0.5  # of a kernel's mean probability; less is no region
    unclip: float = 1.7  # undoes the shrinking


@dataclass(frozen=True)
class DetectorConfig:
    """A DB head (Liao et al., AAAI 2020) and its post-processing."""

    channels: int = 32  # inside the head
    stride: int = 2  # pixels a cell of the probability map
    amplification: float = 50.0  # k of the differentiable step function
    shrink_ratio: float = 0.4  # r of the shrunken kernel
    min_size: float = 4.0  # pixels; a smaller kernel is no training target, a smaller box no detection
    cuts: tuple[Cut, ...] = (Cut(),)
    max_regions: int = 300  # a photograph and cut


@dataclass(frozen=True)
class ProposalConfig:
    """Which of the regions that were found are read with care, and which of the readings are kept."""

    least_rough: float = 0.0  # mean confidence of a character of the embedder's reading; less is no word
    same_outline: float = 0.8  # IoU above which of two outlines one is enough
    least_sure: float = 0.0  # mean confidence of a character of the last reading; less is forgotten


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
class RecognizerConfig:
    """A reader of word crops: two CLIP towers and a decoder for each branch (CLIP4STR)."""

    clip_name: str = ""  # open_clip's name of the model these numbers are; empty: no public weights fit
    size: tuple[int, int] = (32, 128)  # pixels a crop is stretched to, height and width
    patch: tuple[int, int] = (32, 4)  # pixels a token of the image tower stands for
    # Channels of 3x3 convolutions before the patches, each halving what is left of a patch; none in CLIP. A
    # small tower learns from far fewer words with them (Xiao et al. 2021, Early Convolutions Help
    # Transformers See Better).
    stem: tuple[int, ...] = (32, 64, 128, 256)
    width: int = 256
    layers: int = 6
    heads: int = 4
    output_dim: int = 256  # of the tokens of both towers, and of the decoders
    decoder_heads: int = 8
    dropout: float = 0.1  # in the decoders
    text: TextTowerConfig = field(default_factory=lambda: TextTowerConfig(context_length=28))
    frozen_text_layers: int = 0  # the text tower's first layers, and its embeddings, keep CLIP's values
    characters: str = PRINTABLE  # class order; 0 is the end of a word
    max_length: int = 25  # characters of a word
    margin: float = 0.12  # of the word's height, added around its polygon
    cross_modal: bool = True  # False: the visual branch has the last word
    autoregressive: bool = True  # False: all characters at once
    refinements: int = 1  # cloze passes of both branches over what they read
    mean: tuple[float, ...] = (0.481, 0.458, 0.408)  # of the input, RGB in [0, 1]; CLIP's own
    std: tuple[float, ...] = (0.269, 0.261, 0.276)


@dataclass(frozen=True)
class ModelConfig:
    """The joint network: backbone, prompts, neck, detector, embedder; and the reader of what it finds."""

    name: str = "tiny"
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    prompts: PromptConfig | None = None  # needs the backbone's attention pool
    neck_channels: int = 64
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    proposals: ProposalConfig = field(default_factory=ProposalConfig)
    embedder: EmbedderConfig = field(default_factory=EmbedderConfig)
    recognizer: RecognizerConfig | None = None  # without one the embedder's CTC reading is the transcript
    longer_side: int = 1280  # pixels a photograph is read at
    # It is read at each of these times that size: huge words are found where they are small.
    scales: tuple[float, ...] = (1.0,)
    fusion: float = 0.5  # share of the transcript's edit similarity in the ranking, chosen on validation
    likelihood: float = 0.0  # share of the likelihood under the reader's columns; the rest is as without
    calibration: tuple[tuple[float, ...], ...] = ()  # from scores to probabilities, fitted on validation

    @property
    def sizes(self) -> tuple[int, ...]:
        """Pixels on the longer side at each of the scales."""
        return tuple(round(self.longer_side * scale) for scale in self.scales)


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
    # On word crops the recognizer is trained, and these three count alone:
    reading: float = 1.0  # permuted language modelling, both branches
    columns: float = 0.5  # CTC over the image tokens: it aligns them with characters early
    upright: float = 0.2  # whether a crop stands on its head


@dataclass(frozen=True)
class Canvas:
    """A training image size and how often it is drawn."""

    source: str  # "words": one word in its surroundings; "scenes": whole scenes; "crops": rectified words
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
    crop_share: float = 0.1  # of the samples on word canvases and of crops, real crops (transcripts only)
    difficulty: tuple[float, float] = (0.5, 1.0)  # of rendered scenes, first and last step
    weights: LossWeights = field(default_factory=LossWeights)
    box_noise: tuple[float, float] = (
        0.18,
        0.1,
    )  # of the word's height, on ends and edges of regions and crops
    jitter: float = 0.06  # of the word's height, on their corners
    max_regions: int = 192  # a step; the rest take part in detection only
    permutations: int = 6  # orders in which the decoders learn to spell; the first two are fixed
    cross_share: float = 1.0  # of the steps train the cross-modal branch too; they take half as long again
    # The words of real photographs are also cut out as the detector outlines them, before the stage begins.
    own_outlines: bool = False
    turned_share: float = 0.06  # of the crops stand on their heads
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

    @property
    def reads_crops(self) -> bool:
        """Whether the stage trains the recognizer, on crops, and nothing else."""
        return all(canvas.source == "crops" for canvas in self.canvases)


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
# branch brings nothing yet.
_TINY = ModelConfig(
    detector=DetectorConfig(
        cuts=(
            Cut(0.78, 0.84, 2.3),
            Cut(0.95, 0.96, 3.0),
            Cut(0.6, 0.75, 2.0),
            Cut(0.9, 0.94, 2.7),
            Cut(0.4, 0.6, 1.7),
            Cut(0.2, 0.4, 1.5),
        )
    ),
    proposals=ProposalConfig(least_rough=0.3, least_sure=0.5),
    scales=(1.0, 0.5, 0.3),
    recognizer=RecognizerConfig(margin=0.2, cross_modal=False),
    fusion=0.75,
)

PRESETS: dict[str, Preset] = {
    "tiny": Preset(_TINY, (_CONTRAST, _WORDS, _SCENES, _READ)),
    "cr50": Preset(  # its towers come from CLIP: the image side moves slowly, the text side not at all
        _CR50,
        (
            dataclasses.replace(_WORDS, learning_rate=3e-4, backbone_rate=0.1, text_rate=0.0),
            dataclasses.replace(_SCENES, learning_rate=1e-4, backbone_rate=0.1, text_rate=0.0),
            dataclasses.replace(  # the paper's rates for a batch of 256: decoders learn 19 times as fast
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
