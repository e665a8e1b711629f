"""detected_outlines.py: labelled words, also as a detector outlines them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest

from stsearch.config import ProposalConfig
from stsearch.errors import ImageError
from stsearch.geometry.polygons import box
from stsearch.spotting.spotter import Spotter
from stsearch.training.detected_outlines import add_detected_outlines
from stsearch.types import Image, Polygon, Sample, TextInstance, WordLabel


class Proposer:
    """Proposes the outlines it was given."""

    def __init__(self, *polygons: Polygon) -> None:
        self.found = [TextInstance(polygon, 1.0, "x", 1.0, np.ones(4, np.float32)) for polygon in polygons]

    def propose(self, images: Sequence[Image], config: ProposalConfig) -> list[list[TextInstance]]:
        return [self.found for _ in images]


def outlined(sample: Sample, *polygons: Polygon) -> list[tuple[str, list[float]]]:
    (result,) = add_detected_outlines(cast(Spotter, Proposer(*polygons)), [sample])
    return [(word.transcript, word.polygon[0].tolist()) for word in result.words]


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    cv2.imwrite(str(tmp_path / "1.png"), np.zeros((60, 200, 3), np.uint8))
    words = (WordLabel(box(10, 10, 60, 30), "Bar", True), WordLabel(box(80, 10, 180, 30), "Coffee", True))
    return Sample(tmp_path / "1.png", words)


def test_an_outline_stands_for_the_word_that_it_holds(sample: Sample) -> None:
    assert outlined(sample, box(78, 8, 182, 33), box(9, 12, 58, 31)) == [
        ("Bar", [10, 10]),
        ("Coffee", [80, 10]),
        ("Coffee", [78, 8]),
        ("Bar", [9, 12]),
    ]


@pytest.mark.parametrize(
    "polygon",
    [
        pytest.param(box(80, 10, 140, 30), id="half of a word"),
        pytest.param(box(60, 0, 200, 60), id="a word in the middle of nothing"),
        pytest.param(box(10, 40, 60, 55), id="no word"),
    ],
)
def test_an_outline_of_anything_else_is_left_out(sample: Sample, polygon: Polygon) -> None:
    assert len(outlined(sample, polygon)) == 2


def test_illegible_words_and_photographs_without_others_get_none(tmp_path: Path) -> None:
    nowhere = Sample(tmp_path / "none.png", (WordLabel(box(0, 0, 9, 9), "", False),))
    assert outlined(nowhere, box(0, 0, 9, 9)) == [("", [0, 0])]


def test_a_photograph_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    gone = Sample(tmp_path / "gone.png", (WordLabel(box(0, 0, 9, 9), "a", True),))
    with pytest.raises(ImageError, match=r"gone\.png"):
        outlined(gone)
