"""What would match where a query matches nothing: the nearest words, a pattern, the split, fewer words.

Every advice is tried on the instances that were searched, of all galleries, before it is given.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA, Levenshtein

from stsearch.errors import UsageError
from stsearch.gallery.records import InstanceTable
from stsearch.search.query import Alternative, Query, Term
from stsearch.search.ranking import Group, Ranking, Row
from stsearch.search.scoring import Scorer, edit_distances
from stsearch.text.charset import normalize
from stsearch.text.reading_index import ReadingIndex
from stsearch.text.wildcards import fixed_part, is_pattern
from stsearch.types import char_confidence

_MIN_PART = 3
"""Letters of a word from which a longer one that holds it may be meant."""

_MIN_NEAR_LETTERS = 4
"""Letters of a word from which another letter is likelier a mistake than another word."""

_MIN_FAR_LETTERS = 8
"""Letters of a word of which two may be mistakes."""

_LETTERS_PER_EDIT = 3
"""Letters of a word that are right for each that is not; else it is another word."""

_MIN_NEAREST = 0.6
"""Edit similarity from which the nearest word may be what was meant."""

_CONFIDENT = 0.9
"""Mean confidence of a character from which a reading is shown though it is not quite the word."""

_EVEN_ONE_EDIT = 1e-6  # the least score where a limit of edits has chosen already


@dataclass(frozen=True, slots=True)
class Advice:
    """A search that finds something.

    Attributes:
        reason: why it may be what was meant, such as "CHATEAU, 1 letter differs".
        query: to search for.
        fuzzy: the limit of edits to give; None: none.
        min_score: the least score to give; None: what holds if none is given.
    """

    reason: str
    query: str
    fuzzy: int | None = None
    min_score: float | None = None


def advise(query: Query, asked: Sequence[tuple[Scorer, float]]) -> Iterator[Advice]:
    """Yield searches that match, the likeliest wish first, for a query that matches nothing as it was asked.

    Args:
        query: parsed.
        asked: for every gallery the scorer of what was searched, and the least score that was asked for.
    """
    places = [(scorer, least) for scorer, least in asked if len(scorer.table.ids)]
    if not places:
        return
    words = _Words.of([scorer.within(None) for scorer, _ in places])
    given: set[tuple[str, int | None]] = set()
    if all(scorer.fuzzy is None and least <= scorer.default_min_score for scorer, least in places):
        given.add((query.text, None))  # that is what was asked
    for each in _candidates(query, words) if query.is_typed else _nearest_word(query, words):
        key = each.query, each.fuzzy
        # A single word that was chosen by its edits, or by its reading, is there.
        is_certain = each.fuzzy is not None and " " not in each.query
        if key not in given and (is_certain or _matches(each, words)):
            given.add(key)
            yield each
    if not words.has_readings:  # outlines alone, which only resemble words
        yield from (Advice("whatever resembles it", word, min_score=0) for word in query.words[:1])


@dataclass(frozen=True, slots=True, eq=False)
class _Words:
    """What was read in all galleries that were searched.

    Attributes:
        scorers: of the instances of each, without a limit of edits.
        tables: what was read in each, N instances together; their rows are numbered through.
        confidences: (N,) float32 in [0, 1].
    """

    scorers: Sequence[Scorer]
    tables: Sequence[InstanceTable]
    confidences: NDArray[np.float32]

    @classmethod
    def of(cls, scorers: Sequence[Scorer]) -> _Words:
        tables = [scorer.table for scorer in scorers]
        return cls(scorers, tables, np.concatenate([table.confidences for table in tables]))

    def has(self, word: str) -> bool:
        """Return whether ``word``, folded, was read."""
        return any(scorer.table.readings.rows_of([word]) for scorer in self.scorers)

    @property
    def has_readings(self) -> bool:
        """Return whether anything was read at all."""
        return any(table.readings.lengths.any() for table in self.tables)

    def folded(self, row: int) -> str:
        """Return the folded transcript of a row."""
        table, at = self._place(row)
        return table.readings.folded[at]

    def transcript(self, row: int) -> str:
        """Return the transcript of a row, as read."""
        table, at = self._place(row)
        return table.transcripts[at]

    def surest(self, rows: Sequence[int]) -> str:
        """Return the transcript that was read most confidently."""
        return self.transcript(rows[int(self.confidences[rows].argmax())])

    def holding(self, word: str) -> list[int]:
        """Return the rows that have ``word``, folded, in their transcript and more."""
        found: list[int] = []
        first = 0
        for table in self.tables:
            longer = (row for row in table.readings.holding(word) if table.readings.folded[row] != word)
            found += (first + row for row in longer)
            first += len(table.ids)
        return found

    def _place(self, row: int) -> tuple[InstanceTable, int]:
        for table in self.tables:
            if row < len(table.ids):
                return table, row
            row -= len(table.ids)
        raise IndexError(row)


def near_rows(query: Query, scorer: Scorer, group: Group, min_score: float) -> Iterator[Row]:
    """Yield rows that are no hits because a letter of a word differs, or two of a long one.

    All of them were read confidently.
    """
    if any(len(word) < _MIN_NEAR_LETTERS or is_pattern(word) for word in query.words):
        return
    edits = 1 if any(len(word) < _MIN_FAR_LETTERS for word in query.words) else 2
    table, exact = scorer.table, scorer.within(0)
    for row in Ranking(query, scorer.within(edits), group, _EVEN_ONE_EDIT).rows():
        readings = [(word, table.readings.folded[at]) for word, at in row.matched]
        is_hit = row.score >= min_score and all(scorer.allows(*each) for each in readings)
        if is_hit or all(exact.allows(*each) for each in readings):
            continue  # or its score keeps it from being one
        rows = [at for _, at in row.matched]
        if min(char_confidence(table.confidences[at], table.transcripts[at]) for at in rows) >= _CONFIDENT:
            yield row


def _matches(advice: Advice, words: _Words) -> bool:
    try:
        query = Query(advice.query)
    except UsageError:  # such as "tea OR -milk", made from "tea or -milk"
        return False
    return any(_matches_in(scorer, query, advice) for scorer in words.scorers)


def _matches_in(scorer: Scorer, query: Query, advice: Advice) -> bool:
    limit = scorer.default_min_score if advice.fuzzy is None else _EVEN_ONE_EDIT
    ranking = Ranking(query, scorer.within(advice.fuzzy), "word", limit)
    return any(row.score >= limit for row in ranking.rows())


def _candidates(query: Query, words: _Words) -> Iterator[Advice]:
    yield Advice("without --exact, --fuzzy and --min-score", query.text)
    yield Advice("one or the other", query.text.replace(" or ", " OR "))
    for alternative in query.alternatives:
        several = len(alternative.wanted) > 1 or len(alternative.wanted[0].words) > 1
        if alternative.unwanted:
            unwanted = " and ".join(_written([term]) for term in alternative.unwanted)
            yield Advice(f"every photo with it also shows {unwanted}", _written(alternative.wanted))
        if several:
            yield from _fewer_words(alternative, words)
        for at, term in enumerate(alternative.wanted):
            is_enough = (several or alternative.unwanted) and _is_found(term, words)
            if len(term.words) == 1 and not is_enough:
                for each in _other_words(term.words[0], words):
                    others = (*alternative.wanted[:at], *Query(each.query).alternatives[0].wanted)
                    text = _written((*others, *alternative.wanted[at + 1 :]))
                    yield Advice(each.reason, text, each.fuzzy)
    yield from _nearest_word(query, words)


def _fewer_words(alternative: Alternative, words: _Words) -> Iterator[Advice]:
    """Yield the words of a phrase without quotes, all words joined, and those found without the others."""
    terms = tuple(Term((word,)) for term in alternative.wanted for word in term.words)
    if len(terms) > len(alternative.wanted):
        yield Advice("these words, but not next to each other", _written(terms))
    joined = "".join(word for term in terms for word in term.words)
    if words.has(joined):
        yield Advice("in one word", joined)
    found = [term for term in terms if _is_found(term, words)]
    missing = [term for term in terms if term not in found]
    if found and missing:
        are = "are" if len(missing) > 1 else "is"
        reason = f"{' and '.join(repr(_written([term])) for term in missing)} {are} not found"
        yield Advice(reason, _written(found))
        yield Advice(f"{reason}, the others are not in one photo", " OR ".join(_written([t]) for t in found))
    elif found:
        yield Advice("no photo shows all of these words", " OR ".join(_written([term]) for term in found))


def _other_words(word: str, words: _Words) -> Iterator[Advice]:
    """Yield the word read that is nearest to one, those that hold it, and what it may be made of."""
    known = len(fixed_part(word))
    distances = np.concatenate([edit_distances(word, table.readings) for table in words.tables])
    trusted = np.concatenate([table.readings.lengths > 0 for table in words.tables]) & (distances > 0)
    edits = int(distances[trusted].min(initial=known))
    if edits <= min(known // _LETTERS_PER_EDIT, 2):
        nearest = words.surest(np.flatnonzero((distances == edits) & trusted).tolist())
        yield Advice(f"{nearest}, {_difference(word, nearest, edits)}", word, edits)
    if is_pattern(word):
        return
    longer = words.holding(word) if known >= _MIN_PART else []
    for pattern, says, is_so in (
        (f"{word}*", "begins so", str.startswith),
        (f"*{word}", "ends so", str.endswith),
        (f"*{word}*", "holds it", str.__contains__),
    ):
        holding = [row for row in longer if is_so(words.folded(row), word)]
        if holding:
            yield Advice(f"{words.surest(holding)} {says}", pattern)
    for cut in range(2, known - 1):
        if words.has(word[:cut]) and words.has(word[cut:]):
            yield Advice("in two words", f"{word[:cut]} {word[cut:]}")


def _difference(word: str, transcript: str, edits: int) -> str:
    """Return in words what ``edits`` changes ``word`` needs.

    >>> _difference("cofee", "Coffee", 1), _difference("graden", "GARDEN", 1), _difference("cfe", "cafes", 2)
    ('1 letter differs', '2 letters swapped', '2 letters differ')
    """
    if edits > 1:
        return f"{edits} letters differ"
    if not is_pattern(word) and Levenshtein.distance(word, normalize(transcript)) > edits:
        return "2 letters swapped"
    return "1 letter differs"


def _nearest_word(query: Query, words: _Words) -> Iterator[Advice]:
    """Yield the word that reads most like one of the query, if any does, to be found as it was read."""
    asked = [fixed_part(word) for word in query.words if word] or [""]
    same = np.concatenate([_best_similarities(asked, table.readings) for table in words.tables])
    trust = np.concatenate([table.char_confidences for table in words.tables])
    best = int(np.argmax((same + 1) * trust * (same >= _MIN_NEAREST)))
    if same[best] >= _MIN_NEAREST:
        yield Advice(f"{words.transcript(best)} is the nearest word", words.folded(best), 0)


def _best_similarities(asked: Sequence[str], readings: ReadingIndex) -> NDArray[np.float32]:
    """Return (N,) the edit similarity of each reading to that of ``asked`` which is most like it."""
    similar = process.cdist(asked, readings.distinct, scorer=OSA.normalized_similarity).max(axis=0)
    return np.asarray(similar[readings.numbers], np.float32)


def _is_found(term: Term, words: _Words) -> bool:
    return _matches(Advice("", _written([term])), words)


def _written(terms: Iterable[Term]) -> str:
    """Return a query for ``terms``."""
    return " ".join(_spelled(term.words) for term in terms)


def _spelled(words: Sequence[str]) -> str:
    text = " ".join(words)
    return f'"{text}"' if len(words) > 1 else text
