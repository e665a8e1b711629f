"""The word recognition benchmark: how many crops of one word each are read right."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stsearch.errors import DataError
from stsearch.evaluation import metrics
from stsearch.images import read_image
from stsearch.spotting.recognition import Reader
from stsearch.text.charset import normalize
from stsearch.types import Image

WORD_RULE = (
    "a word is right when it equals its label in lower case, letters and digits only; labels without any are"
    " left out; ned is 1 - normalised edit distance, the mean over words"
)


@dataclass(frozen=True, slots=True)
class WordReport:
    """What was measured on word crops; ratios in [0, 1]."""

    words: int
    accuracy: float
    ned: float  # 1 - normalised edit distance: 1 is perfect
    words_per_s: float  # decoding of the pictures included

    @property
    def figure(self) -> float:
        """What checkpoints are chosen by."""
        return self.accuracy

    def summary(self) -> str:
        """Return one line for people."""
        return f"{self.words} words: {self.accuracy:.1%} read right, 1-NED {self.ned:.1%}"


def joined(reports: Sequence[WordReport]) -> WordReport:
    """Return what would be reported of all crops of ``reports`` together."""
    words = sum(report.words for report in reports)
    return WordReport(
        words,
        sum(report.accuracy * report.words for report in reports) / words,
        sum(report.ned * report.words for report in reports) / words,
        round(words / sum(report.words / report.words_per_s for report in reports), 1),
    )


def evaluate_words(
    reader: Reader,
    items: Iterable[tuple[Path | bytes, str]],
    progress: Callable[[int], None] = lambda done: None,
) -> WordReport:
    """Read labelled word crops, as the benchmarks do (PARSeq and CLIP4STR: 36 characters).

    Args:
        reader: Reads them.
        items: Crop files, or their bytes, and their labels; gone through once.
        progress: Told how many crops are read.

    Raises:
        DataError: No label holds a letter or digit.
        ImageError: A crop cannot be read.
    """
    labels: list[str] = []

    def pictures() -> Iterator[Image]:
        for crop, label in items:
            labels.append(label)
            yield read_image(crop)

    started = time.perf_counter()
    transcripts = []
    for done, crop in enumerate(reader.read_pictures(pictures()), start=1):
        transcripts.append(crop.best.text)
        progress(done)
    seconds = time.perf_counter() - started
    counted = sum(1 for label in labels if normalize(label))
    if not counted:
        raise DataError("no label holds a letter or a digit: there is nothing to measure")
    return WordReport(
        counted,
        metrics.word_accuracy(labels, transcripts),
        metrics.one_minus_ned(labels, transcripts),
        round(len(labels) / seconds, 1),
    )
