"""From scored text instances to ranked rows: several words, OR and NOT, by word or by photograph."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from stsearch.search.phrases import WordMatch, find_phrase
from stsearch.search.query import Alternative, Query, Term
from stsearch.search.scoring import NO_MATCH, Scorer, Scores
from stsearch.search.split_words import find_split_word
from stsearch.text.wildcards import is_pattern

_MIN_SHARE = 0.1
"""Each of several words needs this share of the minimum score; below it a word counts as absent."""

Group = Literal["word", "photo"]


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """A ranked text instance, phrase or photograph: the future hit.

    Attributes:
        content: of the photograph.
        score: in [0, 1].
        shown: the text instances to show, as rows of the table: one, or those of a phrase.
        matched: those that match all words of the query; without ``group="photo"`` the same.
    """

    content: int
    score: float
    shown: tuple[WordMatch, ...]
    matched: tuple[WordMatch, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _TermScores:
    """The scores (N,) of one term, at the instances that it begins with; ``NO_MATCH`` elsewhere."""

    scores: Scores
    word: str
    chains: dict[int, tuple[WordMatch, ...]]  # of a phrase, by the first instance

    def beginning_at(self, instance: int) -> tuple[WordMatch, ...]:
        return self.chains.get(instance, ((self.word, instance),))


@dataclass(frozen=True, slots=True, eq=False)
class Ranking:
    """One query on one set of candidates.

    Attributes:
        query: parsed.
        scorer: scores its words on the candidates.
        group: a row for every text instance or phrase, or for every photograph.
        min_score: rows with a lower score are left out; 0 for all. Photographs in which an unwanted term
            reaches it are excluded; where it is 0 the default of the weights holds for that.
    """

    query: Query
    scorer: Scorer
    group: Group
    min_score: float

    def rows(self) -> Iterator[Row]:
        """Yield rows, best first; of alternatives with the same instance, or photograph, the best."""
        ranked = [self._rows_of(alternative) for alternative in self.query.alternatives]
        if len(ranked) == 1:
            yield from ranked[0]
            return
        seen: set[object] = set()
        for row in merge(*ranked, key=lambda row: -row.score):
            key = row.content if self.group == "photo" else tuple(at for _, at in row.shown)
            if key not in seen:
                seen.add(key)
                yield row

    def excluded(self) -> set[int]:
        """Return the contents that every alternative excludes for an unwanted term."""
        return set[int].intersection(*map(self._excluded, self.query.alternatives))

    def _excluded(self, alternative: Alternative) -> set[int]:
        min_score = self.min_score or self.scorer.default_min_score
        contents = self.scorer.table.contents
        unwanted = [
            contents[self._score_term(term, min_score).scores >= min_score] for term in alternative.unwanted
        ]
        return set(np.concatenate(unwanted).tolist()) if unwanted else set()

    def _rows_of(self, alternative: Alternative) -> Iterator[Row]:
        wanted = alternative.wanted
        # Of several terms one may score less where the others score more.
        min_score = self.min_score if len(wanted) == 1 else _MIN_SHARE * self.min_score
        rows = _rank(
            self.scorer.table.contents, [self._score_term(term, min_score) for term in wanted], self.group
        )
        excluded = self._excluded(alternative)
        return (row for row in rows if row.content not in excluded)

    def _score_term(self, term: Term, min_score: float) -> _TermScores:
        word = term.words[0]
        if len(term.words) == 1:
            scores, chains = self._score_word(word)
        else:
            scores, chains = find_phrase(term, self.scorer, min_score)
        return _TermScores(_drop_below(scores, min_score), word, chains)

    def _score_word(self, word: str) -> tuple[Scores, dict[int, tuple[WordMatch, ...]]]:
        """Return the scores (N,) of a word, and the chains by which it is read best over several outlines."""
        scores = self.scorer.score_word(word)
        chains: dict[int, tuple[WordMatch, ...]] = {}
        for score, chain in [] if is_pattern(word) else find_split_word(word, self.scorer):
            first = chain[0][1]
            if score > scores[first]:
                scores[first] = score
                chains[first] = chain
        return scores, chains


def _drop_below(scores: Scores, min_score: float) -> Scores:
    return np.where(scores >= min_score, scores, np.float32(NO_MATCH))


def _rank(contents: NDArray[np.int64], answers: Sequence[_TermScores], group: Group) -> Iterator[Row]:
    """Yield the rows of one alternative, best first: one an instance or phrase, or one a photograph.

    A photograph scores the mean of its best matches of each term; without a match of each it has no row.
    """
    if group == "word" and len(answers) == 1:
        (only,) = answers
        for i in np.argsort(-only.scores, kind="stable"):
            if only.scores[i] < 0:
                return
            matches = only.beginning_at(int(i))
            yield Row(int(contents[i]), float(only.scores[i]), matches, matches)
        return
    photos, photo = np.unique(contents, return_inverse=True)
    scores = np.stack([each.scores for each in answers])  # (T, N)
    # Sorted by photograph, then best first, the first row of each photograph is its best for the term.
    best = np.stack([_first_of_each(np.lexsort((-row, photo)), photo) for row in scores])  # (T, photographs)
    best_scores = np.take_along_axis(scores, best, axis=1)
    means = best_scores.mean(axis=0)
    complete = best_scores.min(axis=0, initial=1.0) >= 0
    for i in np.argsort(-means, kind="stable"):
        if not complete[i]:
            continue
        matches_of = [each.beginning_at(int(best[term, i])) for term, each in enumerate(answers)]
        for matches in matches_of if group == "word" else [matches_of[int(best_scores[:, i].argmax())]]:
            shown_for = matches if group == "word" else sum(matches_of, ())
            yield Row(int(photos[i]), float(means[i]), matches, shown_for)


def _first_of_each(order: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the elements of ``order`` at which ``group``, ascending from 0 along ``order``, grows."""
    is_first = np.diff(group[order], prepend=-1) != 0
    return np.asarray(order[is_first], np.int64)
