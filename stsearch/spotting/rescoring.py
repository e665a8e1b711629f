"""What one look at a word, or several, may say together: its most probable readings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stsearch.text.charset import Charset, normalize
from stsearch.text.ctc import pair_likelihoods
from stsearch.text.decoding import Reading, n_best, probability

READINGS_A_LOOK = 4
"""More change nothing: with several looks, two do (validation)."""
_LEAST_SHARE = 0.1
"""Of the probability of a look's first reading; less is hardly ever made up for, and would take time."""
_COLUMNS_POWER = 2.0  # chosen on the validation crops, as the share of the character model was


@dataclass(frozen=True, slots=True, eq=False)
class CropReading:
    """What one crop says."""

    table: NDArray[np.float32]  # (L, V) class probabilities
    best: Reading
    columns: bytes  # as ``likelihood.pack_columns`` returns them
    turned: bool  # it was read upside down


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """A word that the looks may show."""

    word: str  # folded; readings that fold to it speak for each other
    support: float  # how probable the looks together hold it
    look: CropReading  # the one that is surest of it, with that reading as its best


def candidates(words: Sequence[Sequence[CropReading]], charset: Charset) -> list[list[Candidate]]:
    """Return, for each word, the readings that any of the looks at it holds probable.

    The decoder spells and the columns (CTC) see: they err differently, so a reading needs the support of
    both. The columns come folded, without signs.
    """
    spelled = [_spellings(looks, charset) for looks in words]
    pairs = [
        (word, look.columns)
        for looks, spellings in zip(words, spelled, strict=True)
        for word in spellings
        for look in looks
    ]
    seen = iter(pair_likelihoods([word for word, _ in pairs], [columns for _, columns in pairs]).tolist())
    return [
        [_candidate(word, spellings[word], looks, charset, [next(seen) for _ in looks]) for word in spellings]
        for looks, spellings in zip(words, spelled, strict=True)
    ]


def _spellings(looks: Sequence[CropReading], charset: Charset) -> dict[str, list[CropReading]]:
    """Return the probable readings by the word they fold to, each in the look that is surest of it."""
    surest: dict[str, CropReading] = {}
    for look in looks:
        readings = n_best(look.table, charset, READINGS_A_LOOK)
        least = _LEAST_SHARE * readings[0].probability
        for reading in (each for each in readings if each.probability >= least):
            if (
                reading.text not in surest
                or reading.char_confidence > surest[reading.text].best.char_confidence
            ):
                surest[reading.text] = replace(look, best=reading)
    spellings: dict[str, list[CropReading]] = {}
    for text, read in surest.items():
        spellings.setdefault(normalize(text), []).append(read)
    return spellings


def _candidate(
    word: str,
    spelled: Sequence[CropReading],
    looks: Sequence[CropReading],
    charset: Charset,
    seen: Sequence[float],
) -> Candidate:
    classes = [charset.encode(read.best.text) for read in spelled]
    decoded = sum(probability(look.table, each) for each in classes for look in looks)
    support = decoded * (sum(seen) / len(seen)) ** _COLUMNS_POWER
    return Candidate(word, support, max(spelled, key=lambda read: read.best.char_confidence))
