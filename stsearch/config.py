"""Every hyper-parameter, as frozen dataclasses.

The model part travels in the card beside the weights. Nothing here knows about files of weights or datasets.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stsearch.text.charset import ALPHANUMERIC, PRINTABLE

STRIDES = (4, 8, 16, 32)
"""Pixels a cell of C2..C5 and of P2..P5."""


@dataclass(frozen=True)
class BackboneConfig:
    """A CLIP ModifiedResNet, as open_clip builds it."""

    clip_name: str = ""  # open_clip's name of the model these numbers are; empty: no public weights fit

    layers: tuple[int, ...] = (2, 2, 3, 2)  # bottlenecks a stage
    width: int = 32  # channels of the stem; C2..C5 have 4, 8, 16 and 32 times as many
    input_size: int = 224  # pixels a side the attention pool's position table is made for
    output_dim: int = 256  # of the pooled embedding
    heads: int = 8  # of the attention pool
    # Kernel of the convolution with stride 2 in the first blocks of C3, C4 and C5; 0: 3x3 at full resolution,
    # then average pooling, as in CLIP, at 2.25 times the cost of 4x4.
    strided_kernel: int = 0
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
    # The query of the language prompt generator: "meta", a learned vector (FastTCM); "image", the pooled
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
class BinarizationThresholds:
    """Thresholds that turn a probability map into regions; several sets give a word several outlines."""

    binarize: float = 0.3  # cells of a higher probability belong to a kernel
    score: float = 0.5  # of a kernel's mean probability; with less it is dropped
    unclip: float = 1.7  # undoes the shrinking


@dataclass(frozen=True)
class DetectorConfig:
    """A DB head (Liao et al., AAAI 2020) and its post-processing."""

    channels: int = 32  # inside the head
    squeezed_channels: int = 0  # of a 1x1 convolution before the first 3x3; 0: there is none
    stride: int = 2  # pixels a cell of the probability map
    amplification: float = 50.0  # k of the differentiable step function
    shrink_ratio: float = 0.4  # r of the shrunken kernel
    min_size: float = 4.0  # pixels; a smaller kernel is no training target, a smaller box no detection
    binarization: tuple[BinarizationThresholds, ...] = (BinarizationThresholds(),)
    max_regions: int = 300  # a photograph and cut


@dataclass(frozen=True)
class CloseUpConfig:
    """Coarse to fine: where a photograph is looked at more closely than in the pass over all of it.

    The close-up map comes from that coarse pass; it is FastTCM's instance-language matching, a prompt a size.
    """

    # Longer sides of the photograph, from coarse to fine, and the prompt that a cell matches if its text is
    # to be looked at in this size or a larger one.
    sizes: tuple[int, ...] = (1280, 1920, 2560)
    phrases: tuple[str, ...] = (
        "small text, to be read in full size.",
        "very small text, to be read one and a half times as large.",
        "tiny text, to be read twice as large.",
    )
    # Pixels at the first of the sizes; lower words need that size. One number a size.
    heights: tuple[float, ...] = (48.0, 24.0, 12.0)
    text: TextTowerConfig = field(default_factory=TextTowerConfig)
    context_vectors: int = 4
    temperature: float = 0.07
    frozen: bool = False  # the text side of trained weights is a vector a size
    hidden: int = 64  # channels between the pooled pyramid and the embedding
    dim: int = 64  # of the embedding that the prompts are compared with
    # Cells of a higher probability are looked at. Chosen on the validation photographs (weights/README.md):
    # larger sizes cost most and find few words more, so they are kept for what is certainly tiny.
    thresholds: tuple[float, ...] = (0.2, 0.8, 0.95)
    margin: int = 32  # pixels of the close-up around such cells
    sheet_widths: tuple[int, ...] = (
        320,
        480,
        640,
        800,
        960,
    )  # pixels; what is looked at is packed on few sizes
    sheet_step: int = 160  # pixels between their heights
    sheet_height: int = 960  # the largest
    overlap: int = 192  # pixels of the sheet that the parts of a place that is too large for one share


@dataclass(frozen=True)
class ProposalConfig:
    """Which proposals the recognizer reads, and which of its readings are kept."""

    # mean confidence of a character in the embedder's reading; proposals with less are dropped
    min_proposal_confidence: float = 0.0
    duplicate_iou: float = 0.8  # outlines with a higher IoU are duplicates
    # mean confidence of a character in the recognizer's reading; those with less are dropped
    min_reading_confidence: float = 0.0


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
    """The recognizer of word crops: two CLIP towers and a decoder for each branch (CLIP4STR)."""

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
    cross_modal: bool = True  # False: the visual branch alone; the network has no other
    autoregressive: bool = True  # False: all characters at once
    refinements: int = 1  # cloze passes of both branches over their readings
    # Units of the character language model; 0: there is none. Not part of the paper.
    character_lm: int = 0
    character_lm_weight: float = 0.16  # exponent of its probability when readings are rescored
    mean: tuple[float, ...] = (0.481, 0.458, 0.408)  # of the input, RGB in [0, 1]; CLIP's own
    std: tuple[float, ...] = (0.269, 0.261, 0.276)


@dataclass(frozen=True)
class ModelConfig:
    """The joint network: backbone, prompts, neck, detector, embedder and recognizer."""

    name: str = "tiny"
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    prompts: PromptConfig | None = None  # needs the backbone's attention pool
    neck_channels: int = 64  # of P2..P5
    # Of the levels while they are added, before they are smoothed; 0: neck_channels. The sums have a low
    # rank: 24 channels hold 99.5 % of what the smoothing convolutions make of 64.
    neck_inner_channels: int = 0
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    close_ups: CloseUpConfig | None = None  # None: the whole photograph is looked at in every size
    proposals: ProposalConfig = field(default_factory=ProposalConfig)
    embedder: EmbedderConfig = field(default_factory=EmbedderConfig)
    recognizer: RecognizerConfig | None = None  # without one the embedder's CTC reading is the transcript
    longer_side: int = 1280  # pixels of a photograph in detection
    # Detection runs over the whole photograph at each of these multiples of that size: very large words are
    # found at small ones. With close-ups the first of them is the coarse pass, whose map says where to look.
    scales: tuple[float, ...] = (1.0,)
    # share of the transcript's edit similarity in the ranking, chosen on validation
    transcript_weight: float = 0.5
    # share of the likelihood under the recognizer's CTC posteriors in the ranking
    likelihood_weight: float = 0.0
    calibration: tuple[tuple[float, ...], ...] = ()  # from scores to probabilities, fitted on validation

    @property
    def sizes(self) -> tuple[int, ...]:
        """Pixels on the longer side at each of the scales."""
        return tuple(round(self.longer_side * scale) for scale in self.scales)


@dataclass(frozen=True)
class LossWeights:
    """The weight of each loss term; 0 switches it off."""

    probability: float = 3.0  # of the shrink map
    threshold: float = 4.0
    binary: float = 1.0
    similarity: float = 3.0  # each of the three TDSL terms
    # with less, the detection terms dominate and recognition starts late (weights/README.md)
    ctc: float = 5.0
    matching: float = 1.0  # of the instance-language map; counts where the model has prompts
    close_ups: float = 0.0  # of the close-up map
    contrastive: float = 0.0  # between word pictures and their strings
    # On word crops the recognizer is trained, and these four count alone:
    plm: float = 1.0  # permuted language modelling, both branches
    recognizer_ctc: float = 0.5  # CTC over the image tokens: it aligns them with characters early
    orientation: float = 0.2  # whether a crop is upside down
    character_lm: float = 0.0  # of the character language model, on strings alone


@dataclass(frozen=True)
class Canvas:
    """A training image size and how often it is drawn."""

    # "words": one word in its surroundings; "scenes": whole scenes; "coarse": scenes as the coarse pass of
    # close-ups sees them; "crops": rectified words; "strings": no pictures at all
    source: str
    height: int
    width: int
    batch: int  # images, or strings, a step
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
    permutations: int = 6  # permutations for permuted language modelling; the first two are fixed
    cross_share: float = 1.0  # of the steps train the cross-modal branch too; they take half as long again
    # The words of real photographs are also cut out as the detector outlines them, before the stage begins.
    detected_outlines: bool = False
    turned_share: float = 0.06  # of the crops are upside down
    hardest: int = 8  # pairs a row that the similarity loss averages; the paper takes 1
    # Batch normalisation keeps statistics measured on the stage's scenes before its first step. Those of a
    # mixture of word canvases and scenes fit neither: with them detection fell apart on whole photographs.
    freeze_norms: bool = False
    part: str = ""  # of the network, the only one that is trained, such as close_up_map; empty: all of it
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
        """Whether the stage trains the recognizer, on crops or strings, and nothing else."""
        return all(canvas.source in ("crops", "strings") for canvas in self.canvases)


@dataclass(frozen=True)
class Preset:
    """A model and the stages that train it."""

    model: ModelConfig
    stages: tuple[StageConfig, ...]
