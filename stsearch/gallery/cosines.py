"""Cosines between words and all instances of a table; of several words in one matrix product."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stsearch.types import Embedding


class Cosines:
    """Compares embeddings with those of a table, (N, D) float32 unit rows.

    A product with one embedding waits for memory, which 16 together read once: they take a quarter of the
    time.
    """

    def __init__(self, embeddings: NDArray[np.float32]) -> None:
        self._embeddings = embeddings
        self._prepared: dict[bytes, NDArray[np.float32]] = {}

    def of(self, embedding: Embedding) -> NDArray[np.float32]:
        """Return (N,) the cosines of an embedding (D,) of unit length."""
        prepared = self._prepared.get(embedding.tobytes())
        return self._embeddings @ embedding if prepared is None else prepared

    def prepare(self, embeddings: NDArray[np.float32]) -> None:
        """Compute those of (Q, D) unit rows together; they are kept until others are prepared."""
        cosines = embeddings @ self._embeddings.T
        self._prepared = {each.tobytes(): row for each, row in zip(embeddings, cosines, strict=True)}
