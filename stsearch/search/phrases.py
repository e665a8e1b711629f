"""Phrases: which text instances of one photograph follow each other, judged by their outlines alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from stsearch.geometry.reading_boxes import ReadingBoxes
from stsearch.search.candidates import Candidates
from stsearch.search.query import Term
from stsearch.search.scoring import NO_MATCH, Scorer, Scores
from stsearch.types import Polygon

MIN_RAW_SCORE = 0.25
"""The raw score that every word of a phrase needs: two words found are not three, however well read.

Of 158 pairs of neighbours in the validation photographs 81 % are found with it, and 85 % of the phrases found
are right.
"""

# All lengths are in heights of the words, so that a photograph may be scaled.
_MAX_GAP = 1.5  # between a word and the next on its line
_MAX_OVERLAP = 0.5  # of outlines that are too wide, or of two lines set close
_MAX_DROP = 0.5  # of the baseline, from a word to the next on its line
_MAX_LEADING = 1.0  # between the bottom of a line and the top of the next
_QUARTER_TURN = np.array([[0.0, 1.0], [-1.0, 0.0]])  # from the reading direction, a row, to the way down
_MIN_COSINE = float(np.cos(np.radians(30)))  # between the reading directions of neighbours

WordMatch = tuple[str, int]  # a word, or words of a phrase joined, and the row of the instance that matches
Relation = NDArray[np.bool_]  # (n, n)


def successors(polygons: Sequence[Polygon]) -> Relation:
    """Return (n, n): word b may be read directly after word a, on the same line or beginning the next one."""
    frames = ReadingBoxes.of(polygons)
    aligned = frames.along @ frames.along.T >= _MIN_COSINE
    beside = aligned & _beside(frames)
    return beside | (aligned & _below(frames, beside))


def neighbours(candidates: Candidates, rows: NDArray[np.int64]) -> Relation:
    """Return the successors (n, n) among all n instances of one page; computed once for a table.

    Args:
        candidates: the text instances.
        rows: of the page, ascending.
    """
    known, surface = candidates.table.neighbours, int(candidates.table.surfaces[rows[0]])
    if surface not in known:
        known[surface] = np.argwhere(successors(candidates.polygons(rows.tolist()))).astype(np.int32)
    follows = np.zeros((len(rows), len(rows)), bool)
    follows[tuple(known[surface].T)] = True
    return follows


def _beside(frames: ReadingBoxes) -> Relation:
    """Return (n, n): b begins shortly after a ends, on about the same baseline."""
    corners, height = frames.corners, (frames.height[:, None] + frames.height) / 2
    gap = corners[None, :, 3] - corners[:, None, 2]  # (n, n, 2) from the end of a's baseline to b's
    forward = np.einsum("abk,ak->ab", gap, frames.along)
    drop = np.einsum("abk,ak->ab", gap, frames.down)
    middles = corners.mean(axis=1)
    later = np.einsum("abk,ak->ab", middles[None] - middles[:, None], frames.along) > 0
    near = (forward >= -_MAX_OVERLAP * height) & (forward <= _MAX_GAP * height)
    return np.asarray(later & near & (np.abs(drop) <= _MAX_DROP * height))


def _below(frames: ReadingBoxes, beside: Relation) -> Relation:
    """Return (n, n): a ends a line and b begins one directly below it, wherever the lines are centred."""
    line = _lines(frames, beside)
    along, height = _line_frames(frames, line)
    ends, begins = ~beside.any(axis=1), ~beside.any(axis=0)
    below = np.zeros_like(beside)
    for top_line in np.unique(line[ends]):
        right_of, down_of = along[top_line], along[top_line] @ _QUARTER_TURN
        left, right = _extents(frames.corners @ right_of, line)
        top, bottom = _extents(frames.corners @ down_of, line)
        shared = np.minimum(right, right[top_line]) - np.maximum(left, left[top_line])
        leading = (top - bottom[top_line])[line]  # (n,) of the line of b
        mean_height = (height[top_line] + frames.height) / 2
        near = (leading >= -_MAX_OVERLAP * mean_height) & (leading <= _MAX_LEADING * mean_height)
        follows = begins & (shared[line] > 0) & near & (line != top_line)
        below |= np.outer(ends & (line == top_line), follows)
    return below


def _lines(frames: ReadingBoxes, beside: Relation) -> NDArray[np.int64]:
    """Return (n,) the line of each word, numbered from 0: it is that of the nearest word before it."""
    middles = frames.corners.mean(axis=1)
    distance = np.linalg.norm(middles[None] - middles[:, None], axis=2)
    nearest = np.where(beside, distance, np.inf).argmin(axis=0)
    first = np.where(beside.any(axis=0), nearest, np.arange(len(beside)))
    for _ in range(len(beside).bit_length()):  # twice as far towards the beginning of the line each time
        first = first[first]
    return np.asarray(np.unique(first, return_inverse=True)[1], np.int64)


def _line_frames(
    frames: ReadingBoxes, line: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return (L, 2) the unit reading direction of each line and (L,) its height, means over its words.

    A long word counts more for the direction: the outline of a short one is easily a few degrees askew.
    """
    count, corners = line.max() + 1, frames.corners
    along, height = np.zeros((count, 2)), np.zeros(count)
    np.add.at(along, line, corners[:, 1] + corners[:, 2] - corners[:, 0] - corners[:, 3])
    np.add.at(height, line, frames.height)
    lengths = np.linalg.norm(along, axis=1, keepdims=True)
    return along / np.maximum(lengths, 1e-6), height / np.bincount(line)


