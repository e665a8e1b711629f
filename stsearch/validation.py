"""How good a network is in the middle of training: the figures that choose between checkpoints."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stsearch.benchmarks.catalogue import BENCHMARKS, FOLDER
from stsearch.calibration import Table, expected_calibration_error, fit_calibration, match_probability
from stsearch.cards import Card
from stsearch.data.readers import read_dataset, read_words
from stsearch.errors import UsageError
from stsearch.evaluate import Report, score
from stsearch.evaluate_words import WORD_RULE, WordReport, evaluate_words
from stsearch.geometry import word_size
from stsearch.image import Resize, read_image
from stsearch.metrics import match_detections
from stsearch.models.scene_text import SceneTextModel, freeze_prompts
from stsearch.predictions import Predictions, predict
from stsearch.proposals import keep_best
from stsearch.query_encoder import QueryEncoder
from stsearch.spotter import Spotter
from stsearch.types import ModelInfo, Sample
from stsearch.weights import load_model, save_model

LEAST_LIKELY = 0.1
"""Probability from which on pairs of query and photograph count in the calibration error."""

_PARTS = 5

FUSIONS = (0.0, 0.25, 0.5, 0.75, 1.0)
HEIGHTS = (8, 16, 32, 64, 128, 1280)
"""Bounds of the classes of word height, in pixels of a photograph at the size it is read at."""


@dataclass(frozen=True)
class Validation:
    """Figures in [0, 1] on validation photographs, by the query rule that ``stsearch eval`` prints."""

    photos: int
    queries: int
    labelled_map: float  # retrieval mAP when the labelled words are embedded instead of detected ones
    labelled_accuracy: float  # share of labelled words read exactly
    retrieval_map: float | None = None  # with our own detections; None: not run
    hmean: float | None = None  # of detection at IoU 0.5
    photos_per_s: float | None = None
    fusion: float | None = None  # share of the transcript that ranks best, of FUSIONS
    recall_by_height: dict[str, float] | None = None  # share of labelled words detected, by class of height
    calibration_error: float | None = None  # expected, of photographs unseen in fitting, from LEAST_LIKELY on

    @property
    def figure(self) -> float:
        """What checkpoints are chosen by."""
        return self.labelled_map if self.retrieval_map is None else self.retrieval_map

    @property
    def weaknesses(self) -> list[str]:
        """Return what is missed more often than found, in words."""
        recalls = (self.recall_by_height or {}).items()
        return [
            f"words {height} px high: only {recall:.0%} detected"
            for height, recall in recalls
            if recall < 0.5
        ]

    def summary(self) -> str:
        """Return one line for people."""
        line = f"labelled words: mAP {self.labelled_map:.3f}, read {self.labelled_accuracy:.3f}"
        if self.retrieval_map is not None:
            line = f"mAP {self.retrieval_map:.3f} · hmean {self.hmean:.3f} · {line}"
        return f"validation ({self.photos} photos, {self.queries} queries): {line}"


def validate(model: SceneTextModel, samples: Sequence[Sample], detect: bool) -> Validation:
    """Measure ``model`` on ``samples``; of the shares of the transcript in the ranking, the best counts."""
    return _validate(model, samples, detect)[0]


def _validate(
    model: SceneTextModel, samples: Sequence[Sample], detect: bool
) -> tuple[Validation, Report | None]:
    """Return figures and, with ``detect``, the report of the best ranking, its scores uncalibrated.

    Args:
        model: Any state; a folded copy is what runs.
        samples: Labelled photographs.
        detect: Whether to run detection as well; without it only labelled words are read.
    """
    info = Card(model.config).info
    spotter = Spotter(model, info)
    encoder = query_encoder_of(model)
    encoder.info = dataclasses.replace(info, calibration=())  # one is fitted to the scores as they are
    labelled = _best_score(samples, _read_labelled(spotter, samples, info), encoder)[1]
    result = Validation(
        photos=len(samples),
        queries=len(labelled.average_precision),
        labelled_map=labelled.mean_average_precision,
        labelled_accuracy=labelled.spotting.recall,
    )
    if not detect:
        return result, None
    predictions = predict(spotter, samples)
    fusion, report = _best_score(samples, predictions, encoder)
    result = dataclasses.replace(
        result,
        retrieval_map=report.mean_average_precision,
        hmean=report.detection.hmean,
        photos_per_s=round(report.photos_per_s, 2),
        fusion=fusion,
        recall_by_height=recall_by_height(samples, predictions, info.longer_side),
    )
    return result, report


def validate_reading(model: SceneTextModel, items: Sequence[tuple[Path, str]]) -> WordReport:
    """Measure the recognizer of ``model`` on word crops and their labels."""
    spotter = Spotter(model, Card(model.config).info)
    if spotter.reader is None:
        raise UsageError(f"model {model.config.name} has no recognizer to measure")
    return evaluate_words(spotter.reader, items)


def query_encoder_of(model: SceneTextModel) -> QueryEncoder:
    """Return the query side of ``model`` as it stands."""
    tensors = {name: value.float().cpu().numpy() for name, value in model.text_embedder.state_dict().items()}
    return QueryEncoder(tensors, model.config.embedder, Card(model.config).info)


def measure(
    folder: Path, sets: Sequence[Path], word_sets: Sequence[Path] = (), device: str = "auto"
) -> tuple[Card, Validation]:
    """Measure the weights in ``folder`` on labelled ``sets``; write what is found out to their card.

    That is figures, fusion and calibration. Their recognizer, if they have one, is measured on crops as
    well. The weights are made ready for use: their prompt is frozen.

    Raises:
        WeightsError, DataError: the weights or a set cannot be read.
        WriteError: the card cannot be written.
    """
    model, card = load_model(str(folder), device)
    samples = [sample for path in sets for sample in read_dataset(path)]
    result, report = _validate(model, samples, detect=True)
    freeze_prompts(model)
    table, error = calibrate(report) if report is not None else ((), None)
    result = dataclasses.replace(result, calibration_error=error)
    model.config = dataclasses.replace(model.config, fusion=result.fusion or 0.0, calibration=table)
    metrics = card_metrics(result, sets)
    if word_sets and model.recognizer is not None:
        items = [item for path in word_sets for item in read_words(path)]
        metrics |= card_metrics(validate_reading(model, items), word_sets)
    card = dataclasses.replace(card, metrics=metrics, known_failures=result.weaknesses)
    return save_model(folder, model, card), result


def calibrate(report: Report) -> tuple[Table, float]:
    """Return a calibration fitted to every query and photograph, and its expected error.

    The error is of photographs that the calibration was not fitted to, a fifth of them at a time, over all
    pairs whose probability is ``LEAST_LIKELY`` or more: nearly all others are sure not to match.
    """
    scores, matches = report.scores, report.truth.relevance()
    lengths = np.array([len(query) for query in report.truth.queries])
    likely = np.zeros(scores.shape, np.float32)
    part = np.arange(scores.shape[1]) % _PARTS
    for held_out in range(_PARTS):
        table = _fit(scores[:, part != held_out], lengths, matches[:, part != held_out])
        for row, length in enumerate(lengths.tolist()):
            held = scores[row, part == held_out]
            likely[row, part == held_out] = match_probability(held, length, table)
    counted = likely >= LEAST_LIKELY
    return _fit(scores, lengths, matches), expected_calibration_error(likely[counted], matches[counted])


def _fit(scores: NDArray[np.float32], lengths: NDArray[np.int64], matches: NDArray[np.bool_]) -> Table:
    return fit_calibration(scores.ravel(), np.repeat(lengths, scores.shape[1]), matches.ravel())


def card_metrics(result: Validation | WordReport, sets: Sequence[Path]) -> dict[str, Any]:  # Any: JSON
    """Return ``result`` as a card holds it: with the names of the sets and the rule."""
    figures = {"sets": [path.name for path in sets]} | dataclasses.asdict(result)
    if isinstance(result, WordReport):
        return {"words": {"rule": WORD_RULE} | figures}
    return {"validation": {"query_rule": BENCHMARKS[FOLDER].query_rule} | figures}


def recall_by_height(
    samples: Sequence[Sample], predictions: Predictions, longer_side: int
) -> dict[str, float]:
    """Return the share of legible words that are detected, by their height in a photograph as it is read.

    Classes without a word are left out.
    """
    found: dict[str, list[bool]] = {f"{low}-{high}": [] for low, high in itertools.pairwise(HEIGHTS)}
    for sample in samples:
        plan = Resize(longer_side).plan(*read_image(sample.image).shape[:2])
        polygons = [instance.polygon for instance in keep_best(predictions.of(sample))]
        matched = {label for label, _ in match_detections(sample.words, polygons, sample.partial).pairs}
        for label, word in enumerate(sample.words):
            place = bisect.bisect_right(HEIGHTS, word_size(plan.scale(word.polygon))[0])
            if word.legible and 0 < place < len(HEIGHTS):
                found[f"{HEIGHTS[place - 1]}-{HEIGHTS[place]}"].append(label in matched)
    return {name: round(sum(hits) / len(hits), 3) for name, hits in found.items() if hits}


def _read_labelled(spotter: Spotter, samples: Sequence[Sample], info: ModelInfo) -> Predictions:
    instances = {}
    for sample in samples:
        polygons = [word.polygon for word in sample.words if word.legible]
        instances[sample.image] = spotter.read([read_image(sample.image)], [polygons])[0] if polygons else []
    return Predictions(instances, info.sha256, 0.0)


def _best_score(
    samples: Sequence[Sample], predictions: Predictions, encoder: QueryEncoder
) -> tuple[float, Report]:
    """Return the share of the transcript that ranks best, and its report."""
    truth = BENCHMARKS[FOLDER].truth(samples)
    reports = [(fusion, score(truth, predictions, encoder, fusion)) for fusion in FUSIONS]
    return max(reports, key=lambda item: item[1].mean_average_precision)
