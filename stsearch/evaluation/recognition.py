"""The word recognition benchmark: the share of word crops that are read right."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from stsearch.batching import batched
from stsearch.errors import DataError
from stsearch.evaluation import metrics
from stsearch.images import read_image
from stsearch.spotting.recognition import RecognizerRunner
from stsearch.text.charset import normalize

WORD_RULE = (
    "a word is right when it equals its label in lower case, letters and digits only; labels without any are"
    " left out; ned is 1 - normalised edit distance, the mean over words"
)


_BATCH = 64  # pictures in memory at a time


@dataclass(frozen=True, slots=True)
class WordReport:
    """Figures of word recognition; ratios in [0, 1].

    Attributes:
        words: crops whose label holds a letter or digit.
        accuracy: each crop read once, as ``index`` reads words.
        ned: 1 - normalised edit distance, likewise; 1 is perfect.
        words_per_s: likewise, decoding of the pictures included.
        augmented_accuracy: with test-time augmentation, as ``search --like`` reads; None: not measured.
        augmented_ned: likewise.
    """

    words: int
    accuracy: float
    ned: float
    words_per_s: float
    augmented_accuracy: float | None = None
    augmented_ned: float | None = None

    @property
    def figure(self) -> float:
        """The figure that checkpoints are selected by."""
        return self.accuracy

    def summary(self) -> str:
        """Return one line for people."""
        augmented = self.augmented_accuracy
        more = "" if augmented is None else f"; with test-time augmentation {augmented:.1%}"
        return f"{self.words} words: {self.accuracy:.1%} read right, 1-NED {self.ned:.1%}{more}"


def joined(reports: Sequence[WordReport]) -> WordReport:
    """Return the report of all crops of ``reports`` together."""
    words = sum(report.words for report in reports)

    def mean(values: Sequence[float | None]) -> float | None:
        known = [
            value * report.words for value, report in zip(values, reports, strict=True) if value is not None
        ]
        return sum(known) / words if len(known) == len(reports) else None

    return WordReport(
        words,
        mean([report.accuracy for report in reports]) or 0.0,
        mean([report.ned for report in reports]) or 0.0,
        round(words / sum(report.words / report.words_per_s for report in reports), 1),
        mean([report.augmented_accuracy for report in reports]),
        mean([report.augmented_ned for report in reports]),
    )


def evaluate_words(
    recognizer: RecognizerRunner,
    items: Iterable[tuple[Path | bytes, str]],
    progress: Callable[[int], None] = lambda done: None,
    augment: bool = False,
) -> WordReport:
    """Read labelled word crops, as the benchmarks do (PARSeq and CLIP4STR: 36 characters).

    Args:
        recognizer: Reads them.
        items: Crop files, or their bytes, and their labels; gone through once.
        progress: Called with the number of crops read.
        augment: Measure test-time augmentation too.

    Raises:
        DataError: No label holds a letter or digit.
        ImageError: A crop cannot be read.
    """
    labels: list[str] = []
    once: list[str] = []
    augmented: list[str] = []
    seconds = 0.0
    for batch in batched(items, _BATCH):
        started = time.perf_counter()
        pictures = [read_image(crop) for crop, _ in batch]
        labels += [label for _, label in batch]
        once += [reading.best.text for reading in recognizer.read_pictures(pictures)]
        seconds += time.perf_counter() - started
        if augment:
            augmented += [reading.best.text for reading in recognizer.read_pictures(pictures, augment=True)]
        progress(len(labels))
    counted = sum(1 for label in labels if normalize(label))
    if not counted:
        raise DataError("no label holds a letter or a digit: there is nothing to measure")
    return WordReport(
        counted,
        metrics.word_accuracy(labels, once),
        metrics.one_minus_ned(labels, once),
        round(len(labels) / seconds, 1),
        metrics.word_accuracy(labels, augmented) if augment else None,
        metrics.one_minus_ned(labels, augmented) if augment else None,
    )
