"""What a report counts, and how photographs are ranked."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from eval_fixtures import FOUND, SAMPLES, FakeEncoder, instance, label

from stsearch.errors import DataError
from stsearch.evaluation.benchmark import GroundTruth
from stsearch.evaluation.catalogue import BENCHMARKS, with_min_length
from stsearch.evaluation.metrics import DetectionCounts
from stsearch.evaluation.scoring import photo_scores, score
from stsearch.search.query import Query
from stsearch.types import Sample, TextInstance

FOLDER_RULES = BENCHMARKS["folder"]
TRUTH = FOLDER_RULES.truth(SAMPLES)


def rank(name: str, queries: list[str], found: list[list[TextInstance]]) -> list[list[float]]:
    """Return the scores of photographs for the queries of a benchmark, the transcript alone deciding."""
    photos = {query: frozenset[Path]() for query in queries}
    truth = GroundTruth(BENCHMARKS[name], [], photos)
    return photo_scores(truth.search_queries, found, FakeEncoder(1.0)).tolist()  # type: ignore[no-any-return]


def test_a_photograph_scores_as_its_best_instance_and_zero_without_any() -> None:
    found = [[instance("abcd"), instance("exit")], [instance("exif")], []]
    assert rank("folder", ["exit"], found) == [[1.0, 0.75, 0.0]]


@pytest.mark.parametrize("name", ["fdp-phrases", "mqtr"])
def test_a_query_of_the_phrase_sets_asks_for_neighbours_in_reading_order(name: str) -> None:
    neighbours = [instance("open"), instance("24", 12)]
    apart = [instance("open"), instance("24", 90)]
    backwards = [instance("24"), instance("open", 12)]
    assert rank(name, ["Open 24!", "24"], [neighbours, apart, backwards]) == [
        [1.0, 0.0, 0.0],
        [1.0, 1.0, 1.0],
    ]


def test_what_means_something_in_the_query_language_is_punctuation_in_a_benchmark() -> None:
    found = [[instance("24"), instance("or", 50)], [instance("ex", 50)]]
    assert rank("svt", ['-24 "or', "e*x"], found)[0] == [1.0, 0.0]
    assert rank("svt", ["e*x"], found)[0][1] == 1.0


def test_a_query_of_two_words_scores_as_their_mean() -> None:
    found = [[instance("exit"), instance("open")], [instance("exit")]]
    assert rank("svt", ["exit open"], found) == [[1.0, 0.5]]


def test_rank_without_any_instance_is_zero() -> None:
    assert rank("folder", ["exit"], [[], []]) == [[0.0, 0.0]]


def test_report_counts_retrieval_detection_and_reading() -> None:
    report = score(TRUTH, FOUND, FakeEncoder(0.5))
    assert report.average_precision == {"exit": 1.0, "open": 1.0}
    assert report.mean_average_precision == 1.0
    assert report.detection == DetectionCounts(matched=4, labels=4, detections=4)
    assert report.spotting == DetectionCounts(matched=2, labels=3, detections=4)
    assert (report.photos, report.photos_per_s, report.weights_sha256) == (3, 2.0, "5ha")


def test_report_states_the_query_rule() -> None:
    report = score(with_min_length(FOLDER_RULES, 2).truth(SAMPLES), FOUND, FakeEncoder())
    assert report.query_rule.startswith("every distinct readable word of 2 or more characters")
    assert list(report.average_precision) == ["24", "exit", "open"]


def test_photographs_of_one_name_in_two_folders_are_told_apart() -> None:
    swapped = dataclasses.replace(FOUND, instances=dict(reversed(list(FOUND.instances.items()))))
    assert score(TRUTH, swapped, FakeEncoder()).mean_average_precision == 1.0


def test_false_alarms_of_partly_labelled_photographs_are_not_counted() -> None:
    samples = [dataclasses.replace(SAMPLES[0], partial=True)]
    found = {samples[0].image: [instance("EXIT", 50), instance("MORE", 90)]}
    report = score(FOLDER_RULES.truth(samples), dataclasses.replace(FOUND, instances=found), FakeEncoder())
    assert report.detection == DetectionCounts(matched=1, labels=2, detections=1)


def test_a_word_that_can_be_read_in_two_ways_is_detected_once_and_answers_both() -> None:
    photo = SAMPLES[0]
    more = dataclasses.replace(FOUND, instances={photo.image: [*FOUND.of(photo), instance("EX", 0)]})
    truth = FOLDER_RULES.truth([photo])
    once, twice = (score(truth, found, FakeEncoder()) for found in (FOUND, more))
    assert once.detection == twice.detection
    assert rank("folder", ["ex"], [list(more.of(photo))]) == [[1.0]]


def test_predictions_of_other_weights_are_refused() -> None:
    with pytest.raises(DataError, match="made with weights 0ld"):
        score(TRUTH, dataclasses.replace(FOUND, weights_sha256="0ld"), FakeEncoder())


def test_a_photograph_without_predictions_is_named() -> None:
    other = Sample(Path("c/9.jpg"), (label("exit"),))
    with pytest.raises(DataError, match=r"do not cover c/9\.jpg"):
        score(FOLDER_RULES.truth([other]), FOUND, FakeEncoder())


def test_a_query_without_letter_or_digit_counts_and_finds_nothing() -> None:
    found = [[instance("exit")], []]
    assert rank("svt", ["&", "exit"], found) == [[0.0, 0.0], [1.0, 0.0]]
    assert rank("mqtr", ["&"], found) == [[0.0, 0.0]]


def test_a_dissimilar_instance_scores_no_less_than_a_photograph_without_any() -> None:
    opposite = dataclasses.replace(instance("zzzz"), embedding=-FakeEncoder()(["exit"])[0])
    assert photo_scores([Query("exit")], [[opposite], []], FakeEncoder(0.0)).tolist() == [[0.0, 0.0]]


def test_ranking_asks_the_clock_for_the_time_of_a_query() -> None:
    ticks = iter([10.0, 10.5])
    report = score(TRUTH, FOUND, FakeEncoder(), clock=lambda: next(ticks))
    assert report.ms_per_query == 250.0


def test_what_labels_do_not_allow_is_not_measured() -> None:
    truth = BENCHMARKS["svt"].truth(SAMPLES)
    report = score(truth, FOUND, FakeEncoder())
    assert report.measures == {"retrieval"}
    assert report.detection == DetectionCounts()
    assert report.scoring_rule.startswith("mAP is the mean")
    assert "Detection" not in report.scoring_rule


def test_detection_without_queries_states_its_own_rule() -> None:
    report = score(BENCHMARKS["td500"].truth(SAMPLES), FOUND, FakeEncoder())
    assert report.measures == {"detection"}
    assert report.scoring_rule.startswith("Detection: one to one at IoU > 0.5")
    assert "difficult text lines don't care" in report.scoring_rule
    assert report.scores.shape == (0, 3)
