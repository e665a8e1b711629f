"""What a benchmark measures: found text against labels, by the ranking that search uses."""

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
from stsearch.gallery.records import InstanceTable
from stsearch.search.engine import Encoder
from stsearch.search.scoring import Scorer
from stsearch.spotting.proposals import suppress_overlaps
from stsearch.text.charset import normalize, split_words
from stsearch.types import Sample, TextInstance

Measure = Literal["retrieval", "detection", "reading"]

RETRIEVAL_RULE = (
    "mAP is the mean over queries of average precision over the whole gallery, ties sharing a threshold; "
    "a photograph scores as its best instance, 0 without any or at a negative similarity"
)
DETECTION_RULE = "Detection: one to one at IoU > 0.5, as in ICDAR 2015"
READING_RULE = "Spotted: readable words detected and read exactly, in 36 characters"


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a benchmark measured, and everything needed to repeat it."""

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
        """State what was asked."""
        return self.truth.benchmark.query_rule

    @property
    def scoring_rule(self) -> str:
        """State how it was counted."""
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
        truth: The photographs of the gallery, their labels, and what is asked.
        predictions: What was found in them.
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
    scores = rank(queries, found, encoder)
    seconds = clock() - started
    measures = measures_of(truth.benchmark)
    # Retrieval ranks by every way to read a word; a label is answered by one.
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
    """Return what the labels of a benchmark allow to measure."""
    allowed: dict[Measure, bool] = {
        "retrieval": benchmark.rule is not None,
        "detection": bool(benchmark.dont_care),
        "reading": benchmark.reads,
    }
    return frozenset(measure for measure, allows in allowed.items() if allows)


def rank(
    queries: Sequence[str], found: Sequence[Sequence[TextInstance]], encoder: Encoder
) -> NDArray[np.float32]:
    """Return (Q, N) float32: how well each photograph answers each query.

    A photograph scores as its best instance for a word, 0 without any; as the mean over the words of a query.
    Dissimilar instances score 0 as well, never less than nothing. A query without letter or digit scores 0.

    Source: TDSL section 3.4; MSTAR for queries of several words.
    """
    words = sorted({word for query in queries for word in split_words(query)})
    owners = np.repeat(np.arange(len(found)), [len(instances) for instances in found])
    instances = [instance for some in found for instance in some]
    best = {word: np.zeros(len(found), np.float32) for word in words}
    if instances and words:
        table = InstanceTable.of(instances, owners)
        embedding_of = dict(zip(words, encoder(words), strict=True))
        scorer = Scorer(
            table,
            embedding_of,
            encoder.info,
            posteriors_of=lambda rows: [instances[row].ctc_posteriors for row in rows],
        )
        for word in words:
            np.maximum.at(best[word], owners, scorer.word(word))
    nothing = np.zeros(len(found), np.float32)
    rows = [[best[word] for word in split_words(query)] or [nothing] for query in queries]
    return np.array([np.mean(row, axis=0) for row in rows], np.float32).reshape(len(queries), len(found))


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
