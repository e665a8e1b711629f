from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pytest

from stsearch.config import RecognizerConfig
from stsearch.geometry.polygons import box, polygon_area
from stsearch.spotting.mirrored import flip, flip_polygon, has_mirrored_words, select_mirrored
from stsearch.spotting.recognition import RecognizerRunner
from stsearch.spotting.rescoring import CropReading
from stsearch.text.decoding import Reading
from stsearch.types import Image, Polygon, TextInstance


def word(text: str, confidence: float, score: float = 0.8, polygon: Polygon | None = None) -> TextInstance:
    outline = box(10, 10, 60, 30) if polygon is None else polygon
    return TextInstance(outline, score, text, confidence, np.zeros(4, np.float32))


class FlippedRecognizer(RecognizerRunner):
    """Reads every picture alike; keeps what it was shown."""

    def __init__(self, text: str, confidence: float) -> None:
        self.config = RecognizerConfig()
        self.reading = Reading(text, (confidence ** (1 / len(text)),) * len(text))
        self.shown: list[Image] = []

    def read_pictures(self, pictures: Iterable[Image], augment: bool = False) -> Iterator[CropReading]:
        for picture in pictures:
            self.shown.append(picture)
            yield CropReading(np.zeros((1, 1), np.float32), self.reading, b"", upside_down=False)


@pytest.fixture
def image() -> Image:
    picture = np.zeros((40, 100, 3), np.uint8)
    picture[:, 10:35] = 200
    return picture


def test_a_doubtful_word_that_is_read_surely_when_flipped_is_mirrored(image: Image) -> None:
    recognizer = FlippedRecognizer("SUSHI", 0.95)
    assert has_mirrored_words(image, [word("IHZUZ", 0.2)], recognizer)
    [shown] = recognizer.shown
    assert shown[32, 8, 0] == 0
    assert shown[32, -40, 0] == 200


@pytest.mark.parametrize(
    ("text", "confidence"),
    [
        pytest.param("SUSHI", 0.7, id="doubtful"),
        pytest.param("WOD", 0.95, id="short"),
        pytest.param("9280", 0.95, id="digits"),
    ],
)
def test_a_word_that_is_not_read_surely_when_flipped_is_none(
    image: Image, text: str, confidence: float
) -> None:
    assert not has_mirrored_words(image, [word("IHZUZ", 0.2)], FlippedRecognizer(text, confidence))


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(word("SUSHI", 0.9), id="certain"),
        pytest.param(word("IHZUZ", 0.2, score=0.1), id="hardly outlined"),
        pytest.param(word("IH", 0.2), id="short"),
    ],
)
def test_other_words_are_not_tried(image: Image, read: TextInstance) -> None:
    recognizer = FlippedRecognizer("SUSHI", 0.95)
    assert not has_mirrored_words(image, [read], recognizer)
    assert recognizer.shown == []


def test_the_outline_of_a_mirrored_word_lies_in_the_photograph_and_runs_clockwise() -> None:
    bent = np.array([[0, 5], [20, 0], [40, 5], [40, 15], [20, 10], [0, 15]], np.float32)
    flipped = flip_polygon(bent, 100)
    assert flipped.tolist() == [[60, 5], [80, 0], [100, 5], [100, 15], [80, 10], [60, 15]]
    assert polygon_area(flipped) == polygon_area(bent) > 0


def test_a_flipped_photograph_is_flipped_left_to_right(image: Image) -> None:
    assert (flip(image)[:, ::-1] == image).all()


def test_mirrored_words_come_back_in_the_frame_of_the_photograph() -> None:
    [found] = select_mirrored([word("SUSHI", 0.95)], [word("IHZUZ", 0.2)], 100)
    assert found.transcript == "SUSHI"
    assert found.polygon.tolist() == box(40, 10, 90, 30).tolist()


@pytest.mark.parametrize(
    ("found", "read"),
    [
        pytest.param(word("SUSHI", 0.7), [], id="doubtful"),
        pytest.param(word("of", 0.99), [], id="short"),
        pytest.param(word("SUSHI", 0.95), [word("MOTION", 0.97, polygon=box(42, 8, 88, 30))], id="no mirror"),
    ],
)
def test_what_may_be_no_mirrored_word_is_left_out(found: TextInstance, read: list[TextInstance]) -> None:
    assert select_mirrored([found], read, 100) == []
