"""Scores of text instances for a word; ranking and grouping are in ``ranking``.

A raw score is a weighted mean of similarity, edit similarity and likelihood. A score is the probability of a
match that the calibration of the weights gives for it, or the raw score itself where there is no calibration.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA, Levenshtein

from stsearch.gallery.records import InstanceTable
from stsearch.search.calibration import default_min_score, exact_reading_probability, match_probability
from stsearch.search.candidates import Candidates
from stsearch.search.token_parts import PartMatch, find_parts, raw_part_scores
from stsearch.text.ctc import word_likelihoods
from stsearch.text.reading_index import ReadingIndex
from stsearch.text.wildcards import fixed_part, is_pattern
from stsearch.types import Embedding, ModelInfo, char_confidence

NO_MATCH = -1.0
"""The score of an instance that does not match at all, such as one beyond the limit of edits."""

Scores = NDArray[np.float32]

_TOP = 200
_MIN_TOP_SCORE = 0.6
"""The likelihood is computed for so many of the best instances, and for all with such a raw score without it.
On the validation photographs it ranks the 50 best as well as all."""

_MIN_AGREEMENT = 0.3
"""Likelihood of a word under the posteriors from which the decoder that read it is believed. It reads common
words into noise: without the limit 83 of 100 validation hits are right, with it 89, and as many are found."""

_NARROW = 2
"""Letters of a word that may be too narrow for the frames of the posteriors: the decoder is believed."""


def raw_word_scores(
    query_word: str,
    query_embedding: Embedding,
    embeddings: NDArray[np.float32],
    readings: ReadingIndex,
    transcript_weight: float,
) -> Scores:
    """Return the raw scores of text instances for one query word, by similarity and transcript.

    Args:
        query_word: folded by ``charset.normalize``.
        query_embedding: (D,) float32, unit length.
        embeddings: (N, D) float32, unit rows.
        readings: an index of the transcripts of the N instances.
        transcript_weight: of the edit similarity of transcripts, in [0, 1]; the cosine has the rest.

    Returns:
        (N,) float32 in [0, 1]: the weighted mean of the cosine, at least 0, and the edit similarity.
    """
    similarity = np.clip(embeddings @ query_embedding, 0.0, 1.0)
    [same] = process.cdist(
        [query_word], readings.distinct, scorer=Levenshtein.normalized_similarity, dtype=np.float32
    )
    raw_scores = (1 - transcript_weight) * similarity + transcript_weight * same[readings.numbers]
    return np.asarray(raw_scores, np.float32)


def raw_pattern_scores(pattern: str, fixed_embedding: Embedding, table: InstanceTable) -> Scores:
    """Return the raw scores of text instances for a word with wildcards.

    The agreement of the transcript is weighted by the mean (geometric) confidence of its characters, the
    similarity of the instance to the known characters by the rest.

    Args:
        pattern: folded, with wildcards.
        fixed_embedding: (D,) float32, unit length, of ``query.fixed_part(pattern)``.
        table: N instances.

    Returns:
        (N,) float32 in [0, 1]: trust * share of the known characters that agree + (1 - trust) * cosine.
    """
    is_read = np.fromiter(map(bool, table.transcripts), bool, len(table.transcripts))
    trust = np.where(is_read, table.char_confidences, np.float32(0))
    agreement = 1 - edit_distances(pattern, table.readings) / len(fixed_part(pattern))
    similarity = np.clip(table.embeddings @ fixed_embedding, 0.0, 1.0)
    return np.asarray(trust * np.maximum(agreement, 0) + (1 - trust) * similarity, np.float32)


def edit_distances(word: str, readings: ReadingIndex) -> NDArray[np.int64]:
    """Return (N,) how many characters of each transcript must be changed until it is ``word``.

    Two neighbours that are swapped count as one change, but in a pattern as two.

    Args:
        word: folded; ``*`` stands for any run of characters and ``?`` for any one, at no cost.
        readings: an index of the transcripts.

    >>> edit_distances("b?r*", ReadingIndex(["Bar", "Berlin", "Bier", "sun"])).tolist()
    [0, 0, 1, 2]
    >>> edit_distances("graden", ReadingIndex(["Garden", "garde"])).tolist()
    [1, 2]
    """
    if is_pattern(word):
        distances = _pattern_distances(word, readings.letters)
    else:
        [distances] = process.cdist([word], readings.distinct, scorer=OSA.distance)
    return np.asarray(distances[readings.numbers], np.int64)


def _pattern_distances(pattern: str, letters: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Fill the table of Wagner and Fischer row by row, for all M texts, (M, L) ``letters``, at once."""
    places = np.arange(letters.shape[1] + 1, dtype=np.int16)
    row = np.tile(places, (len(letters), 1))  # (M, L + 1): cost of the first characters, nothing of pattern
    for symbol in pattern:
        if symbol == "*":
            row = np.minimum.accumulate(row, axis=1)
            continue
        differs = (letters != ord(symbol)).astype(np.int16) if symbol != "?" else np.int16(0)
        reached = row + np.int16(1)  # the symbol has no character
        reached[:, 1:] = np.minimum(reached[:, 1:], row[:, :-1] + differs)
        row = np.minimum.accumulate(reached - places, axis=1) + places  # characters have no symbol
    return np.asarray(row[np.arange(len(letters)), (letters != 0).sum(axis=1)], np.int16)


