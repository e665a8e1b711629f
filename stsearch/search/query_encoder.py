"""Embedding query words, with numpy alone: importing torch would take longer than a search.

The network is ``models.embedder.TextEmbedder``; a test holds both to the same numbers.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stsearch.config import EmbedderConfig
from stsearch.text.charset import Charset, normalize
from stsearch.types import ModelInfo
from stsearch.weights.arrays import read_arrays
from stsearch.weights.card import MODEL_FILE, find_weights, read_card

_PREFIX = "text_embedder."

Array = NDArray[np.float32]


class QueryEncoder:
    """Embeds query words in the space of photographed ones (TDSL, section 3.2)."""

    def __init__(
        self, tensors: Mapping[str, NDArray[np.floating]], config: EmbedderConfig, info: ModelInfo
    ) -> None:
        """Take the state of a ``TextEmbedder``, its configuration, and the description a gallery keeps."""
        self.info = info
        self._charset = Charset(config.characters)
        self._frames = config.frames
        self._weights = {name: np.asarray(value, np.float32) for name, value in tensors.items()}

    def with_weights(self, transcript_weight: float, likelihood_weight: float) -> QueryEncoder:
        """Return the same network with other weights of transcript and likelihood in the score."""
        other = copy.copy(self)
        other.info = replace(
            self.info, transcript_weight=transcript_weight, likelihood_weight=likelihood_weight
        )
        return other

    def without_calibration(self) -> QueryEncoder:
        """Return the same network, whose scores are raw."""
        other = copy.copy(self)
        other.info = replace(self.info, calibration=())
        return other

    def __call__(self, words: Sequence[str]) -> Array:
        """Return (Q, D) float32 unit rows for words that hold at least one character of the charset."""
        if not words:
            return np.zeros((0, self.info.dim), np.float32)
        stretched = np.stack([self._stretch(self._charset.encode(normalize(word))) for word in words])
        hidden = np.maximum(self._linear("hidden", stretched), 0)
        both = [self._lstm(hidden, ""), self._lstm(hidden[:, ::-1], "_reverse")[:, ::-1]]
        frames = np.tanh(self._linear("to_frames", np.concatenate(both, axis=2)))
        flat = frames.reshape(len(words), -1)
        return np.asarray(flat / np.linalg.norm(flat, axis=1, keepdims=True), np.float32)

    def _stretch(self, word: Sequence[int]) -> Array:
        """Interpolate the characters' embeddings to (T, D), ends aligned."""
        embedded = self._weights["characters.weight"][list(word)]
        place = np.linspace(0, len(word) - 1, self._frames, dtype=np.float32)[:, None]
        before = np.floor(place).astype(int)
        after = np.minimum(before + 1, len(word) - 1)
        share = place - before
        return np.asarray(embedded[before[:, 0]] * (1 - share) + embedded[after[:, 0]] * share, np.float32)

    def _linear(self, name: str, inputs: Array) -> Array:
        weights = self._weights
        return np.asarray(inputs @ weights[f"{name}.weight"].T + weights[f"{name}.bias"], np.float32)

    def _lstm(self, inputs: Array, direction: str) -> Array:
        """Return (N, T, H), the states of one direction for (N, T, D) inputs in the order it reads them."""
        w_input, w_state, b_input, b_state = (
            self._weights[f"lstm.{name}_l0{direction}"]
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        gates_in = inputs @ w_input.T + (b_input + b_state)
        state = cell = np.zeros((len(inputs), w_state.shape[1]), np.float32)
        states = []
        for frame in range(inputs.shape[1]):
            enter, forget, new, leave = np.split(gates_in[:, frame] + state @ w_state.T, 4, axis=1)
            cell = _sigmoid(forget) * cell + _sigmoid(enter) * np.tanh(new)
            state = _sigmoid(leave) * np.tanh(cell)
            states.append(state)
        return np.stack(states, axis=1)


def load_query_encoder(name_or_path: str = "tiny") -> QueryEncoder:
    """Load the text network alone.

    Raises:
        WeightsError: missing, damaged (checksum) or of another architecture.
    """
    folder = find_weights(name_or_path)
    card = read_card(folder)
    tensors = read_arrays(folder / MODEL_FILE, card.sha256, _PREFIX)
    return QueryEncoder(tensors, card.config.embedder, card.info)


def _sigmoid(values: Array) -> Array:
    # By tanh: exp would overflow, with a warning, far from 0.
    return np.asarray(0.5 * (1 + np.tanh(0.5 * values)), np.float32)
