"""Scoring predictions against labels; photographs are ranked as ``stsearch search`` ranks them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stsearch.errors import DataError
from stsearch.evaluation import metrics
from stsearch.evaluation.benchmark import Benchmark, GroundTruth
from stsearch.evaluation.predictions import Conditions, Predictions
from stsearch.search.candidates import InMemoryCandidates
from stsearch.search.engine import Encoder, score_photos
from stsearch.search.query import Query
from stsearch.spotting.proposals import suppress_overlaps
from stsearch.text.charset import normalize
from stsearch.types import Sample, TextInstance

Measure = Literal["retrieval", "detection", "reading"]

RETRIEVAL_RULE = (
    "mAP is the mean over queries of average precision over the whole gallery, ties sharing a threshold; "
    "a photograph scores as in stsearch search --group photo, but is ranked whatever it scores, 0 without an"
    " answer; a query without letter or digit counts and finds nothing"
)
DETECTION_RULE = "Detection: one to one at IoU > 0.5, as in ICDAR 2015"
READING_RULE = "Spotted: readable words detected and read exactly, in 36 characters"


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """The figures of a benchmark, and everything needed to repeat it."""

    truth: GroundTruth
    measures: frozenset[Measure]  # a figure of any other means nothing
    weights_sha256: str
    average_precision: Mapping[str, float]  # by query
    scores: NDArray[np.float32]  # (Q, N), by query and photograph, in the order of ``truth``
    detection: metrics.DetectionCounts
    spotting: metrics.DetectionCounts  # matched: read exactly, too
    photos_per_s: float  # speed of finding text, decoding included
    ms_per_query: float  # embedding it and ranking the whole gallery
    conditions: Conditions
    unreadable: tuple[Path, ...] = ()  # photographs that count as without text

    @property
    def benchmark(self) -> str:
        """Return the name of the benchmark."""
        return self.truth.benchmark.name

    @property
    def photos(self) -> int:
        """Return the size of the gallery."""
        return len(self.truth.samples)

    @property
    def query_rule(self) -> str:
        """Return the query rule in words."""
        return self.truth.benchmark.query_rule

    @property
    def scoring_rule(self) -> str:
        """Return the scoring rules in words."""
        rules = {
            "retrieval": RETRIEVAL_RULE,
            "detection": f"{DETECTION_RULE} ({self.truth.benchmark.dont_care})",
            "reading": READING_RULE,
        }
        return ". ".join(text for measure, text in rules.items() if measure in self.measures)

    @property
    def mean_average_precision(self) -> float:
        """Return the mAP in [0, 1]; 0 without queries."""
        return float(np.mean(list(self.average_precision.values()))) if self.average_precision else 0.0


def score(
    truth: GroundTruth,
    predictions: Predictions,
    encoder: Encoder,
    clock: Callable[[], float] = time.perf_counter,
) -> Report:
    """Score ``predictions`` against labels; no image network is involved.

    Args:
        truth: The photographs of the gallery, their labels, and the queries.
        predictions: The text found in them.
        encoder: Embeds the queries, with the weights that made the predictions.
        clock: Returns seconds.

    Raises:
        DataError: A photograph was not predicted, or the weights differ.
    """
    if predictions.weights_sha256 != encoder.info.sha256:
        raise DataError(
            f"the predictions were made with weights {predictions.weights_sha256:.12}, "
            f"the queries would be embedded with {encoder.info.sha256:.12}: predict again"
        )
    samples, queries = truth.samples, truth.queries
    found = [predictions.of(sample) for sample in samples]
    started = clock()
    scores = photo_scores(truth.search_queries, found, encoder)
    seconds = clock() - started
    measures = measures_of(truth.benchmark)
    # Retrieval uses every reading of a place; detection counts one, as labels do.
    counted = list(zip(samples, found, strict=True)) if "detection" in measures else []
    outlined = [(sample, suppress_overlaps(instances)) for sample, instances in counted]
    matchings = [_match(sample, instances) for sample, instances in outlined]
    precisions = map(metrics.average_precision, truth.relevance(), scores)
    return Report(
        truth=truth,
        measures=measures,
        weights_sha256=predictions.weights_sha256,
        average_precision=dict(zip(queries, precisions, strict=True)),
        scores=scores,
        detection=_total(matching.counts for matching in matchings),
        spotting=_total(
            _count_spotted(*each, matching) for each, matching in zip(outlined, matchings, strict=True)
        ),
        photos_per_s=predictions.photos_per_s,
        ms_per_query=1000 * seconds / max(len(queries), 1),
        conditions=predictions.conditions,
        unreadable=predictions.unreadable,
    )


def measures_of(benchmark: Benchmark) -> frozenset[Measure]:
    """Return the measures that the labels of a benchmark allow."""
    allowed: dict[Measure, bool] = {
        "retrieval": benchmark.rule is not None,
        "detection": bool(benchmark.dont_care),
        "reading": benchmark.reads,
    }
    return frozenset(measure for measure, allows in allowed.items() if allows)


def photo_scores(
    queries: Sequence[Query | None], found: Sequence[Sequence[TextInstance]], encoder: Encoder
) -> NDArray[np.float32]:
    """Return (Q, N) float32: how well each photograph answers each query, as ``stsearch search`` scores it.

    Args:
        queries: Q parsed queries; all photographs score 0 for None, a query that folds to nothing.
        found: The text instances of each of N photographs.
        encoder: Embeds the queries, with the weights that found the instances.
    """
    scores = np.zeros((len(queries), len(found)), np.float32)
    asked = {row: query for row, query in enumerate(queries) if query is not None}
    candidates = InMemoryCandidates.of(found, encoder.info.dim)
    answers = score_photos(list(asked.values()), candidates, encoder)
    for row, score_of in zip(asked, answers, strict=True):
        scores[row, list(score_of)] = list(score_of.values())
    return scores


def _match(sample: Sample, found: Sequence[TextInstance]) -> metrics.Matching:
    return metrics.match_detections(sample.words, [instance.polygon for instance in found], sample.partial)


def _count_spotted(
    sample: Sample, found: Sequence[TextInstance], matching: metrics.Matching
) -> metrics.DetectionCounts:
    """Count which readable words of one photograph were detected and read exactly, in the 36 characters."""
    labels = [normalize(word.transcript) if word.legible else "" for word in sample.words]
    read = sum(bool(labels[i]) and labels[i] == normalize(found[j].transcript) for i, j in matching.pairs)
    return metrics.DetectionCounts(read, sum(map(bool, labels)), matching.counts.detections)


def _total(counts: Iterable[metrics.DetectionCounts]) -> metrics.DetectionCounts:
    return sum(counts, start=metrics.DetectionCounts())
