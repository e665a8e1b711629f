from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from stsearch.errors import DataError
from stsearch.evaluation.recognition import WordReport, evaluate_words, joined
from stsearch.spotting.recognition import RecognizerRunner
from stsearch.spotting.rescoring import CropReading
from stsearch.text.charset import Charset
from stsearch.text.decoding import best_reading
from stsearch.types import Image


class GreyReader(RecognizerRunner):
    """Reads "a" in a dark picture and "b" in a light one."""

    def __init__(self) -> None:
        """Need no recognizer."""

    def read_pictures(self, pictures: Iterable[Image], augment: bool = False) -> Iterator[CropReading]:
        for picture in pictures:
            table = np.eye(3, dtype=np.float32)[[2 if augment or picture.mean() > 100 else 1, 0]]
            yield CropReading(table, best_reading(table, Charset("ab")), b"", False)


@pytest.fixture
def items(tmp_path: Path) -> list[tuple[Path, str]]:
    labels = {"dark.png": ("A!", 20), "light.png": ("bb", 200), "sign.png": ("?!", 200)}
    for name, (_, grey) in labels.items():
        cv2.imwrite(str(tmp_path / name), np.full((10, 30, 3), grey, np.uint8))
    return [(tmp_path / name, label) for name, (label, _) in labels.items()]


def test_words_are_compared_in_36_characters_and_signs_left_out(items: list[tuple[Path, str]]) -> None:
    done: list[int] = []
    report = evaluate_words(GreyReader(), items, done.append)
    assert (report.words, report.accuracy, report.ned) == (2, 0.5, 0.75)
    assert done == [3]
    assert report.augmented_accuracy is None
    assert "50.0% read right" in report.summary()


def test_test_time_augmentation_is_reported_beside_one_reading(items: list[tuple[Path, str]]) -> None:
    report = evaluate_words(GreyReader(), items, augment=True)
    assert (report.accuracy, report.augmented_accuracy, report.augmented_ned) == (0.5, 0.0, 0.25)
    assert "with test-time augmentation 0.0%" in report.summary()


def test_labels_without_a_letter_leave_nothing_to_measure(items: list[tuple[Path, str]]) -> None:
    with pytest.raises(DataError, match="nothing to measure"):
        evaluate_words(GreyReader(), items[2:])


def test_crops_may_be_bytes(items: list[tuple[Path, str]]) -> None:
    report = evaluate_words(GreyReader(), ((path.read_bytes(), label) for path, label in items[:2]))
    assert (report.words, report.accuracy) == (2, 0.5)


def test_two_reports_joined_are_that_of_all_their_words() -> None:
    both = joined([WordReport(100, 0.5, 0.8, 50.0), WordReport(300, 0.9, 1.0, 100.0)])
    assert (both.words, both.words_per_s) == (400, 80.0)
    assert (both.accuracy, both.ned) == pytest.approx((0.8, 0.95))
    assert both.augmented_accuracy is None
    once_more = joined([WordReport(100, 0.5, 0.8, 50.0, 0.6, 0.9), WordReport(100, 0.5, 0.8, 50.0, 0.8, 1.0)])
    assert (once_more.augmented_accuracy, once_more.augmented_ned) == pytest.approx((0.7, 0.95))
