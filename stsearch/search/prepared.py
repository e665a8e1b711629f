"""Several queries prepared together: their words are embedded and compared in one pass each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from stsearch.gallery.records import InstanceTable
from stsearch.search.engine import Encoder, words_to_embed
from stsearch.search.query import Query
from stsearch.types import Embedding

_MIN_TOGETHER = 4
"""Words from which one matrix product is faster than one for each."""

_MAX_TOGETHER = 32
"""Words that are prepared, at most: each takes 4 bytes an instance."""


class PreparedEncoder:
    """Embeds words as another encoder does; those that were prepared are kept until others are."""

    def __init__(self, encoder: Encoder) -> None:
        self.info = encoder.info
        self._encoder = encoder
        self._prepared: dict[str, Embedding] = {}

    def __call__(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Return (Q, D) float32, unit rows, for Q folded words."""
        if words and all(word in self._prepared for word in words):
            return np.stack([self._prepared[word] for word in words])
        return self._encoder(words)

    def prepare(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Embed ``words`` together, keep their embeddings, and return them, (Q, D)."""
        embeddings = self._encoder(words)
        self._prepared = dict(zip(words, embeddings, strict=True))
        return embeddings


def prepare(queries: Sequence[Query], encoder: PreparedEncoder, tables: Sequence[InstanceTable]) -> None:
    """Embed the words of ``queries`` and compare them with all instances, where that is faster together.

    Args:
        queries: parsed; searched next, in any order.
        encoder: that they are searched with.
        tables: of the galleries of its weights.
    """
    words = words_to_embed(queries)[:_MAX_TOGETHER]
    if len(words) >= _MIN_TOGETHER:
        embeddings = encoder.prepare(words)
        for table in tables:
            table.cosines.prepare(embeddings)
