"""A benchmark: its files, their reader, its query rule and its measures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stsearch.datasets.layout import Layout
from stsearch.errors import DataError
from stsearch.evaluation.query_rules import QueryRule, Relevance
from stsearch.search.query import Query
from stsearch.types import Sample


@dataclass(frozen=True, slots=True)
class Benchmark:
    """How labelled photographs are turned into figures.

    Attributes:
        name: as ``stsearch eval --dataset`` takes it.
        layout: of a copy on disk.
        read: the parts of a copy: its photographs with their labels.
        rule: makes the queries; None: retrieval is not measured.
        dont_care: which labels are neither right nor wrong; empty: detection is not measured, because
            words are not outlined, or not all of them.
        reads: whether reading is measured: words are outlined and spelled out.
        photos: in the published test set; 0: not known.
        asked: number of queries in papers; 0: none, or not known.
        joins: whether several folders make one gallery.
    """

    name: str
    layout: Layout
    read: Callable[[Sequence[Path]], list[Sample]]
    rule: QueryRule | None = None
    dont_care: str = ""
    reads: bool = False
    photos: int = 0
    asked: int = 0
    joins: bool = False

    @property
    def query_rule(self) -> str:
        """Return the query rule in words; empty when retrieval is not measured."""
        return self.rule.text if self.rule else ""

    def load(self, folders: Sequence[Path]) -> GroundTruth:
        """Read the labels of a copy, or of several folders that make one gallery.

        Raises:
            DataError: A folder is missing, incomplete, malformed or named twice, or there is no query.
        """
        if len(folders) > 1 and not self.joins:
            raise DataError(f"{self.name} is one folder: name one, not {len(folders)}")
        parts = [self.layout.locate(self.name, folder) for folder in folders]
        samples = [sample for each in parts for sample in self.read(each)]
        if len({sample.image.resolve() for sample in samples}) < len(samples):
            raise DataError("a photograph is listed twice: name every folder once")
        return self.truth(samples, parts[0])

    def truth(self, samples: Sequence[Sample], parts: Sequence[Path] = ()) -> GroundTruth:
        """Return the queries for ``samples``, with the photographs that are relevant.

        Raises:
            DataError: There is no query.
        """
        return GroundTruth(self, samples, self.rule.ask(samples, parts) if self.rule else {})


@dataclass(frozen=True, slots=True, eq=False)
class GroundTruth:
    """Labelled photographs, and the queries with their relevant photographs."""

    benchmark: Benchmark
    samples: Sequence[Sample]
    relevant: Relevance

    def for_retrieval(self) -> GroundTruth:
        """Return the same for retrieval alone: engines that read lines do not outline words."""
        return replace(self, benchmark=replace(self.benchmark, dont_care="", reads=False))

    @property
    def queries(self) -> list[str]:
        """Return the queries in the order of the rows of ``relevance``."""
        return list(self.relevant)

    @property
    def search_queries(self) -> list[Query | None]:
        """Return the queries as they are searched for, in the same order; None where one folds to nothing."""
        rule = self.benchmark.rule
        return [rule.parse(query) for query in self.relevant] if rule else []

    def relevance(self) -> NDArray[np.bool_]:
        """Return (Q, N) bool: photograph n answers query q."""
        photos = [sample.image for sample in self.samples]
        rows = [[photo in answers for photo in photos] for answers in self.relevant.values()]
        return np.array(rows, dtype=bool).reshape(len(rows), len(photos))

    @property
    def deviation(self) -> str:
        """Return how the copy differs from the published benchmark; empty when no difference is known."""
        photos, queries = self.benchmark.photos, self.benchmark.asked
        found = len(self.samples), len(self.relevant)
        if photos in (0, found[0]) and queries in (0, found[1]):
            return ""
        return (
            f"this copy has {found[0]} photographs and {found[1]} queries, published figures are for"
            f" {photos} and {queries or 'an unknown number'}: they do not compare"
        )
