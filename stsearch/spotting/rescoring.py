"""Low-confidence readings are rescored: decoder and CTC posteriors of every view of a word vote together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stsearch.text.charset import Charset, normalize
from stsearch.text.ctc import pair_likelihoods
from stsearch.text.decoding import Reading, n_best, probability

READINGS_PER_VIEW = 4
"""More change nothing: with several views, two do (validation)."""
_MIN_SHARE = 0.1
"""Of the probability of a view's best reading; readings below it hardly ever win, and would take time."""
_POSTERIORS_POWER = 2.0  # chosen on the validation crops, as the weight of the character model was


@dataclass(frozen=True, slots=True, eq=False)
class CropReading:
    """What the recognizer makes of one crop."""

    table: NDArray[np.float32]  # (L, V) class probabilities
    best: Reading
    ctc_posteriors: bytes  # as ``text.ctc.pack_posteriors`` returns them
    upside_down: bool  # the crop was turned by 180 degrees to read it


@dataclass(frozen=True, slots=True, eq=False)
class Hypothesis:
    """A word that the views may show."""

    word: str  # folded; readings that fold to the same word add up
    score: float  # how probable the word is given all views
    view: CropReading  # the one that reads it with the highest confidence, with that reading as its best


def hypotheses(words: Sequence[Sequence[CropReading]], charset: Charset) -> list[list[Hypothesis]]:
    """Return, for each word, the probable readings of any of its views, scored on all of them.

    The autoregressive decoder and CTC err differently, so a reading needs the support of both. The posteriors
    are folded: punctuation is the decoder's alone.

    Args:
        words: the views of each word, one or more.
        charset: of the tables.
    """
    spelled = [_spellings(views, charset) for views in words]
    pairs = [
        (word, view.ctc_posteriors)
        for views, spellings in zip(words, spelled, strict=True)
        for word in spellings
        for view in views
    ]
    likelihoods = iter(pair_likelihoods([word for word, _ in pairs], [seen for _, seen in pairs]).tolist())
    return [
        [
            _hypothesis(word, spellings[word], views, charset, [next(likelihoods) for _ in views])
            for word in spellings
        ]
        for views, spellings in zip(words, spelled, strict=True)
    ]


def _spellings(views: Sequence[CropReading], charset: Charset) -> dict[str, list[CropReading]]:
    """Return the probable readings by the word they fold to, each in its most confident view."""
    most_confident: dict[str, CropReading] = {}
    for view in views:
        readings = n_best(view.table, charset, READINGS_PER_VIEW)
        threshold = _MIN_SHARE * readings[0].probability
        for reading in (each for each in readings if each.probability >= threshold):
            known = most_confident.get(reading.text)
            if known is None or reading.char_confidence > known.best.char_confidence:
                most_confident[reading.text] = replace(view, best=reading)
    spellings: dict[str, list[CropReading]] = {}
    for text, read in most_confident.items():
        spellings.setdefault(normalize(text), []).append(read)
    return spellings


def _hypothesis(
    word: str,
    spelled: Sequence[CropReading],
    views: Sequence[CropReading],
    charset: Charset,
    likelihoods: Sequence[float],
) -> Hypothesis:
    classes = [charset.encode(read.best.text) for read in spelled]
    decoded = sum(probability(view.table, each) for each in classes for view in views)
    score = decoded * (sum(likelihoods) / len(likelihoods)) ** _POSTERIORS_POWER
    return Hypothesis(word, score, max(spelled, key=lambda read: read.best.char_confidence))
