"""The vector stores of a gallery at scale, beside others: build time, size, latency and recall.

Run by hand, on an otherwise idle machine::

    PYTHONPATH=tests/support python tests/bench/search.py --instances 1000000 [--k 1000] [--store hnsw ...]

A million instances of 512 numbers need 2 GB for the vectors alone, and as much again for every store.
Photographs of a million words are hard to come by, so the embeddings are made: made-up words, some far more
frequent than others as in any language, go through the query network of the shipped weights, and every
instance lies about as far from its word as those of the rendered gallery do. usearch and faiss take part
where they are installed.

Recall is the share of the exact ten nearest that are among the ten that a store ranks first; --k is how many
it is asked for: 10, or the 1000 that stsearch search asks for and scores again.
"""

from __future__ import annotations

import argparse
import importlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType

import numpy as np
from made_up_words import CHUNK, RECALL_AT, Vectors, best_of, exact_nearest, make_instances, make_words
from numpy.typing import NDArray

from stsearch.gallery.vector_store import FlatStore, HnswParameters, HnswStore, VectorStore
from stsearch.search.query_encoder import load_query_encoder

Search = Callable[[Vectors, int], NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Built:
    """A store that can be searched.

    Attributes:
        search: returns the ids of about k near vectors for one query (D,), nearest first.
        size_bytes: of its file, or in memory where it has none.
    """

    search: Search
    size_bytes: int


Build = Callable[[Vectors, Path], Built]


def main() -> None:
    """Print one line a store."""
    arguments = parse_arguments()
    encoder = load_query_encoder(arguments.weights)
    rng = np.random.default_rng(arguments.seed)
    words = make_words(rng, max(100, arguments.instances // 50))
    embeddings = np.concatenate([encoder(words[i : i + CHUNK]) for i in range(0, len(words), CHUNK)])
    vectors, _ = make_instances(rng, embeddings, arguments.instances)
    queries = embeddings[rng.choice(len(words), arguments.queries)]
    wanted = exact_nearest(vectors, queries)
    print(f"{len(vectors)} instances of {len(words)} words, {vectors.shape[1]} numbers each, k {arguments.k}")
    print(f"{'store':16} {'bytes each':>10} {'build s':>8} {'p50 ms':>8} {'p95 ms':>8} {'recall@10':>9}")
    for name in arguments.store or STORES:
        try:
            print(measure(name, vectors, queries, wanted, arguments.k), flush=True)
        except ImportError as error:
            print(f"{name:16} not here: {error}")


def measure(name: str, vectors: Vectors, queries: Vectors, wanted: Sequence[set[int]], k: int) -> str:
    """Build a store, ask it every query, and return its line."""
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        built = STORES[name](vectors, Path(folder) / "store")
        build_s = time.perf_counter() - began
        built.search(queries[0], k)  # the first one also pages the store in
        took, shared = [], []
        for query, best in zip(queries, wanted, strict=True):
            began = time.perf_counter()
            found = built.search(query, k)
            took.append(1000 * (time.perf_counter() - began))
            shared.append(len(best & set(found[:RECALL_AT].tolist())) / len(best))
        each = built.size_bytes / len(vectors)
    p50, p95 = np.percentile(took, [50, 95])
    return f"{name:16} {each:10.0f} {build_s:8.1f} {p50:8.2f} {p95:8.2f} {np.mean(shared):9.3f}"


def build_own(store: VectorStore, vectors: Vectors, file: Path) -> Built:
    """Fill one of the stores of a gallery as a gallery does, and save the one that can be saved."""
    for ids in chunks(len(vectors)):
        store.add(ids, vectors[ids])
    if isinstance(store, HnswStore):
        store.save(file)

    def search(query: Vectors, k: int) -> NDArray[np.int64]:
        (found,) = store.search(query[None], k)
        return found.ids

    return Built(search, file.stat().st_size if file.is_file() else vectors.nbytes)


def build_numpy(vectors: Vectors, _file: Path) -> Built:
    """Compare every vector, as a dozen lines of numpy do."""
    return Built(lambda query, k: best_of(vectors @ query, k), vectors.nbytes)


def build_usearch(vectors: Vectors, file: Path) -> Built:
    """Build the graph of usearch with the numbers of ours."""
    ours = HnswParameters()
    index = load("usearch.index").Index(
        ndim=vectors.shape[1],
        metric="ip",
        dtype="f32",
        connectivity=ours.links,
        expansion_add=ours.build_width,
        expansion_search=ours.search_width,
    )
    for ids in chunks(len(vectors)):
        index.add(ids, vectors[ids])
    index.save(str(file))
    return Built(lambda query, k: np.asarray(index.search(query, k).keys, np.int64), file.stat().st_size)


def build_faiss(vectors: Vectors, file: Path) -> Built:
    """Build the graph of faiss with the numbers of ours."""
    faiss, ours = load("faiss"), HnswParameters()
    index = faiss.IndexHNSWFlat(vectors.shape[1], ours.links, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = ours.build_width, ours.search_width
    for ids in chunks(len(vectors)):
        index.add(vectors[ids])
    faiss.write_index(index, str(file))
    return Built(lambda query, k: np.asarray(index.search(query[None], k)[1][0]), file.stat().st_size)


def load(name: str) -> ModuleType:
    """Import a library that need not be here."""
    return importlib.import_module(name)


def chunks(count: int) -> Iterator[NDArray[np.int64]]:
    """Yield the ids from 0 to ``count``, some at a time."""
    for start in range(0, count, CHUNK):
        yield np.arange(start, min(start + CHUNK, count))


STORES: dict[str, Build] = {
    "hnsw": lambda vectors, file: build_own(HnswStore(vectors.shape[1]), vectors, file),
    "flat": lambda vectors, file: build_own(FlatStore(vectors.shape[1]), vectors, file),
    "numpy": build_numpy,
    "usearch": build_usearch,
    "faiss": build_faiss,
}


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--k", type=int, default=RECALL_AT)
    parser.add_argument("--store", action="append", choices=STORES, help="repeatable; default: all")
    parser.add_argument("--weights", default="tiny", help="of the query network")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
