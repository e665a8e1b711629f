"""Validation: recall by the height of words, and what a card calls a weakness."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from stsearch.datasets.labelled_folder import read_dataset
from stsearch.evaluation.predictions import Predictions
from stsearch.training.validation import Validation, recall_by_height
from stsearch.types import TextInstance


def test_recall_is_told_apart_by_the_height_of_words(labelled_folder: Path) -> None:
    [sample] = read_dataset(labelled_folder)
    word = sample.words[0]  # 32 pixels high, 64 where the photograph is read at twice its size
    found = TextInstance(word.polygon, 1.0, "hello", 1.0, np.zeros(8, np.float32))
    seen = Predictions({sample.image: [found]}, "", 0.0)
    missed = Predictions({sample.image: []}, "", 0.0)
    assert recall_by_height([sample], seen, 128) == {"32-64": 1.0}
    assert recall_by_height([sample], missed, 256) == {"64-128": 0.0}


def test_a_class_of_words_that_is_mostly_missed_is_a_weakness() -> None:
    result = Validation(1, 1, 0.5, 0.5, recall_by_height={"8-16": 0.2, "16-32": 0.9})
    assert result.weaknesses == ["words 8-16 px high: only 20% detected"]
