"""Made-up words by the thousand, and embeddings of them as photographs have, for measurements at scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

RECALL_AT = 10
CHUNK = 10_000  # vectors made at once
SYLLABLES = [
    first + second for first in "bcdfghklmnprstvw" for second in ("a", "e", "i", "o", "u", "ar", "on")
]
SIMILARITY = (0.60, 0.10)
"""Mean and deviation of the cosine between a word and its photographed instances: of the 101 words of the
rendered gallery that were read with a confidence above 0.5, by the weights ``tiny`` of sha256 7e13458e."""


def make_words(rng: np.random.Generator, count: int) -> list[str]:
    """Return made-up words of two to four syllables, all different."""
    words: dict[str, None] = {}
    while len(words) < count:
        words["".join(rng.choice(SYLLABLES, rng.integers(2, 5)))] = None
    return list(words)


def make_instances(
    rng: np.random.Generator, embeddings: Vectors, count: int
) -> tuple[Vectors, NDArray[np.int64]]:
    """Return (count, D) unit rows around the (W, D) ``embeddings`` of words, and (count,) of which each is.

    The first words are the most frequent.
    """
    share = 1 / np.arange(1, len(embeddings) + 1)  # Zipf
    owners = rng.choice(len(embeddings), count, p=share / share.sum())
    return scatter(rng, embeddings, owners), owners


def scatter(rng: np.random.Generator, embeddings: Vectors, owners: NDArray[np.int64]) -> Vectors:
    """Return (N, D) unit rows, each around the one of the (W, D) ``embeddings`` that it is an instance of."""
    vectors = np.empty((len(owners), embeddings.shape[1]), np.float32)
    for start in range(0, len(owners), CHUNK):
        centres = embeddings[owners[start : start + CHUNK]]
        noise = rng.standard_normal(centres.shape, np.float32)
        noise -= (noise * centres).sum(axis=1, keepdims=True) * centres
        noise /= np.linalg.norm(noise, axis=1, keepdims=True)
        cosine = np.clip(rng.normal(*SIMILARITY, (len(centres), 1)), 0.1, 0.99).astype(np.float32)
        vectors[start : start + CHUNK] = cosine * centres + np.sqrt(1 - cosine**2) * noise
    return vectors


def exact_nearest(vectors: Vectors, queries: Vectors) -> list[set[int]]:
    """Return the ids of the nearest of all ``vectors`` for each query."""
    return [set(best_of(vectors @ query, RECALL_AT).tolist()) for query in queries]


def best_of(similarities: Vectors, k: int) -> NDArray[np.int64]:
    """Return the places of the ``k`` largest, largest first."""
    k = min(k, len(similarities))
    top = np.argpartition(-similarities, k - 1)[:k]
    return np.asarray(top[np.argsort(-similarities[top])], np.int64)