class Scorer:
    """Scores words, with or without wildcards, on the candidates of one query.

    Attributes:
        candidates: the text instances.
        table: theirs.
        fuzzy: the limit of edits, if there is one.
        split_words: raw scores and pieces of words over several outlines (``search.split_words`` fills it).
    """

    def __init__(
        self,
        candidates: Candidates,
        embeddings: Mapping[str, Embedding],
        info: ModelInfo,
        fuzzy: int | None = None,
    ) -> None:
        """Take the candidates to score, and the way to score them.

        Args:
            candidates: the text instances.
            embeddings: (D,) of the fixed part of every word.
            info: the weights of transcript and likelihood, and the calibration.
            fuzzy: the limit of edits, if there is one.
        """
        self.candidates = candidates
        self.table = candidates.table
        self._embeddings = embeddings
        self._info = info
        self.fuzzy = fuzzy
        self._likelihoods: dict[str, dict[int, float | None]] = {}  # by word and row, as far as computed
        self._raw_scores: dict[str, Scores] = {}  # by word
        self._probable: dict[str, Scores] = {}  # calibrated, by word
        self.split_words: dict[str, list[tuple[float, tuple[tuple[str, int], ...]]]] = {}
        self._parts: dict[str, list[PartMatch]] = {}  # by word

    def within(self, fuzzy: int | None) -> Scorer:
        """Return the same scores with another limit of edits; what was computed is shared."""
        other = copy.copy(self)
        other.fuzzy = fuzzy
        return other

    @property
    def likelihood_weight(self) -> float:
        """The share of the likelihood of a word in its raw score, where CTC posteriors are known."""
        return self._info.likelihood_weight

    def allows(self, word: str, reading: str) -> bool:
        """Return whether ``reading``, folded, is ``word`` within the limit of edits, if there is one."""
        return self.fuzzy is None or OSA.distance(word, reading) <= self.fuzzy

    @property
    def default_min_score(self) -> float:
        """The score from which a word counts as found."""
        return default_min_score(self._info.calibration)

    def score_word(self, word: str, min_raw_score: float = 0.0) -> Scores:
        """Return the scores (N,) float32 in [0, 1] of all candidates, or ``NO_MATCH``.

        With a calibration a score is the probability of a match; that of a pattern, as if its known
        characters were a word. Without one it is the raw score.

        Args:
            word: folded, with or without wildcards.
            min_raw_score: instances with a lower one do not match, nor do those beyond the limit of edits.
        """
        if word not in self._raw_scores:
            raw_scores = self._raw_scores_of(word)
            self._raw_scores[word] = raw_scores
            self._probable[word] = self._raise_exact(self.probability(raw_scores, word), word)
        is_match = self._raw_scores[word] >= min_raw_score
        scores = np.where(is_match, self._probable[word], np.float32(NO_MATCH))
        return scores if self.fuzzy is None else self._limit_edits(scores, word, self.fuzzy)

    def probability(self, raw_scores: Scores, word: str) -> Scores:
        """Return the calibrated scores of ``word``, with or without wildcards, for raw ones."""
        return match_probability(raw_scores, len(fixed_part(word)), self._info.calibration)

    def _raise_exact(self, probable: Scores, word: str) -> Scores:
        """Return the calibrated scores of ``word``, at least what its exact readings are worth alone."""
        rows = self.table.readings.rows_of([word]).get(word)
        if not (rows and self._info.calibration):
            return probable
        raised = probable.copy()
        raised[rows] = np.maximum(probable[rows], exact_reading_probability(self.table.confidences[rows]))
        return raised

    def _raw_scores_of(self, word: str) -> Scores:
        table, embedding = self.table, self._embeddings[fixed_part(word)]
        if is_pattern(word):
            return self._add_likelihood(raw_pattern_scores(word, embedding, table), word)
        share = self._info.transcript_weight
        raw_scores = raw_word_scores(word, embedding, table.embeddings, table.readings, share)
        if table.comparable is not None and share:  # what is known alone has the whole weight
            raw_scores[~table.comparable] /= share
        raw_scores = self._add_likelihood(raw_scores, word)
        for row, score in raw_part_scores(
            word, self._parts_of(word), self.candidates, self._info.likelihood_weight
        ).items():
            raw_scores[row] = max(raw_scores[row], score)
        return raw_scores

    def _parts_of(self, word: str) -> list[PartMatch]:
        if word not in self._parts:
            self._parts[word] = find_parts(word, self.candidates) if word else []
        return self._parts[word]

    def score_joined(self, words: Sequence[str], joined: str, min_raw_score: float = 0.0) -> Scores:
        """Return the scores (N,) for words without a space between, ``NO_MATCH`` where one is missing.

        Of the shortest word at least half must have been read: "storage" alone is no "cold storage".

        Args:
            words: folded, with or without wildcards.
            joined: the same in one word.
            min_raw_score: as for ``score_word``.
        """
        limit = min(len(fixed_part(word)) for word in words) // 2
        return self._limit_edits(self.score_word(joined, min_raw_score), joined, limit)

    def similarity(self, word: str, instance: int) -> float:
        """Return the cosine between ``word`` and an instance, a row of the table, in [-1, 1]."""
        cosine = self.table.embeddings[instance] @ self._embeddings[fixed_part(word)]
        return float(np.clip(cosine, -1.0, 1.0))

    def likelihood(self, word: str, instance: int) -> float | None:
        """Return the likelihood of ``word`` in an instance, a row of the table; None without posteriors."""
        known = self._likelihoods.setdefault(word, {})
        if instance not in known:
            (posteriors,) = self.candidates.posteriors([instance])
            known[instance] = float(word_likelihoods(word, [posteriors])[0]) if posteriors and word else None
        return known[instance]

    def _add_likelihood(self, raw_scores: Scores, word: str) -> Scores:
        """Return ``raw_scores`` with the likelihood of ``word`` weighed in, where it can change a ranking."""
        share = self._info.likelihood_weight
        if not share or not word:
            return raw_scores
        count = len(raw_scores)
        best = np.argpartition(-raw_scores, _TOP)[:_TOP] if count > _TOP else np.arange(count)
        rows = np.union1d(best, np.flatnonzero(raw_scores >= _MIN_TOP_SCORE))
        posteriors = self.candidates.posteriors(rows.tolist())
        known = np.array([bool(each) for each in posteriors], bool)
        fused = (1 - share) * raw_scores
        fused[rows[~known]] = raw_scores[rows[~known]]
        if known.any():
            likelihoods = word_likelihoods(word, [each for each in posteriors if each])
            read = self._reading_likelihoods(word, rows[known])
            believed = (likelihoods >= _MIN_AGREEMENT) | (len(word) <= _NARROW)
            likelihoods = np.where(believed, np.maximum(likelihoods, read), likelihoods)
            fused[rows[known]] += share * likelihoods
            self._likelihoods[word] = dict(zip(rows[known].tolist(), likelihoods.tolist(), strict=True))
        return np.asarray(fused, np.float32)

    def _reading_likelihoods(self, word: str, rows: NDArray[np.int64]) -> Scores:
        """Return the mean confidence of a character where the transcript is exactly ``word``, elsewhere 0.

        The decoder has seen the word then, though the posteriors, those of another head, may give it less.
        """
        read = set(self.table.readings.rows_of([word]).get(word, ()))
        return np.array(
            [
                char_confidence(float(self.table.confidences[row]), word) if row in read else 0.0
                for row in rows.tolist()
            ],
            np.float32,
        )

    def edits(self, word: str, instance: int) -> int:
        """Return the edit distance between ``word`` and an instance, or the part of it that is nearest."""
        near = [part.part for part in self._parts_of(word) if part.row == instance]
        return int(edit_distances(word, ReadingIndex([self.table.transcripts[instance], *near])).min())

    def _edit_distances(self, word: str) -> NDArray[np.int64]:
        """Return (N,) the edit distance between ``word`` and each instance, or its nearest part."""
        distances = edit_distances(word, self.table.readings)
        for part in () if is_pattern(word) else self._parts_of(word):
            distances[part.row] = min(distances[part.row], OSA.distance(word, part.part))
        return distances

    def _limit_edits(self, scores: Scores, word: str, limit: int) -> Scores:
        distances = self._edit_distances(word)
        known = np.full(len(distances), len(fixed_part(word)))
        if not is_pattern(word):
            known = np.maximum(known, self.table.readings.lengths)
        # Where no character agrees, or nothing was read, few edits only mean that the word is short.
        near = (distances <= limit) & (distances < known)
        return np.where(near, scores, np.float32(NO_MATCH))
