"""Measures as tables of known answers."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from stsearch.evaluation import metrics
from stsearch.evaluation.metrics import DetectionCounts
from stsearch.types import Polygon, WordLabel


@pytest.mark.parametrize(
    ("relevant", "scores", "expected"),
    [
        pytest.param([], [], 0.0, id="empty gallery"),
        pytest.param([0, 0], [0.9, 0.1], 0.0, id="nothing relevant"),
        pytest.param([1], [0.0], 1.0, id="single"),
        pytest.param([1, 1, 0, 0], [4, 3, 2, 1], 1.0, id="perfect"),
        pytest.param([0, 0, 1], [3, 2, 1], 1 / 3, id="last"),
        pytest.param([1, 0, 1, 0], [4, 3, 2, 1], (1 + 2 / 3) / 2, id="one gap"),
        pytest.param([0, 1, 0, 1], [1, 2, 3, 4], (1 + 2 / 3) / 2, id="unsorted"),
        pytest.param([1, 0, 0, 0], [0, 0, 0, 0], 1 / 4, id="all tied"),
        pytest.param([0, 0, 0, 1], [0, 0, 0, 0], 1 / 4, id="all tied, other order"),
        pytest.param([1, 0, 1, 0], [2, 1, 1, 0], (1 + 2 / 3) / 2, id="tie in the middle"),
        pytest.param([1, 1, 0, 1, 0], [2, 2, 2, 1, 1], 2 / 3 * 2 / 3 + 1 / 3 * 3 / 5, id="two ties"),
        pytest.param([1, 0], [-0.2, -0.1], 1 / 2, id="negative scores"),
    ],
)
def test_average_precision(relevant: list[int], scores: list[float], expected: float) -> None:
    result = metrics.average_precision(np.array(relevant, bool), np.array(scores, np.float32))
    assert result == pytest.approx(expected)


def by_definition(relevant: list[bool], scores: list[float]) -> float:
    """Walk down the distinct thresholds: the sum of precision times the growth of recall."""
    total, recall_before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        above = [hit for hit, score in zip(relevant, scores, strict=True) if score >= threshold]
        recall = sum(above) / sum(relevant)
        total += sum(above) / len(above) * (recall - recall_before)
        recall_before = recall
    return total


RANKINGS = st.lists(
    st.tuples(st.booleans(), st.sampled_from([-0.5, 0.0, 0.25, 0.5, 0.75, 1.0])), min_size=1, max_size=30
).filter(lambda pairs: any(hit for hit, _ in pairs))


@given(RANKINGS)
def test_average_precision_with_many_ties_follows_the_definition(pairs: list[tuple[bool, float]]) -> None:
    relevant, scores = map(list, zip(*pairs, strict=True))
    result = metrics.average_precision(np.array(relevant, bool), np.array(scores))
    assert result == pytest.approx(by_definition(relevant, scores))


@pytest.mark.slow
def test_average_precision_is_that_of_scikit_learn() -> None:
    reference = pytest.importorskip("sklearn.metrics").average_precision_score
    generator = np.random.default_rng(1)
    for size in (1, 2, 5, 40):
        for _ in range(20):
            relevant = generator.random(size) < 0.4
            relevant[generator.integers(size)] = True  # without any, scikit-learn warns, and returns 0 too
            scores = generator.integers(0, 5, size) / 4
            expected = reference(relevant, scores)
            assert metrics.average_precision(relevant, scores) == pytest.approx(expected)


def test_precision_and_recall_are_given_at_every_distinct_score() -> None:
    relevant, scores = np.array([1, 0, 1, 0], bool), np.array([0.9, 0.5, 0.5, 0.1])
    precision, recall = metrics.precision_recall(relevant, scores)
    assert precision.tolist() == [1.0, 2 / 3, 0.5]
    assert recall.tolist() == [0.5, 1.0, 1.0]


def test_mean_average_precision_is_the_mean_over_rows() -> None:
    relevant = np.array([[1, 0], [0, 1]], bool)
    assert metrics.mean_average_precision(relevant, np.array([[2.0, 1.0], [2.0, 1.0]])) == 0.75


def test_mean_average_precision_without_queries_is_zero() -> None:
    assert metrics.mean_average_precision(np.zeros((0, 3), bool), np.zeros((0, 3))) == 0.0


def box(x: float, width: float = 10.0) -> Polygon:
    """Return a box of height 10 at ``x``."""
    return np.array([[x, 0], [x + width, 0], [x + width, 10], [x, 10]], np.float32)


WORD, OTHER, UNREADABLE = (
    WordLabel(box(0), "EXIT", legible=True),
    WordLabel(box(100), "OPEN", legible=True),
    WordLabel(box(100), "", legible=False),
)
BOW_TIE = np.array([[0, 0], [10, 10], [10, 0], [0, 10]], np.float32)
POINT = np.zeros((4, 2), np.float32)


@pytest.mark.parametrize(
    ("words", "detections", "partial", "expected"),
    [
        pytest.param([], [], False, (0, 0, 0), id="nothing at all"),
        pytest.param([WORD], [], False, (0, 1, 0), id="missed"),
        pytest.param([], [box(0)], False, (0, 0, 1), id="false alarm"),
        pytest.param([WORD, OTHER], [box(101), box(1)], False, (2, 2, 2), id="all found"),
        pytest.param([WORD], [box(0), box(0)], False, (1, 1, 2), id="found twice"),
        pytest.param([WORD], [box(0, 20)], False, (0, 1, 1), id="IoU exactly one half"),
        pytest.param([WORD], [box(0, 19)], False, (1, 1, 1), id="IoU just above one half"),
        pytest.param([UNREADABLE], [], False, (0, 0, 0), id="don't care missed"),
        pytest.param([UNREADABLE], [box(100), box(104)], False, (0, 0, 0), id="don't care absorbs"),
        pytest.param([UNREADABLE], [box(105)], False, (0, 0, 1), id="half in don't care is counted"),
        pytest.param([OTHER, UNREADABLE], [box(100)], False, (0, 1, 0), id="don't care goes first"),
        pytest.param([WORD], [box(0), box(50)], True, (1, 1, 1), id="partial: false alarms are unknown"),
        pytest.param([WORD], [POINT, BOW_TIE], False, (0, 1, 2), id="degenerate detections"),
        pytest.param([WordLabel(POINT, "A", legible=True)], [POINT], False, (0, 1, 1), id="degenerate label"),
    ],
)
def test_detections_are_counted(
    words: list[WordLabel], detections: list[Polygon], partial: bool, expected: tuple[int, int, int]
) -> None:
    assert metrics.match_detections(words, detections, partial).counts == DetectionCounts(*expected)


def test_pairs_name_label_and_detection() -> None:
    assert metrics.match_detections([WORD, OTHER], [box(50), box(101), box(0)]).pairs == ((0, 2), (1, 1))


@pytest.mark.parametrize(
    ("counts", "precision", "recall", "hmean"),
    [
        pytest.param(DetectionCounts(), 0.0, 0.0, 0.0, id="empty"),
        pytest.param(DetectionCounts(0, 5, 0), 0.0, 0.0, 0.0, id="no detection"),
        pytest.param(DetectionCounts(1, 2, 4), 0.25, 0.5, 1 / 3, id="some"),
        pytest.param(DetectionCounts(1, 1, 3) + DetectionCounts(0, 1, 1), 0.25, 0.5, 1 / 3, id="sums add up"),
    ],
)
def test_ratios_of_detection_counts(
    counts: DetectionCounts, precision: float, recall: float, hmean: float
) -> None:
    assert (counts.precision, counts.recall) == (precision, recall)
    assert counts.hmean == pytest.approx(hmean)


READINGS = [
    pytest.param([], [], 0.0, 0.0, id="empty"),
    pytest.param(["Café-24!"], ["CAFE24"], 1.0, 1.0, id="folded"),
    pytest.param(["exit", "open"], ["exit", "oxen"], 0.5, 0.875, id="one letter off"),
    pytest.param(["exit"], [""], 0.0, 0.0, id="nothing read"),
    pytest.param(["&", "exit"], ["and", "exit"], 1.0, 1.0, id="label without benchmark characters left out"),
]


@pytest.mark.parametrize(("labels", "transcripts", "accuracy", "similarity"), READINGS)
def test_reading_measures(
    labels: list[str], transcripts: list[str], accuracy: float, similarity: float
) -> None:
    assert metrics.word_accuracy(labels, transcripts) == accuracy
    assert metrics.one_minus_ned(labels, transcripts) == similarity
