"""TDSL's two sequence embeddings: of a photographed word and of a string, compared by one cosine."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stsearch.config import EmbedderConfig
from stsearch.models.layers import conv_norm_relu


@dataclass(frozen=True, slots=True, eq=False)
class RegionReadings:
    """Embeddings and CTC logits of R regions."""

    embeddings: Tensor  # (R, T * C) float32, unit rows
    logits: Tensor  # (R, K, V) CTC logits, one frame a column


def flatten_frames(frames: Tensor) -> Tensor:
    """Return (N, T, C) frames as unit rows (N, T * C): tanh, flatten, normalise (TDSL, equation 3)."""
    return F.normalize(torch.tanh(frames.float()).flatten(1), dim=1)


class ImageEmbedder(nn.Module):
    """Region features -> frame sequence: convolutions, then a BiLSTM (TDSL, section 3.2)."""

    def __init__(self, inputs: int, config: EmbedderConfig) -> None:
        super().__init__()
        widths = (inputs, *config.channels)
        self.fold = nn.Sequential(
            *(conv_norm_relu(a, b, stride=(2, 1)) for a, b in itertools.pairwise(widths))
        )
        self.lstm = nn.LSTM(widths[-1], config.hidden, bidirectional=True, batch_first=True)
        self.frames = config.frames
        self.to_frames = nn.Linear(2 * config.hidden, config.frame_dim)
        self.to_characters = nn.Linear(2 * config.hidden, len(config.characters) + 1)

    def forward(self, regions: Tensor) -> RegionReadings:
        """Embed and read (R, C, rows, K) region features."""
        columns = self.fold(regions).mean(dim=2).transpose(1, 2)  # (R, K, C)
        sequence, _ = self.lstm(columns)
        pooled = F.adaptive_avg_pool1d(sequence.transpose(1, 2).float(), self.frames).transpose(1, 2)
        frames = self.to_frames(pooled.to(sequence.dtype))
        return RegionReadings(flatten_frames(frames), self.to_characters(sequence))


class TextEmbedder(nn.Module):
    """Character classes -> frame sequence: embedding, stretched to T frames, BiLSTM (TDSL, section 3.2)."""

    def __init__(self, config: EmbedderConfig) -> None:
        super().__init__()
        self.frames = config.frames
        self.characters = nn.Embedding(len(config.characters) + 1, config.character_dim, padding_idx=0)
        self.hidden = nn.Linear(config.character_dim, config.character_dim)
        self.lstm = nn.LSTM(config.character_dim, config.hidden, bidirectional=True, batch_first=True)
        self.to_frames = nn.Linear(2 * config.hidden, config.frame_dim)

    def forward(self, words: list[list[int]]) -> Tensor:
        """Return (N, T * C) unit rows for words given as character classes, each with at least one."""
        device = self.hidden.weight.device
        stretched = torch.stack([self._stretch(torch.tensor(word, device=device)) for word in words])
        sequence, _ = self.lstm(F.relu(self.hidden(stretched)))
        return flatten_frames(self.to_frames(sequence))

    def _stretch(self, word: Tensor) -> Tensor:
        """Interpolate the characters' embeddings to (T, D), ends aligned."""
        embedded = self.characters(word).T[None]  # (1, D, L)
        return F.interpolate(embedded, size=self.frames, mode="linear", align_corners=True)[0].T
