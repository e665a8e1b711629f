"""Which of overlapping instances are read, kept, and counted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from stsearch.config import ProposalConfig
from stsearch.spotting.proposals import (
    filter_proposals,
    filter_readings,
    group_outlines,
    suppress_overlaps,
    word_confidence,
)
from stsearch.types import TextInstance


def instance(left: float, width: float, transcript: str, confidence: float) -> TextInstance:
    box = np.array([[left, 0], [left + width, 0], [left + width, 20], [left, 20]], np.float32)
    return TextInstance(box, 1.0, transcript, confidence, np.zeros(4, np.float32))


WHOLE = instance(0, 100, "heroes", 0.7)
FRAGMENT = instance(40, 20, "r", 0.8)
BESIDE = instance(100, 30, "of", 0.5)
ALL = (FRAGMENT, BESIDE, WHOLE)


def texts(instances: list[TextInstance]) -> list[str]:
    return [each.transcript for each in instances]


def test_of_overlapping_instances_the_most_certain_a_character_stays() -> None:
    assert texts(suppress_overlaps(ALL)) == ["heroes", "of"]


def test_all_ways_to_read_a_place_are_kept_the_most_certain_first() -> None:
    assert texts(filter_readings(ALL, ProposalConfig())) == ["heroes", "r", "of"]


def test_the_same_reading_of_a_place_is_kept_once() -> None:
    again = instance(2, 98, "Heroes!", 0.5)
    elsewhere = instance(200, 98, "heroes", 0.5)
    kept = filter_readings([again, WHOLE, elsewhere], ProposalConfig())
    assert [(each.transcript, each.polygon[0, 0]) for each in kept] == [("heroes", 0), ("heroes", 200)]


def test_what_was_read_in_doubt_is_forgotten() -> None:
    assert texts(filter_readings(ALL, ProposalConfig(min_reading_confidence=0.75))) == ["heroes", "r"]


def test_what_is_hardly_a_word_is_not_read() -> None:
    assert texts(filter_proposals(ALL, ProposalConfig(min_proposal_confidence=0.75))) == ["heroes", "r"]


@pytest.mark.parametrize(("limit", "read"), [(0.7, ["heroes"]), (0.9, ["heroes", "heroe"])])
def test_of_nearly_equal_outlines_the_most_certain_is_read(limit: float, read: list[str]) -> None:
    shorter = instance(0, 80, "heroe", 0.5)
    assert texts(filter_proposals([shorter, WHOLE], ProposalConfig(duplicate_iou=limit))) == read


def test_of_overlapping_outlines_that_are_read_alike_one_is_read() -> None:
    shorter, other = instance(0, 70, "Heroes!", 0.5), instance(0, 70, "heroe", 0.5)
    elsewhere = instance(50, 70, "heroes", 0.5)
    read = filter_proposals([shorter, other, elsewhere, WHOLE], ProposalConfig())
    assert [(each.transcript, each.polygon[0, 0]) for each in read] == [
        ("heroes", 0),
        ("heroes", 50),
        ("heroe", 0),
    ]


def test_the_score_is_the_share_of_outlines_that_agree() -> None:
    proposed = [
        dataclasses.replace(each, score=0.25) for each in (WHOLE, instance(2, 98, "heroes", 0.5), BESIDE)
    ]
    scores = {each.transcript: each.score for each in filter_proposals(proposed, ProposalConfig())}
    assert scores["of"] == pytest.approx((0.25 * 0.5**0.5 + 0.05) / 1.05)
    assert scores["heroes"] == pytest.approx((0.25 * (0.7 ** (1 / 6) + 0.5 ** (1 / 6)) + 0.05) / 1.05)


def test_an_outline_that_others_agree_with_is_more_certain_and_a_lonely_one_no_word() -> None:
    lonely = dataclasses.replace(BESIDE, score=0.06)
    assert word_confidence(lonely) < word_confidence(BESIDE)
    assert texts(suppress_overlaps([lonely, WHOLE])) == ["heroes"]
    assert texts(filter_readings([lonely, WHOLE], ProposalConfig())) == ["heroes", "of"]


def test_nearly_equal_outlines_are_grouped_under_the_first() -> None:
    polygons = [each.polygon for each in (WHOLE, BESIDE, instance(1, 99, "", 1), instance(0, 99, "", 1))]
    assert group_outlines(polygons, 0.8) == {0: 3, 1: 1}


def test_nothing_proposed_is_nothing_read() -> None:
    assert group_outlines([], 0.8) == {}
    assert filter_proposals([], ProposalConfig()) == []
    assert filter_readings([], ProposalConfig()) == []