def _extents(
    places: NDArray[np.float32], line: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the minimum and the maximum of ``places`` (n, 4) on each line."""
    low, high = np.full(line.max() + 1, np.inf), np.full(line.max() + 1, -np.inf)
    np.minimum.at(low, line, places.min(axis=1))
    np.maximum.at(high, line, places.max(axis=1))
    return low, high


def find_phrase(
    term: Term, scorer: Scorer, min_score: float = 0.0
) -> tuple[Scores, dict[int, tuple[WordMatch, ...]]]:
    """Find the chains of neighbours that read ``term``; one instance may hold several words without spaces.

    Args:
        term: of at least two words.
        scorer: of N candidates.
        min_score: photographs in which no chain can score so much are skipped.

    Returns:
        (N,) float32: at the first instance of a chain the mean score over the words, else ``NO_MATCH``; and
        the chain that begins at each such instance.
    """
    joined_words = term.joined_words()
    scores = {span: _score_span(term, span, joined, scorer) for span, joined in joined_words.items()}
    photo = scorer.table.surfaces  # words of two pages are no neighbours
    found = np.full(len(photo), NO_MATCH, np.float32)
    chains: dict[int, tuple[WordMatch, ...]] = {}
    rows_of = rows_by_photo(photo, possible_photos(len(term.words), scores, photo, min_score))
    for rows in rows_of:
        follows = neighbours(scorer.candidates, rows)
        here = {span: span_scores[rows] for span, span_scores in scores.items()}
        for score, chain in best_chains(len(term.words), here, follows):
            head = int(rows[chain[0][1]])
            if score > found[head]:
                found[head] = score
                chains[head] = tuple((joined_words[span], int(rows[at])) for span, at in chain)
    return found, chains


def _score_span(term: Term, span: tuple[int, int], joined: str, scorer: Scorer) -> Scores:
    """Return (N,) the scores of some words of ``term`` in one instance, ``NO_MATCH`` if too low."""
    words = term.words[slice(*span)]
    if len(words) == 1:
        return scorer.score_word(joined, MIN_RAW_SCORE)
    return scorer.score_joined(words, joined, MIN_RAW_SCORE)


def possible_photos(
    count: int, scores: Mapping[tuple[int, int], Scores], photo: NDArray[np.int64], min_score: float
) -> NDArray[np.int64]:
    """Return the photographs that show every word of a phrase, in any order, and may reach ``min_score``."""
    photos = int(photo.max(initial=-1)) + 1
    total = np.full((count + 1, photos), -np.inf)
    total[0] = 0
    for (start, end), span_scores in sorted(scores.items()):
        best = np.full(photos, -np.inf)
        np.maximum.at(best, photo[span_scores >= 0], (end - start) * span_scores[span_scores >= 0])
        total[end] = np.maximum(total[end], total[start] + best)
    return np.flatnonzero(total[count] >= count * min_score - 1e-6)


def rows_by_photo(photo: NDArray[np.int64], wanted: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the rows of each of the photographs ``wanted``, ascending."""
    order = np.argsort(photo, kind="stable")
    first, last = (np.searchsorted(photo[order], wanted, side) for side in ("left", "right"))
    return [order[start:end] for start, end in zip(first.tolist(), last.tolist(), strict=True)]


def best_chains(
    count: int, scores: Mapping[tuple[int, int], Scores], follows: Relation
) -> list[tuple[float, list[tuple[tuple[int, int], int]]]]:
    """Return the best chain of ``count`` words ending at each word of one photograph, where there is one."""
    size = len(follows)
    total = np.full((count + 1, size), -np.inf)  # of the best chain of so many words that ends at a word
    came_from: dict[tuple[int, int], tuple[int, int]] = {}
    for (start, end), span_scores in sorted(scores.items()):
        before = np.where(follows, total[start][:, None], -np.inf) if start else np.zeros((1, size))
        reached = np.where(span_scores >= 0, before.max(axis=0) + (end - start) * span_scores, -np.inf)
        for at in np.flatnonzero(reached > total[end]).tolist():
            total[end, at] = reached[at]
            came_from[end, at] = (start, int(before[:, at].argmax()))
    chains = []
    for last in np.flatnonzero(total[count] > -np.inf).tolist():
        chain: list[tuple[tuple[int, int], int]] = []
        end, at = count, last
        while end:
            start, previous = came_from[end, at]
            chain.append(((start, end), at))
            end, at = start, previous
        chains.append((float(total[count, last]) / count, chain[::-1]))
    return chains
