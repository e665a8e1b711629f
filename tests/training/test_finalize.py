"""What weights are measured for, and what their card says afterwards."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from eval_fixtures import FOUND, SAMPLES, FakeEncoder
from train_fixtures import write_crops, write_photographs

from stsearch.errors import UsageError
from stsearch.evaluation.benchmark import GroundTruth
from stsearch.evaluation.catalogue import BENCHMARKS
from stsearch.evaluation.predictions import Predictions
from stsearch.evaluation.scoring import Report, score
from stsearch.models.recognizer import Recognizer
from stsearch.models.scene_text import SceneTextModel
from stsearch.search.calibration import match_probability
from stsearch.search.query_encoder import QueryEncoder
from stsearch.training import finalize
from stsearch.training.finalize import calibrate, measure
from stsearch.types import Sample, Scene
from stsearch.weights.card import Card
from stsearch.weights.io import save_model


@pytest.mark.slow
def test_the_card_holds_the_figures_of_all_sets_together_and_of_each(
    micro_model: SceneTextModel, micro_recognizer: Recognizer, word_scene: Scene, tmp_path: Path
) -> None:
    micro_model.recognizer = micro_recognizer
    micro_model.config = dataclasses.replace(micro_model.config, recognizer=micro_recognizer.config)
    folder = tmp_path / "weights"
    save_model(folder, micro_model, Card(micro_model.config))
    sets = [write_photographs(tmp_path / name, word_scene, count) for name, count in (("one", 3), ("two", 2))]
    more = write_photographs(tmp_path / "more", word_scene, 1)
    card, result = measure(folder, sets, [write_crops(tmp_path / "crops", word_scene)], "cpu", [more])
    validation = card.metrics["validation"]
    assert (validation["photos"], validation["sets"]) == (5, ["one", "two"])
    assert validation["retrieval_map"] == result.retrieval_map
    assert {name: figures["photos"] for name, figures in validation["by_set"].items()} == {
        "one": 3,
        "two": 2,
        "more": 1,
    }
    assert validation["by_set"]["more"]["queries"] == 1
    assert 0 <= validation["calibration_error"] <= 1
    assert card.metrics["words"]["by_set"]["crops"]["words"] == 1
    assert card.config.transcript_weight == result.transcript_weight
    assert len(card.config.calibration) > 0


@pytest.mark.slow
def test_weights_measured_again_are_calibrated_by_their_raw_scores(
    micro_model: SceneTextModel, word_scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted: list[QueryEncoder] = []

    def watched(truth: GroundTruth, predictions: Predictions, encoder: QueryEncoder) -> Report:
        fitted.append(encoder)
        return score(truth, predictions, encoder)

    monkeypatch.setattr(finalize, "score", watched)
    micro_model.config = dataclasses.replace(micro_model.config, calibration=((0.0, 0.5), (0.0, 0.5)))
    save_model(tmp_path / "weights", micro_model, Card(micro_model.config))
    measure(tmp_path / "weights", [write_photographs(tmp_path / "one", word_scene, 3)], device="cpu")
    assert {encoder.info.calibration for encoder in fitted} == {()}


def test_sets_of_one_name_are_refused_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"two sets are called svt, .*: rename .*a/svt"):
        measure(tmp_path, [tmp_path / "a" / "svt"], more_sets=[tmp_path / "b" / "svt"])


def test_a_calibration_is_judged_on_photographs_it_was_not_fitted_to() -> None:
    random = np.random.default_rng(1)
    samples = [Sample(Path(f"{number}.jpg"), ()) for number in range(300)]
    matches = random.random((40, 300)) < 0.05
    relevant = {
        f"query{row:02}": frozenset(samples[at].image for at in np.flatnonzero(matches[row]))
        for row in range(40)
    }
    scores = np.where(matches, random.uniform(0.6, 1, matches.shape), random.uniform(0.2, 0.8, matches.shape))
    truth = GroundTruth(BENCHMARKS["folder"], samples, relevant)
    report = dataclasses.replace(
        score(BENCHMARKS["folder"].truth(SAMPLES), FOUND, FakeEncoder()),
        truth=truth,
        scores=scores.astype(np.float32),
    )
    table, error = calibrate(report)
    none, half, all_ = match_probability(np.array([0.4, 0.7, 0.95], np.float32), 7, table)
    assert none < 0.05
    assert 0.05 < half < 0.4  # of those that score so, one in eight matches
    assert all_ > 0.9
    assert error < 0.15
