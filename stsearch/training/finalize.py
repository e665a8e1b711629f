"""Final evaluation of weights: figures, ranking weights and calibration, written to their card."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stsearch.datasets.labelled_folder import read_dataset, read_words
from stsearch.errors import UsageError
from stsearch.evaluation.catalogue import BENCHMARKS, FOLDER, with_min_length
from stsearch.evaluation.predictions import Predictions, predict
from stsearch.evaluation.recognition import WORD_RULE, WordReport, evaluate_words, joined
from stsearch.evaluation.scoring import Report, score
from stsearch.models.scene_text import SceneTextModel, freeze_prompts
from stsearch.search.calibration import Table, expected_calibration_error, fit_calibration, match_probability
from stsearch.search.query_encoder import QueryEncoder, load_query_encoder
from stsearch.spotting.load import load_spotter
from stsearch.spotting.recognition import RecognizerRunner
from stsearch.training.validation import (
    Validation,
    add_detection,
    predict_and_tune,
    thin_out,
    validate_labelled,
)
from stsearch.types import ModelInfo, Sample
from stsearch.weights.card import Card
from stsearch.weights.io import load_model, save_model

MIN_PROBABILITY = 0.1
"""Pairs of query and photograph count in the calibration error from this probability on."""

_FOLDS = 5

Figures = dict[str, Any]  # Any: JSON


def measure(
    folder: Path,
    sets: Sequence[Path],
    word_sets: Sequence[Path] = (),
    device: str = "auto",
    more_sets: Sequence[Path] = (),
    strides: tuple[int, int] = (1, 1),
) -> tuple[Card, Validation]:
    """Measure the weights in ``folder`` and write figures, ranking weights and calibration to their card.

    First the prompt is frozen. The figures are of what a user runs: of the graphs in 8 bits on a CPU, if the
    weights have been exported (``training.export``).

    Args:
        folder: of the weights.
        sets: labelled photographs of one gallery, on which ranking weights and calibration are chosen.
        word_sets: word crops for their recognizer, if they have one.
        device: to measure on.
        more_sets: labelled photographs that choose nothing, each a gallery of its own.
        strides: every such photograph and crop of the sets takes part, where time is short.

    Raises:
        WeightsError, DataError: the weights or a set cannot be read.
        UsageError: two sets are called the same.
        WriteError: the card cannot be written.
    """
    _check_names([*sets, *more_sets])
    _check_names(word_sets)
    model, card = load_model(str(folder), device)
    samples_of = {path.name: thin_out(read_dataset(path), strides[0]) for path in sets}
    samples = [sample for some in samples_of.values() for sample in some]
    freeze_prompts(model)
    card = save_model(folder, model, card)
    spotter = load_spotter(str(folder), device)
    # A calibration is fitted to raw scores: the card may hold one from before.
    encoder = load_query_encoder(str(folder)).without_calibration()
    detected = predict_and_tune(spotter.for_indexing(), samples, encoder)
    result = add_detection(validate_labelled(spotter, samples, encoder), detected)
    encoder = detected.encoder
    figures = _score_sets(samples_of, detected.predictions, encoder)
    for path in more_sets:
        more = {path.name: read_dataset(path)}
        figures |= _score_sets(more, predict(spotter, more[path.name]), encoder)
    # Words of one or two characters, which are no queries of the benchmark, match by chance most of all.
    every_length = with_min_length(BENCHMARKS[FOLDER], 1).truth(samples)
    table, error = calibrate(score(every_length, detected.predictions, encoder))
    metrics = card_metrics(result, sets)
    metrics["validation"] |= {"calibration_error": error, "by_set": figures}
    if word_sets and spotter.recognizer is not None:
        metrics |= _measure_reading(spotter.recognizer, word_sets, strides[1])
    _set_ranking(model, encoder.info, table)
    card = dataclasses.replace(card, metrics=metrics, known_failures=result.weaknesses)
    return save_model(folder, model, card), result


def _check_names(sets: Sequence[Path]) -> None:
    """Check that figures can be told apart by the names of their sets.

    Raises:
        UsageError: two sets are called the same.
    """
    names = [path.name for path in sets]
    for path in sets:
        if names.count(path.name) > 1:
            raise UsageError(f"two sets are called {path.name}, and figures go by that name: rename {path}")


def _set_ranking(model: SceneTextModel, info: ModelInfo, calibration: Table) -> None:
    model.config = dataclasses.replace(
        model.config,
        transcript_weight=info.transcript_weight,
        likelihood_weight=info.likelihood_weight,
        calibration=calibration,
    )


def calibrate(report: Report) -> tuple[Table, float]:
    """Return a calibration fitted to all pairs of query and photograph, and its expected error.

    The error is cross-validated over five folds of photographs, on pairs whose probability is
    ``MIN_PROBABILITY`` or more: nearly all others do not match.
    """
    scores, matches = report.scores, report.truth.relevance()
    lengths = np.array([len(query) for query in report.truth.queries])
    likely = np.zeros(scores.shape, np.float32)
    fold = np.arange(scores.shape[1]) % _FOLDS
    for held_out in range(_FOLDS):
        table = _fit(scores[:, fold != held_out], lengths, matches[:, fold != held_out])
        for row, length in enumerate(lengths.tolist()):
            held = scores[row, fold == held_out]
            likely[row, fold == held_out] = match_probability(held, length, table)
    counted = likely >= MIN_PROBABILITY
    return _fit(scores, lengths, matches), expected_calibration_error(likely[counted], matches[counted])


def _fit(scores: NDArray[np.float32], lengths: NDArray[np.int64], matches: NDArray[np.bool_]) -> Table:
    return fit_calibration(scores.ravel(), np.repeat(lengths, scores.shape[1]), matches.ravel())


def card_metrics(result: Validation | WordReport, sets: Sequence[Path]) -> Figures:
    """Return ``result`` for a card, with the names of its sets and its rule."""
    figures = {"sets": [path.name for path in sets]} | dataclasses.asdict(result)
    if isinstance(result, WordReport):
        return {"words": {"rule": WORD_RULE} | figures}
    return {"validation": {"query_rule": BENCHMARKS[FOLDER].query_rule} | figures}


def _score_sets(
    samples_of: Mapping[str, Sequence[Sample]], predictions: Predictions, encoder: QueryEncoder
) -> Figures:
    """Return the figures of ``stsearch eval`` for each set alone, ratios in [0, 1]."""
    figures = {}
    for name, samples in samples_of.items():
        report = score(BENCHMARKS[FOLDER].truth(samples), predictions, encoder)
        figures[name] = {
            "photos": report.photos,
            "queries": len(report.average_precision),
            "map": report.mean_average_precision,
            "precision": report.detection.precision,
            "recall": report.detection.recall,
            "hmean": report.detection.hmean,
            "spotted": report.spotting.recall,
        }
    return figures


def _measure_reading(recognizer: RecognizerRunner, word_sets: Sequence[Path], stride: int) -> Figures:
    reports = {
        path.name: evaluate_words(recognizer, read_words(path)[::stride], augment=True) for path in word_sets
    }
    metrics = card_metrics(joined(list(reports.values())), word_sets)
    metrics["words"]["by_set"] = {name: dataclasses.asdict(report) for name, report in reports.items()}
    return metrics
