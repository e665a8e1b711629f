"""Parts of tokens: "info" in an address, "duck" in "duck/goose", whatever else the outline holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from stsearch.gallery.records import InstanceTable
from stsearch.search.candidates import Candidates
from stsearch.text.charset import edit_similarity
from stsearch.text.ctc import pair_likelihoods
from stsearch.text.reading_index import ReadingIndex
from stsearch.types import char_confidence

_MIN_SIMILARITY = 0.75
"""Edit similarity of a part to the word: what is read more differently is another word."""

_SHARE = 0.9
"""A part answers less well than a token of its own."""

_MIN_STROKE_LIKELIHOOD = 0.85
"""Likelihood of a token without a stroke that was read in it; the stroke may then have been a slash."""


@dataclass(frozen=True, slots=True)
class PartMatch:
    """A part of an instance that reads like a word.

    Attributes:
        row: of the instance.
        part: as read, folded.
        token: what the instance holds if the part is the word, unknown characters as wildcards.
    """

    row: int
    part: str
    token: str


def find_parts(word: str, candidates: Candidates) -> list[PartMatch]:
    """Return the parts of tokens that read like ``word``, which is folded and without wildcards."""
    return [*_divided(word, candidates.table), *_beside_stroke(word, candidates)]


def holding_part(word: str, transcripts: Mapping[int, str]) -> list[int]:
    """Return the keys of the transcripts of which ``word`` is a part, or may be by the transcript alone."""
    keys, readings = list(transcripts), ReadingIndex(tuple(transcripts.values()))
    parts = zip(readings.parts.texts, readings.parts.rows.tolist(), strict=True)
    rows = {row for text, row in parts if text == word} | {row for row, _ in readings.beside_stroke(word)}
    return [keys[row] for row in sorted(rows)]


def _divided(word: str, table: InstanceTable) -> Iterator[PartMatch]:
    """Yield the parts between punctuation."""
    parts = table.readings.parts
    similar = process.cdist(
        [word], parts.texts, scorer=Levenshtein.normalized_similarity, score_cutoff=_MIN_SIMILARITY
    )
    for at in np.flatnonzero(similar[0] > 0).tolist():
        yield PartMatch(int(parts.rows[at]), parts.texts[at], parts.patterns[at].format(word))


def _beside_stroke(word: str, candidates: Candidates) -> Iterator[PartMatch]:
    """Yield what is divided by a stroke that may as well be a slash, by the CTC posteriors."""
    found = list(candidates.table.readings.beside_stroke(word))
    posteriors = candidates.posteriors([row for row, _ in found])
    known = [(*each, packed) for each, packed in zip(found, posteriors, strict=True) if packed]
    likelihoods = pair_likelihoods([token for _, token, _ in known], [packed for *_, packed in known])
    for (row, token, _), likelihood in zip(known, likelihoods.tolist(), strict=True):
        if likelihood >= _MIN_STROKE_LIKELIHOOD:
            yield PartMatch(row, word, token)


def raw_part_scores(
    word: str, matches: Sequence[PartMatch], candidates: Candidates, likelihood_weight: float
) -> dict[int, float]:
    """Return the raw scores in [0, 1] of the instances with a part like ``word``, by row.

    Edit similarity and likelihood are weighted as those of whole tokens. The embedding is that of the whole
    token: instead of it the confidence of the reading decides.

    Args:
        word: folded, without wildcards.
        matches: of ``find_parts``.
        candidates: the text instances.
        likelihood_weight: share of the likelihood, where CTC posteriors are known.
    """
    table = candidates.table
    posteriors = candidates.posteriors([match.row for match in matches])
    known = [at for at, packed in enumerate(posteriors) if packed and likelihood_weight]
    likelihoods = pair_likelihoods([matches[at].token for at in known], [posteriors[at] for at in known])
    likelihood_of = dict(zip(known, likelihoods.tolist(), strict=True))
    scores: dict[int, float] = {}
    for at, match in enumerate(matches):
        trust = char_confidence(float(table.confidences[match.row]), table.transcripts[match.row])
        score = trust * edit_similarity(word, match.part)
        if at in likelihood_of:
            score = (1 - likelihood_weight) * score + likelihood_weight * likelihood_of[at]
        scores[match.row] = max(scores.get(match.row, 0.0), _SHARE * score)
    return scores
