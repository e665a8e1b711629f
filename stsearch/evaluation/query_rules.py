"""Published query rules: from labels or lists to queries with their relevant photographs.

Photographs are told apart by their paths, never by the order of a listing. No rule drops a query in silence:
one without a relevant photograph, or that folds to nothing, stays and counts.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stsearch.errors import DataError
from stsearch.search.query import Query
from stsearch.text.charset import split_words
from stsearch.types import Sample

ALL_WORDS = "; a query of several words asks for photographs with all of them"
AS_PHRASE = '; a query of several words is searched for as a phrase, as in "open 24 hours"'
"""How queries of several words are searched for, to be said in the text of a rule."""

Relevance = Mapping[str, frozenset[Path]]
"""The relevant photographs of each query."""


class QueryRule(Protocol):
    """Makes the queries of a benchmark."""

    @property
    def text(self) -> str:
        """State the rule in words."""

    def parse(self, query: str) -> Query | None:
        """Return ``query`` as a user would search for it; None where it folds to nothing."""

    def ask(self, samples: Sequence[Sample], parts: Sequence[Path]) -> Relevance:
        """Return the queries, sorted, with their relevant photographs.

        Args:
            samples: The photographs of the gallery with their labels.
            parts: The files of the copy, as its layout orders them.

        Raises:
            DataError: There is no query, or a listed photograph is not in the gallery.
        """


@dataclass(frozen=True, slots=True)
class WordRule:
    """The queries are words of the labels.

    Attributes:
        template: the rule in words; ``{min_length}`` and the like stand for the numbers below.
        words: the words of one legible transcript.
        min_length: of a query, in characters.
        min_instances: labels that a query needs.
        max_queries: so many words, those in the most photographs, are queries, 0 for all; of equally
            frequent ones the first in the alphabet, where published code depends on the order of a folder.
    """

    template: str
    words: Callable[[str], Sequence[str]]
    min_length: int = 1
    min_instances: int = 1
    max_queries: int = 0

    @property
    def text(self) -> str:
        """State the rule in words."""
        return self.template.format(
            min_length=self.min_length, min_instances=self.min_instances, max_queries=self.max_queries
        )

    def parse(self, query: str) -> Query | None:
        """Return the search for all words of ``query``; None where it folds to nothing."""
        return all_words(query)

    def ask(self, samples: Sequence[Sample], parts: Sequence[Path] = ()) -> Relevance:
        """Return the queries, sorted, with the photographs whose labels contain them.

        Raises:
            DataError: There is none.
        """
        instances: Counter[str] = Counter()
        photos: defaultdict[str, set[Path]] = defaultdict(set)
        for sample in samples:
            for label in sample.words:
                for word in self.words(label.transcript) if label.legible else ():
                    if len(word) >= self.min_length:
                        instances[word] += 1
                        photos[word].add(sample.image)
        queries = sorted(word for word in photos if instances[word] >= self.min_instances)
        if self.max_queries:
            queries = sorted(sorted(queries, key=lambda word: -len(photos[word]))[: self.max_queries])
        if not queries:
            raise DataError(
                f"no query: the labels hold no readable word of {self.min_length} or more characters"
            )
        return {word: frozenset(photos[word]) for word in queries}


@dataclass(frozen=True, slots=True)
class ListedRule:
    """The queries and the names of their relevant photographs are listed in a file.

    Attributes:
        text: the rule in words.
        read: the file, the first part of the layout: file names by query.
        parse: from a listed query to the search for it; None where it folds to nothing.
    """

    text: str
    read: Callable[[Path], Mapping[str, Sequence[str]]]
    parse: Callable[[str], Query | None]

    def ask(self, samples: Sequence[Sample], parts: Sequence[Path]) -> Relevance:
        """Return the listed queries; file names are compared, not places in a list.

        Raises:
            DataError: A relevant photograph is not in the gallery, or nothing is listed.
        """
        photos = {sample.image.name: sample.image for sample in samples}
        listed = self.read(parts[0])
        missing = sorted({name for names in listed.values() for name in names} - set(photos))
        if missing:
            raise DataError(f"{parts[0]} names photographs that are not there: {', '.join(missing[:5])}")
        if not listed:
            raise DataError(f"{parts[0]} lists no query")
        return {query: frozenset(photos[name] for name in listed[query]) for query in sorted(listed)}


@dataclass(frozen=True, slots=True)
class ListedWordRule:
    """The queries are listed in a file; the relevant photographs follow from the labels.

    Attributes:
        text: the rule in words.
        read: the file, the first part of the layout: the queries.
        words: the words of one transcript, as the queries are spelled.
    """

    text: str
    read: Callable[[Path], Sequence[str]]
    words: Callable[[str], Sequence[str]]

    def parse(self, query: str) -> Query | None:
        """Return the search for all words of ``query``; None where it folds to nothing."""
        return all_words(query)

    def ask(self, samples: Sequence[Sample], parts: Sequence[Path]) -> Relevance:
        """Return the listed queries, also those that no label contains.

        Raises:
            DataError: No label is a word at all.
        """
        held = WordRule(self.text, self.words).ask(samples)
        return {query: held.get(query, frozenset()) for query in sorted(set(self.read(parts[0])))}


def all_words(text: str) -> Query | None:
    """Return the search for photographs that show all words of ``text``; None where it folds to nothing.

    Operators of the query language, such as a leading minus, are punctuation here.
    """
    return Query(" ".join(words)) if (words := split_words(text)) else None


def phrase(text: str) -> Query | None:
    """Return the search for ``text`` as a phrase, as if in quotes; None where it folds to nothing."""
    return Query(f'"{" ".join(words)}"') if (words := split_words(text)) else None


def alphanumeric(transcript: str) -> list[str]:
    """Return a transcript as one word of a to z and 0 to 9 (TDSL and PSTR).

    >>> alphanumeric("Joe's Bar")
    ['joesbar']
    """
    return [word] if (word := "".join(c for c in transcript if c.isascii() and c.isalnum()).lower()) else []


def last_field(transcript: str) -> str:
    """Return the text after the last comma, which is all that the published ICDAR 2015 loaders keep.

    >>> last_field("1,500")
    '500'
    """
    return transcript.rpartition(",")[2]


def mstar_words(transcript: str) -> list[str]:
    """Return the words of a transcript as MSTAR filters them: in lower case, without ``. # ! & $``.

    >>> mstar_words("'St. John'")
    ['st', 'john']
    """
    if transcript.startswith("'") and transcript.endswith("'"):
        transcript = transcript[1:-1]
    return transcript.lower().translate(dict.fromkeys(map(ord, ".#!&$"))).split()


LABELLED_WORDS = WordRule(
    "every distinct readable word of {min_length} or more characters after folding (lower case, letters and"
    " digits only; a transcript with spaces counts as its words); a photograph is relevant when one of its"
    " readable transcripts contains the word",
    split_words,
    min_length=3,
)
"""The rule for labelled photographs of one's own."""
