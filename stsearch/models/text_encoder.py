"""CLIP's text tower, built by open_clip, for strings and soft prompts; and how strings become tokens."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch
from open_clip.tokenizer import SimpleTokenizer
from open_clip.transformer import QuickGELU, TextTransformer
from torch import Tensor, nn

from stsearch.config import TextTowerConfig

_BYTES = 256  # a byte's token is its value; these two follow
_START, _END = _BYTES, _BYTES + 1


class ClipTextEncoder(nn.Module):
    """A causal transformer whose last token's state, projected, is the embedding of a string (CLIP, 2.4)."""

    def __init__(self, config: TextTowerConfig, output_dim: int) -> None:
        super().__init__()
        self.config = config
        self.tower = TextTransformer(
            context_length=config.context_length,
            vocab_size=config.vocab_size,
            width=config.width,
            heads=config.heads,
            layers=config.layers,
            output_dim=output_dim,
            act_layer=QuickGELU if config.quick_gelu else nn.GELU,
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (N, D) embeddings, not normalised, of (N, L) int64 tokens, the end token the largest."""
        last = tokens.argmax(dim=1)
        return self.encode_soft(self.tower.token_embedding(tokens), last)

    def encode_all(self, tokens: Tensor) -> Tensor:
        """Return (N, L, D) embeddings of all (N, L) int64 tokens (CLIP4STR, section 3.3)."""
        projected: Tensor = (
            self.tower.ln_final(self._states(self.embed_tokens(tokens))) @ self.tower.text_projection
        )
        return projected

    def encode_soft(self, embedded: Tensor, last: Tensor) -> Tensor:
        """Return (N, D) embeddings of tokens that are given as vectors: soft prompts.

        Args:
            embedded: (N, L, W), without positions; L is at most the configured context length.
            last: (N,) int64, where each prompt's end token stands.
        """
        states = self._states(embedded)
        ends = states[torch.arange(len(states), device=states.device), last]
        projected: Tensor = self.tower.ln_final(ends) @ self.tower.text_projection
        return projected

    def _states(self, embedded: Tensor) -> Tensor:
        length = embedded.shape[1]
        placed = embedded + self.tower.positional_embedding[:length]
        # Attention kernels of GPUs want the mask in the dtype of what it is added to.
        mask = self.tower.attn_mask[:length, :length].to(placed.dtype)
        states: Tensor = self.tower.transformer(placed, attn_mask=mask)
        return states

    def embed_tokens(self, tokens: Tensor) -> Tensor:
        """Return the (N, L, W) vectors of (N, L) int64 tokens."""
        vectors: Tensor = self.tower.token_embedding(tokens)
        return vectors


def tokenize(texts: Sequence[str], config: TextTowerConfig) -> Tensor:
    """Return (N, L) int64 tokens: start, the text, end, zeros; L is the longest of ``texts``.

    A text that is longer than the context is cut; its end token stays.
    """
    if config.tokenizer == "clip":
        tokenizer = _clip_tokenizer()
        bodies = [tokenizer.encode(text) for text in texts]
        start, end = tokenizer.sot_token_id, tokenizer.eot_token_id
    else:
        bodies, start, end = [list(text.encode()) for text in texts], _START, _END
    rows = [torch.tensor([start, *body[: config.context_length - 2], end]) for body in bodies]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)


@functools.cache
def _clip_tokenizer() -> SimpleTokenizer:
    return SimpleTokenizer()  # reads its vocabulary for a quarter of a second
