"""PARSeq's decoder: one layer that predicts characters in any order, and the orders of its training."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

KeysValues = tuple[Tensor, Tensor]  # (B, heads, L, D / heads) each


class Attention(nn.Module):
    """Multi-head attention whose keys and values are computed once and attended to many times."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_queries = nn.Linear(dim, dim)
        self.to_keys_values = nn.Linear(dim, 2 * dim)
        self.out = nn.Linear(dim, dim)

    def keys_values(self, states: Tensor) -> KeysValues:
        """Return the keys and values of (B, L, D) ``states``."""
        keys, values = self.to_keys_values(states).chunk(2, dim=-1)
        return self._split(keys), self._split(values)

    def forward(self, queries: Tensor, keys_values: KeysValues, allowed: Tensor | None = None) -> Tensor:
        """Return (B, Q, D) for (B, Q, D) ``queries``; each may attend to at least one key.

        Args:
            queries: (B, Q, D).
            keys_values: Of :meth:`keys_values`.
            allowed: (B or 1, Q, L) bool, which query attends to which key; None: all.
        """
        mask = None if allowed is None else allowed[:, None]
        mixed = F.scaled_dot_product_attention(self._split(self.to_queries(queries)), *keys_values, mask)
        merged: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return merged

    def _split(self, states: Tensor) -> Tensor:
        return states.view(*states.shape[:2], self.heads, -1).transpose(1, 2)


class PermutedDecoder(nn.Module):
    """Predict the character at each position from the image and from characters at other positions.

    Source: PARSeq (Bautista and Atienza 2022), section 3.1; CLIP4STR has one for each branch. The context
    stream of a single layer is never updated, so only positions carry state, and any set of positions can be
    predicted at once.
    """

    def __init__(self, classes: int, dim: int, heads: int, max_length: int, dropout: float) -> None:
        super().__init__()
        self.start = classes  # the token before a word; the one after it is padding
        self.scale = math.sqrt(dim)
        self.characters = nn.Embedding(classes + 2, dim)
        self.positions = nn.Parameter(torch.empty(max_length + 1, dim))
        self.query_norm, self.context_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.context_attention = Attention(dim, heads)
        self.image_norm = nn.LayerNorm(dim)
        self.image_attention = Attention(dim, heads)
        self.mlp = nn.Sequential(
            nn.LayerNorm(dim),
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(4 * dim, dim),
        )
        self.head = nn.Sequential(nn.LayerNorm(dim), nn.Linear(dim, classes))
        self.dropout = nn.Dropout(dropout)
        for table in (self.characters.weight, self.positions):
            nn.init.trunc_normal_(table, std=0.02)

    def memory(self, features: Tensor) -> KeysValues:
        """Return the keys and values of (B, M, D) image and text features."""
        return self.image_attention.keys_values(features)

    def context(self, tokens: Tensor, places: Tensor | None = None) -> KeysValues:
        """Return the keys and values of (B, L) int64 tokens at (L,) ``places``, 0 the start; None: from 0."""
        if places is None:
            places = torch.arange(tokens.shape[1], device=tokens.device)
        states = self.scale * self.characters(tokens)
        # The start token has no position; a character at place i + 1 has position i.
        placed = self.positions[(places - 1).clamp(min=0)] * (places > 0)[:, None]
        return self.context_attention.keys_values(self.context_norm(self.dropout(states + placed)))

    def forward(
        self, memory: KeysValues, context: KeysValues, places: Tensor, allowed: Tensor | None = None
    ) -> Tensor:
        """Return (B, Q, V) logits of the characters at ``places``.

        Args:
            memory: Of :meth:`memory`.
            context: Of :meth:`context`.
            places: (Q,) int64 positions, from 0.
            allowed: (B or 1, Q, L) bool, which of the context each attends to; None: all.
        """
        queries = self.dropout(self.positions[places].expand(memory[0].shape[0], -1, -1))
        states = queries + self.dropout(self.context_attention(self.query_norm(queries), context, allowed))
        states = states + self.dropout(self.image_attention(self.image_norm(states), memory))
        logits: Tensor = self.head(states + self.dropout(self.mlp(states)))
        return logits


def draw_orders(length: int, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Draw character orders: left to right, right to left, then random ones, each with its reverse.

    Source: PARSeq, section 3.2.

    Returns:
        (count, length) ranks: element (k, i) is the rank of position i in order k.
    """
    ranks = [np.arange(length)]
    while len(ranks) < count:
        ranks.append(length - 1 - ranks[-1] if len(ranks) % 2 else random.permutation(length))
    return np.stack(ranks[:count])


def make_attention_mask(ranks: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return (K * L, L) bool: whether a position attends to the start token and the first L - 1 characters.

    Args:
        ranks: (K, L), as :func:`draw_orders` returns them.
    """
    before = ranks[:, None, :-1] < ranks[:, :, None]
    sees_start = np.ones((*ranks.shape, 1), np.bool_)
    return np.concatenate([sees_start, before], axis=2).reshape(-1, ranks.shape[1])
