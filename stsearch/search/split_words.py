"""One word over several outlines: letters set apart, digits in groups, a word that goes on in the next line.

Found as a phrase is: of its letters, of which each outline holds some.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from stsearch.gallery.records import InstanceTable
from stsearch.search.phrases import (
    Relation,
    WordMatch,
    best_chains,
    neighbours,
    possible_photos,
    rows_by_photo,
)
from stsearch.search.scoring import NO_MATCH, Scorer, Scores
from stsearch.text.ctc import pair_likelihoods

MIN_LETTERS, MAX_LETTERS = 3, 50
"""A word of two letters lies over two outlines wherever those two letters follow each other; the pieces of a
long one grow with the square of its length."""

_MIN_COVER = 0.5
"""Share of the letters that must be in pieces read exactly; the other pieces may be misread."""

_MIN_SIMILARITY = 0.6
"""Edit similarity of a piece to the letters that it stands for."""

_MIN_RAW_SCORE = 0.6
"""Raw score of the whole word, below which it counts as absent."""

_SHARE = 0.95
"""A word over several outlines answers less well than the same in one."""

_MAX_PHOTOS = 200
"""Photographs to look at for a word; those whose pieces cover most of it."""

Span = tuple[int, int]  # letters of the word, from the first to the one after the last
Chain = list[tuple[Span, int]]  # spans, and what holds the letters of each: a row


def pieces(word: str) -> dict[str, list[Span]]:
    """Return what an outline may hold of ``word`` when it does not hold all, and where it is in the word.

    >>> pieces("abb")
    {'a': [(0, 1)], 'ab': [(0, 2)], 'b': [(1, 2), (2, 3)], 'bb': [(1, 3)]}
    """
    found: dict[str, list[Span]] = {}
    if MIN_LETTERS <= len(word) <= MAX_LETTERS:
        for start in range(len(word)):
            for end in range(start + 1, len(word) + 1):
                if end - start < len(word):
                    found.setdefault(word[start:end], []).append((start, end))
    return found


def covering(word: str, readings: Mapping[str, Sequence[int]]) -> list[int]:
    """Return the photographs that may show ``word`` over several outlines, those most likely to first.

    Args:
        word: folded, without wildcards.
        readings: of each of ``pieces(word)`` that was read, the photographs.
    """
    spans_of = pieces(word)
    covered: dict[int, int] = {}  # bits, one a letter
    for piece, photos in readings.items():
        bits = sum({1 << at for span in spans_of[piece] for at in range(*span)})
        for photo in photos:
            covered[photo] = covered.get(photo, 0) | bits
    letters = {photo: bits.bit_count() for photo, bits in covered.items()}
    enough = (photo for photo, count in letters.items() if count >= _MIN_COVER * len(word))
    return sorted(enough, key=lambda photo: (-letters[photo], photo))[:_MAX_PHOTOS]


def find_split_word(word: str, scorer: Scorer) -> list[tuple[float, tuple[WordMatch, ...]]]:
    """Find the chains of neighbours that read ``word`` together.

    Args:
        word: folded, without wildcards.
        scorer: of the text instances.

    Returns:
        The score of the best chain that ends at each instance, and its pieces, of which there are several.
    """
    if word not in scorer.split_words:
        scorer.split_words[word] = _find_chains(word, scorer)
    found = scorer.split_words[word]
    raw_scores = np.array([_SHARE * raw_score for raw_score, _ in found], np.float32)
    return [
        (score, chain)
        for score, (_, chain) in zip(scorer.probability(raw_scores, word).tolist(), found, strict=True)
        if scorer.allows(word, "".join(scorer.table.readings.folded[row] for _, row in chain))
    ]


def _find_chains(word: str, scorer: Scorer) -> list[tuple[float, tuple[WordMatch, ...]]]:
    """Return the raw scores of chains, whatever the limit of edits, and their pieces."""
    table, candidates = scorer.table, scorer.candidates
    rows_of = table.readings.rows_of(pieces(word))
    contents = covering(word, {piece: table.contents[rows].tolist() for piece, rows in rows_of.items()})
    if not contents:
        return []
    rows = np.flatnonzero(np.isin(table.contents, contents))
    trusted, weight = _trusted_similarities(word, rows, table), scorer.likelihood_weight
    limits = {span: _weigh(each, weight) for span, each in trusted.items()}
    photo = np.unique(table.surfaces[rows], return_inverse=True)[1]  # words of two pages are not joined
    found: list[tuple[float, tuple[WordMatch, ...]]] = []
    for at in rows_by_photo(photo, possible_photos(len(word), limits, photo, _MIN_RAW_SCORE)):
        follows = neighbours(candidates, rows[at])
        if not _good_chains(word, {span: each[at] for span, each in limits.items()}, follows):
            continue
        here = {span: each[at] for span, each in trusted.items()}
        if weight:
            here = _add_likelihoods(word, here, candidates.posteriors(rows[at].tolist()), weight)
        for raw_score, chain in _good_chains(word, here, follows):
            found.append((raw_score, tuple((word[slice(*span)], int(rows[at[i]])) for span, i in chain)))
    return found


def _good_chains(word: str, scores: Mapping[Span, Scores], follows: Relation) -> list[tuple[float, Chain]]:
    return [each for each in best_chains(len(word), scores, follows) if each[0] >= _MIN_RAW_SCORE]


def _trusted_similarities(word: str, rows: NDArray[np.int64], table: InstanceTable) -> dict[Span, Scores]:
    """Return, for each span of letters, the edit similarity (n,) of each reading times the trust in it.

    It is ``NO_MATCH`` where the reading is too different.
    """
    spans_of = pieces(word)
    readings = [table.readings.folded[row] for row in rows]
    similar = process.cdist(
        list(spans_of), readings, scorer=Levenshtein.normalized_similarity, score_cutoff=_MIN_SIMILARITY
    )
    lengths = np.maximum([len(table.transcripts[row]) for row in rows], 1)
    trust = table.confidences[rows] ** (1 / lengths)
    trusted = np.where(similar > 0, similar * trust, NO_MATCH).astype(np.float32)
    return {
        span: each
        for spans, each in zip(spans_of.values(), trusted, strict=True)
        if (each >= 0).any()
        for span in spans
    }


def _weigh(trusted: Scores, weight: float) -> Scores:
    """Return the raw scores of pieces that are as likely as can be."""
    return np.where(trusted >= 0, (1 - weight) * trusted + weight, NO_MATCH).astype(np.float32)


def _add_likelihoods(
    word: str, trusted: Mapping[Span, Scores], posteriors: Sequence[bytes], weight: float
) -> dict[Span, Scores]:
    """Return ``trusted`` with the likelihood of the letters of each span weighed in where it is known."""
    pairs = [
        (span, at)
        for span, each in trusted.items()
        for at in np.flatnonzero(each >= 0).tolist()
        if posteriors[at]
    ]
    likelihoods = pair_likelihoods(
        [word[slice(*span)] for span, _ in pairs], [posteriors[at] for _, at in pairs]
    )
    scores = {span: each.copy() for span, each in trusted.items()}
    for (span, at), likelihood in zip(pairs, likelihoods, strict=True):
        scores[span][at] = (1 - weight) * scores[span][at] + weight * likelihood
    return scores
