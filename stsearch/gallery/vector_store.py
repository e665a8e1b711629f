"""Vector stores: which embeddings are most similar to a query; exact in numpy, or approximate with hnswlib.

hnswlib checks nothing it loads: checksum (vector_file.py) and graph (graph_file.py) are verified first.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from stsearch.errors import StsearchError, WriteError
from stsearch.gallery.graph_file import graph_fault

if TYPE_CHECKING:
    import hnswlib  # imported when used: a search in a small gallery does without

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]


class MissingHnswlibError(StsearchError):
    """hnswlib is not installed; galleries are then searched exactly, which is slower when they are large."""


def is_hnswlib_installed() -> bool:
    """Return whether vector files can be written and loaded, without importing hnswlib."""
    return find_spec("hnswlib") is not None


def missing_hnswlib() -> MissingHnswlibError:
    """Return the error that says how to install hnswlib."""
    return MissingHnswlibError("hnswlib is not installed; with a C++ compiler: pip install hnswlib")


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """The stored vectors most similar to one query, best first.

    Attributes:
        ids: (K,) int64.
        similarities: (K,) float32, inner products; to 1e-3 from a graph.
    """

    ids: Ids
    similarities: Vectors


class VectorStore(Protocol):
    """Unit vectors under integer ids, searched by inner product."""

    def ids(self) -> Ids:
        """Return the ids that were added; removed ones may still be among them."""

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add ``vectors`` (N, D), unit rows, under N new ``ids``."""

    def remove(self, ids: Ids) -> None:
        """Take the vectors under ``ids`` out; ids that are not there are passed over."""

    def search(self, queries: Vectors, k: int) -> list[Neighbours]:
        """Return up to ``k`` neighbours for each of ``queries`` (Q, D), unit rows."""


class FlatStore:
    """The exact store: compares a query with every vector."""

    def __init__(self, dim: int) -> None:
        self._ids = np.empty(0, np.int64)
        self._vectors = np.empty((0, dim), np.float32)

    def ids(self) -> Ids:
        """Return the ids that can be found."""
        return self._ids

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add ``vectors`` (N, D) under ``ids``."""
        self._ids = np.concatenate([self._ids, ids])
        self._vectors = np.concatenate([self._vectors, vectors])

    def remove(self, ids: Ids) -> None:
        """Take the vectors under ``ids`` out."""
        stays = ~np.isin(self._ids, ids)
        self._ids, self._vectors = self._ids[stays], self._vectors[stays]

    def search(self, queries: Vectors, k: int) -> list[Neighbours]:
        """Return the ``k`` nearest of all vectors; of equal ones, the lower id first."""
        similarities = queries @ self._vectors.T
        return [self._best(row, k) for row in similarities]

    def _best(self, similarities: Vectors, k: int) -> Neighbours:
        order = np.lexsort((self._ids, -similarities))[:k]
        return Neighbours(self._ids[order], similarities[order])


@dataclass(frozen=True, slots=True)
class HnswParameters:
    """How the graph is built and searched.

    Attributes:
        links: edges a vector keeps in every layer (hnswlib's M).
        build_width: candidates held while a vector is added (ef_construction).
        search_width: minimum number of candidates held while searching (ef, which hnswlib does not save).
    """

    links: int = 16
    build_width: int = 200
    search_width: int = 256


_NOISE = 1e-3
"""Length of the noise added to a vector before it goes into a graph. hnswlib keeps those neighbours of
a node that are nearer to it than to each other: no edge leads out of a cluster of equal vectors, and vectors
behind it are lost (a tenth of 5,000 others behind 500 equal ones; none with this). A similarity changes by
1e-4."""


class HnswStore:
    """The approximate store: an hnswlib graph, for galleries too large to compare with every vector."""

    def __init__(self, dim: int, parameters: HnswParameters = HnswParameters()) -> None:
        self._parameters = parameters
        self._index = _new_index(dim)
        self._index.init_index(0, M=parameters.links, ef_construction=parameters.build_width, random_seed=0)

    def ids(self) -> Ids:
        """Return the ids that were added, also the removed ones, which hnswlib does not tell apart."""
        return np.asarray(self._index.get_ids_list(), np.int64)

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add ``vectors`` (N, D) under ``ids``, growing the graph by a quarter when it is full."""
        needed = int(self._index.get_current_count()) + len(ids)
        if needed > self._index.get_max_elements():
            self._index.resize_index(needed + needed // 4)
        if len(ids):
            noise = np.random.default_rng(int(ids[0])).standard_normal(vectors.shape, np.float32)
            noise *= _NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
            self._index.add_items(vectors + noise, ids)

    def remove(self, ids: Ids) -> None:
        """Mark the vectors under ``ids`` as removed; their nodes stay as bridges between the others."""
        for label in ids.tolist():
            with suppress(RuntimeError):  # not there, or removed before
                self._index.mark_deleted(label)

    def search(self, queries: Vectors, k: int) -> list[Neighbours]:
        """Return up to ``k`` near vectors for each query; fewer when the graph does not lead to as many."""
        return [
            self._search_one(query[None], min(k, int(self._index.get_current_count()))) for query in queries
        ]

    def _search_one(self, query: Vectors, k: int) -> Neighbours:
        """Return ``k`` neighbours of ``query`` (1, D), or as many as the graph leads to, by bisection."""
        best = self._ask(query, k)
        reached, beyond = (k, k) if best else (0, k)
        while beyond - reached > 1:
            middle = (reached + beyond) // 2
            found = self._ask(query, middle)
            if found is None:
                beyond = middle
            else:
                best, reached = found, middle
        return best or Neighbours(np.empty(0, np.int64), np.empty(0, np.float32))

    def _ask(self, query: Vectors, k: int) -> Neighbours | None:
        """Return exactly ``k`` neighbours, or None: hnswlib raises when it reaches fewer."""
        self._index.set_ef(max(self._parameters.search_width, 2 * k))
        try:
            ids, distances = self._index.knn_query(query, k)
        except RuntimeError:
            return None
        return Neighbours(ids[0].astype(np.int64), 1 - distances[0])

    def save(self, path: Path) -> None:
        """Write the graph, and verify the size of the file: hnswlib does not notice a full disk."""
        self._index.save_index(os.fsencode(path))
        written, expected = path.stat().st_size, self._index.index_file_size()
        if written != expected:
            raise WriteError(
                f"cannot write {path}: {written} of {expected} bytes arrived (is the disk full?)"
            )

    @classmethod
    def load(cls, path: Path, dim: int, parameters: HnswParameters = HnswParameters()) -> HnswStore:
        """Read the file that ``save`` wrote; its checksum must have been verified before.

        Raises:
            ValueError: it holds vectors of another length, or no graph that hnswlib can search.
            OSError: it cannot be read.
        """
        if fault := graph_fault(path, dim):
            raise ValueError(fault)
        store = cls(dim, parameters)
        store._index = _new_index(dim)
        store._index.load_index(os.fsencode(path))
        return store


def _new_index(dim: int) -> hnswlib.Index:
    """Return an empty index by inner product, which is the cosine of unit vectors."""
    try:
        import hnswlib
    except ImportError as error:
        raise missing_hnswlib() from error
    return hnswlib.Index(space="ip", dim=dim)
