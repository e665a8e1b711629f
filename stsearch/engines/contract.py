"""What finding and reading words asks of a network, wherever it computes. Arrays in, arrays out; no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from stsearch.config import ModelConfig, RecognizerConfig

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class EncodedImages:
    """What the detection network makes of B images."""

    probability: Array  # (B, H/stride, W/stride) in [0, 1], of text kernels
    close_ups: Array | None  # (B, S, H/32, W/32) in [0, 1], that a cell needs a closer look; S sizes
    levels: Any  # P2..P5 as the engine keeps them (Any: on its device), for ``read_regions`` alone


@dataclass(frozen=True, slots=True, eq=False)
class RegionReadings:
    """What the embedder makes of R regions."""

    embeddings: Array  # (R, D) unit rows
    logits: Array  # (R, K, V) of CTC, one frame a column; class 0 is the blank


@dataclass(frozen=True, slots=True, eq=False)
class CropReadings:
    """What the recognizer makes of N crops."""

    tables: Array  # (N, L, V) class probabilities of the decoder; class 0 ends a word
    ctc_logits: Array  # (N, T, V), class 0 the blank
    orientation: Array  # (N,) logits; below 0 a crop is upside down


class CropEngine(Protocol):
    """Reads word crops.

    Attributes:
        config: of the recognizer.
        device: where it computes, as text.
        precision: what it computes in, and with which library, as text.
    """

    config: RecognizerConfig
    device: str
    precision: str

    def read(self, crops: NDArray[np.uint8]) -> CropReadings:
        """Read (N, H, W, 3) RGB crops of the configured size, N at least 1."""

    def log_probabilities(self, words: Sequence[str]) -> Array | None:
        """Return (N,) how likely N words are to be written anywhere; None without a character model."""


class SceneEngine(Protocol):
    """Finds and embeds words.

    Attributes:
        config: of the joint network.
        device: where it computes, as text.
        precision: what it computes in, and with which library, as text.
        wants_batches: whether several photographs at once are faster than one after the other.
    """

    config: ModelConfig
    device: str
    precision: str
    wants_batches: bool

    @property
    def crops(self) -> CropEngine | None:
        """What reads crops of the words; None without a recognizer."""

    def encode(self, images: NDArray[np.uint8]) -> EncodedImages:
        """Run the detection network on (B, H, W, 3) RGB images; H and W are multiples of 32.

        Raises:
            OutOfDeviceMemoryError: they do not fit into the memory of the device.
        """

    def read_regions(self, encoded: EncodedImages, edges: Array, owner: NDArray[np.int64]) -> RegionReadings:
        """Embed and read regions.

        Args:
            encoded: what ``encode`` made of B images.
            edges: (R, 2, K, 2) float32 upper and lower edges in pixels of the input, in reading direction; K
                is the configured number of columns.
            owner: (R,) in [0, B), the image each region lies in.
        """

    def for_callers(self, count: int) -> Self:
        """Return the same engine made for ``count`` threads that call it at the same time."""
