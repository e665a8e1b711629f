"""Validation during training: the figures that choose between checkpoints, and the weights of the ranking."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stsearch.engines.torch_engine import TorchSceneEngine
from stsearch.errors import UsageError
from stsearch.evaluation.catalogue import BENCHMARKS, FOLDER
from stsearch.evaluation.metrics import match_detections, mean_average_precision
from stsearch.evaluation.predictions import Predictions, predict
from stsearch.evaluation.query_rules import LABELLED_WORDS
from stsearch.evaluation.recognition import WordReport, evaluate_words
from stsearch.evaluation.scoring import Report, photo_scores, score
from stsearch.geometry.polygons import word_size
from stsearch.images import Resize, read_image
from stsearch.models.scene_text import SceneTextModel
from stsearch.search.query_encoder import QueryEncoder
from stsearch.spotting.proposals import suppress_overlaps
from stsearch.spotting.spotter import Spotter
from stsearch.text.charset import normalize
from stsearch.text.counted import counted
from stsearch.types import Sample
from stsearch.weights.card import Card

TRANSCRIPT_WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)
LIKELIHOOD_WEIGHTS = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6)
HEIGHTS = (8, 16, 32, 64, 128, 1280)
"""Bounds of the classes of word height, in pixels at the size of inference."""


@dataclass(frozen=True)
class Validation:
    """Figures in [0, 1] on validation photographs, by the query rule that ``stsearch eval`` prints."""

    photos: int
    queries: int
    labelled_map: float  # retrieval mAP when the labelled words are embedded instead of detected ones
    labelled_accuracy: float  # share of labelled words read exactly
    retrieval_map: float | None = None  # with detected words; None: not run
    hmean: float | None = None  # of detection at IoU 0.5
    photos_per_s: float | None = None
    transcript_weight: float | None = None  # the best of TRANSCRIPT_WEIGHTS
    likelihood_weight: float | None = None  # then the best of LIKELIHOOD_WEIGHTS
    recall_by_height: dict[str, float] | None = None  # share of labelled words detected, by class of height

    @property
    def figure(self) -> float:
        """Return the figure that checkpoints are compared by."""
        return self.labelled_map if self.retrieval_map is None else self.retrieval_map

    @property
    def weaknesses(self) -> list[str]:
        """Return a sentence for each class of words of which more are missed than found."""
        recalls = (self.recall_by_height or {}).items()
        return [
            f"words {height} px high: only {recall:.0%} detected"
            for height, recall in recalls
            if recall < 0.5
        ]

    def summary(self) -> str:
        """Return the figures in one line."""
        line = f"labelled words: mAP {self.labelled_map:.3f}, read {self.labelled_accuracy:.3f}"
        if self.retrieval_map is not None:
            line = f"mAP {self.retrieval_map:.3f} · hmean {self.hmean:.3f} · {line}"
        photos, queries = counted(self.photos, "photo"), counted(self.queries, "query", "queries")
        return f"validation ({photos}, {queries}): {line}"


@dataclass(frozen=True, slots=True, eq=False)
class DetectionResults:
    """Predictions on validation photographs, and their report with the best weights of the ranking."""

    predictions: Predictions
    encoder: QueryEncoder  # with these weights
    report: Report  # its scores are not calibrated
    recall: dict[str, float]  # by class of height


def thin_out(samples: Sequence[Sample], stride: int) -> tuple[Sample, ...]:
    """Return every photograph of number 0, ``stride`` and so on; at least one has a word to search for."""
    kept = tuple(samples[::stride])
    if any(map(_holds_query, kept)):
        return kept
    return (*kept, *[sample for sample in samples if _holds_query(sample)][:1])


def _holds_query(sample: Sample) -> bool:
    parts = (part for word in sample.words if word.legible for part in word.transcript.split())
    return any(len(normalize(part)) >= LABELLED_WORDS.min_length for part in parts)


def validate(
    model: SceneTextModel,
    samples: Sequence[Sample],
    detect: bool,
    progress: Callable[[int], None] = lambda done: None,
) -> Validation:
    """Measure ``model`` on ``samples``, with the best weights of the ranking.

    Args:
        model: In any state; a copy with folded batch normalisation runs.
        samples: Labelled photographs.
        detect: Whether to run detection; else only labelled words are read.
        progress: Called with the number of photographs done.
    """
    spotter, encoder = Spotter(TorchSceneEngine(model), Card(model.config).info), make_query_encoder(model)
    result = validate_labelled(spotter, samples, encoder)
    return add_detection(result, predict_and_tune(spotter, samples, encoder, progress)) if detect else result


def validate_labelled(spotter: Spotter, samples: Sequence[Sample], encoder: QueryEncoder) -> Validation:
    """Measure what is read at the labelled outlines of ``samples``, with the best weights of the ranking."""
    labelled = _tune_weights(samples, _read_labelled(spotter, samples), encoder)[1]
    return Validation(
        photos=len(samples),
        queries=len(labelled.average_precision),
        labelled_map=labelled.mean_average_precision,
        labelled_accuracy=labelled.spotting.recall,
    )


def predict_and_tune(
    spotter: Spotter,
    samples: Sequence[Sample],
    encoder: QueryEncoder,
    progress: Callable[[int], None] = lambda done: None,
) -> DetectionResults:
    """Find and read the words of ``samples``, and choose the weights of the ranking on them."""
    predictions = predict(spotter, samples, progress)
    recall = recall_by_height(samples, predictions, spotter.info.longer_side)
    return DetectionResults(predictions, *_tune_weights(samples, predictions, encoder), recall)


def add_detection(result: Validation, detected: DetectionResults) -> Validation:
    """Return ``result`` with the figures of detected words."""
    report = detected.report
    return dataclasses.replace(
        result,
        retrieval_map=report.mean_average_precision,
        hmean=report.detection.hmean,
        photos_per_s=round(report.photos_per_s, 2),
        transcript_weight=detected.encoder.info.transcript_weight,
        likelihood_weight=detected.encoder.info.likelihood_weight,
        recall_by_height=detected.recall,
    )


def validate_reading(
    model: SceneTextModel,
    items: Sequence[tuple[Path, str]],
    progress: Callable[[int], None] = lambda done: None,
) -> WordReport:
    """Measure the recognizer of ``model`` on word crops and their labels, each read once."""
    spotter = Spotter(TorchSceneEngine(model), Card(model.config).info)
    if spotter.recognizer is None:
        raise UsageError(f"model {model.config.name} has no recognizer to measure")
    return evaluate_words(spotter.recognizer, items, progress)


def make_query_encoder(model: SceneTextModel) -> QueryEncoder:
    """Return the query encoder of ``model``, without a calibration, which is fitted to its scores later."""
    tensors = {name: value.float().cpu().numpy() for name, value in model.text_embedder.state_dict().items()}
    info = dataclasses.replace(Card(model.config).info, calibration=())
    return QueryEncoder(tensors, model.config.embedder, info)


def recall_by_height(
    samples: Sequence[Sample], predictions: Predictions, longer_side: int
) -> dict[str, float]:
    """Return the share of legible words that are detected, by word height at the size of inference.

    Classes without a word are left out.
    """
    found: dict[str, list[bool]] = {f"{low}-{high}": [] for low, high in itertools.pairwise(HEIGHTS)}
    for sample in samples:
        plan = Resize(longer_side).plan(*read_image(sample.image).shape[:2])
        polygons = [instance.polygon for instance in suppress_overlaps(predictions.of(sample))]
        matched = {label for label, _ in match_detections(sample.words, polygons, sample.partial).pairs}
        for label, word in enumerate(sample.words):
            place = bisect.bisect_right(HEIGHTS, word_size(plan.scale(word.polygon))[0])
            if word.legible and 0 < place < len(HEIGHTS):
                found[f"{HEIGHTS[place - 1]}-{HEIGHTS[place]}"].append(label in matched)
    return {name: round(sum(hits) / len(hits), 3) for name, hits in found.items() if hits}


def _read_labelled(spotter: Spotter, samples: Sequence[Sample]) -> Predictions:
    instances = {}
    for sample in samples:
        polygons = [word.polygon for word in sample.words if word.legible]
        instances[sample.image] = spotter.read([read_image(sample.image)], [polygons])[0] if polygons else []
    return Predictions(instances, spotter.info.sha256, 0.0)


def _tune_weights(
    samples: Sequence[Sample], predictions: Predictions, encoder: QueryEncoder
) -> tuple[QueryEncoder, Report]:
    """Return ``encoder`` with the best weight of the transcript, then of the likelihood, and the report."""
    truth = BENCHMARKS[FOLDER].truth(samples)
    found, relevant = [predictions.of(sample) for sample in samples], truth.relevance()

    def best(encoders: Iterable[QueryEncoder]) -> QueryEncoder:
        return max(
            encoders,
            key=lambda each: mean_average_precision(
                relevant, photo_scores(truth.search_queries, found, each)
            ),
        )

    chosen = best(encoder.with_weights(transcript_weight, 0.0) for transcript_weight in TRANSCRIPT_WEIGHTS)
    if any(instance.ctc_posteriors for instances in found for instance in instances):
        chosen = best(
            chosen.with_weights(chosen.info.transcript_weight, share) for share in LIKELIHOOD_WEIGHTS
        )
    return chosen, score(truth, predictions, chosen)
