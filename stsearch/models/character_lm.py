"""A character language model: the prior probability of a string, by a recurrent network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stsearch.text.charset import ALPHANUMERIC, Charset, normalize

_EMBEDDED = 48
_PADDING = -100


class CharacterLM(nn.Module):
    """Predict each character of a folded word from those before it, and where it ends (Graves 2013)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.charset = Charset(ALPHANUMERIC)
        classes = len(self.charset)  # 0 ends a word
        self.characters = nn.Embedding(classes + 1, _EMBEDDED)  # the last stands before a word
        self.lstm = nn.LSTM(_EMBEDDED, width, batch_first=True)
        self.to_characters = nn.Linear(width, classes)

    def forward(self, words: Sequence[str]) -> Tensor:
        """Return (N,) float32, the logarithm of the probability of each of N words, once folded."""
        logits, targets = self._predict(words)
        return -F.cross_entropy(logits, targets, reduction="none", ignore_index=_PADDING).sum(dim=1)

    def loss(self, words: Sequence[str]) -> Tensor:
        """Return the mean cross-entropy of a character of ``words`` or of their ends."""
        return F.cross_entropy(*self._predict(words), ignore_index=_PADDING)

    def _predict(self, words: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return (N, V, L) float32 logits of the characters and ends of N words, and their (N, L) classes."""
        spelled = [torch.tensor([*self.charset.encode(normalize(word)), 0]) for word in words]
        targets = nn.utils.rnn.pad_sequence(spelled, batch_first=True, padding_value=_PADDING)
        targets = targets.to(self.to_characters.weight.device)
        inputs = F.pad(targets[:, :-1].clamp(min=0), (1, 0), value=len(self.charset))
        return self.next_logits(inputs).float().transpose(1, 2), targets

    def next_logits(self, classes: Tensor) -> Tensor:
        """Return (N, L, V) logits of the character after each of (N, L) classes; class V starts a word."""
        states, _ = self.lstm(self.characters(classes))
        logits: Tensor = self.to_characters(states)
        return logits
