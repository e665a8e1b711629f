"""Which queries a rule makes of labels, and which photographs answer them."""

from __future__ import annotations

from pathlib import Path

import pytest
from eval_fixtures import SAMPLES, label

from stsearch.errors import DataError
from stsearch.evaluation.benchmark import GroundTruth
from stsearch.evaluation.catalogue import BENCHMARKS, with_min_length
from stsearch.types import Sample

A, B, C = Path("a.jpg"), Path("b.jpg"), Path("c.jpg")


def ask(name: str, *transcripts: list[str]) -> dict[str, set[Path]]:
    """Return what a benchmark asks of the photographs A, B and C with these labels."""
    words = [tuple(map(label, each)) for each in transcripts]
    samples = [Sample(path, labels) for path, labels in zip((A, B, C), words, strict=False)]
    return {query: set(photos) for query, photos in BENCHMARKS[name].truth(samples).relevant.items()}


def test_queries_are_the_distinct_folded_readable_words_of_three_or_more_characters() -> None:
    assert BENCHMARKS["folder"].truth(SAMPLES).queries == ["exit", "open"]


def test_shorter_queries_can_be_asked_for() -> None:
    assert with_min_length(BENCHMARKS["folder"], 2).truth(SAMPLES).queries == ["24", "exit", "open"]


def test_labels_without_a_query_are_refused() -> None:
    with pytest.raises(DataError, match="no readable word of 5 or more"):
        with_min_length(BENCHMARKS["folder"], 5).truth(SAMPLES)


def test_relevance_is_by_query_and_photograph() -> None:
    assert BENCHMARKS["folder"].truth(SAMPLES).relevance().tolist() == [
        [True, True, False],
        [True, False, False],
    ]


def test_a_word_within_a_longer_word_is_not_relevant() -> None:
    assert ask("folder", ["exited"], ["exit"]) == {"exited": {A}, "exit": {B}}


def test_svt_asks_for_every_tag_short_ones_and_punctuation_too() -> None:
    assert ask("svt", ["A", "&", "Joe's"], ["JOE'S"]) == {"a": {A}, "&": {A}, "joe's": {A, B}}


def test_mstar_asks_for_split_words_of_more_than_two_characters() -> None:
    expected = {"john": {A}, "bar": {A}, "l'eau": {A}}
    assert ask("total-text-mstar", ["'St. John'", "BAR # 24!", "L'eau"]) == expected


def test_mstar_asks_for_the_words_of_the_most_photographs_not_of_the_most_labels() -> None:
    many = [f"word{number}" for number in range(60)]
    asked = ask("total-text-mstar", [*many, *["often"] * 9, "both"], ["both"])
    assert len(asked) == 60
    assert asked["both"] == {A, B}
    assert set(asked) & {"often", "word9", "word8", "word58"} == {"often", "word58"}


def test_equally_frequent_words_do_not_depend_on_the_order_of_photographs() -> None:
    many = [[f"word{number}"] for number in range(150)]
    samples = [Sample(Path(f"{number}.jpg"), tuple(map(label, words))) for number, words in enumerate(many)]
    rule = BENCHMARKS["ctw1500"]
    assert rule.truth(samples).queries == rule.truth(samples[::-1]).queries


def test_pstr_asks_for_whole_transcripts_labelled_four_times() -> None:
    assert ask("total-text-pstr", ["Joe's Bar"] * 3, ["JOES BAR", "Pub"], ["Pub"] * 2) == {"joesbar": {A, B}}


def test_tdsl_asks_for_whole_transcripts_labelled_five_times() -> None:
    assert ask("icdar15-tdsl", ["EXIT"] * 4 + ["Open"] * 4, ["exit!"]) == {"exit": {A, B}}


def test_icdar15_rules_keep_what_follows_the_last_comma() -> None:
    assert ask("icdar15-mstar", ["Mon,Tue", "1,500"]) == {"tue": {A}, "500": {A}}
    assert ask("icdar15-tdsl", ["Mon,Tue"] * 5) == {"tue": {A}}


def test_mstar_drops_the_word_ale_after_folding_and_so_keeps_it() -> None:
    assert ask("icdar15-mstar", ["ALE"]) == {"ale": {A}}


def test_a_copy_that_differs_from_the_published_one_is_called_so() -> None:
    truth = BENCHMARKS["svt"].truth([Sample(A, (label("exit"),))])
    assert "1 photographs and 1 queries, published figures are for 249 and 427" in truth.deviation


def test_a_copy_of_the_published_size_is_not() -> None:
    samples = [Sample(Path(f"{number}.jpg"), ()) for number in range(233)]
    assert GroundTruth(BENCHMARKS["icdar13"], samples, {}).deviation == ""
    assert BENCHMARKS["folder"].truth(SAMPLES).deviation == ""
