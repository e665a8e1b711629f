"""The instances that may answer a query, found by the indexes of PostgreSQL where there are too many to read.

Similar embeddings (HNSW) and similar letters (trigrams) are what a search begins with. Where it matters what
else a photograph shows (phrases, unwanted words), the best photographs are then read whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pgvector import HalfVector

from stsearch.gallery.postgres.database import Database, Session
from stsearch.gallery.postgres.filters import Condition
from stsearch.gallery.request import CandidateRequest
from stsearch.text.wildcards import fixed_part, is_pattern
from stsearch.types import Embedding

_MAX_WIDTH = 1000
"""Candidates that pgvector holds while it searches at most (hnsw.ef_search)."""

_MAX_READING = 10_000
"""Instances that are taken for one word of those that read it exactly, or that its pattern matches."""

_MAX_SIMILAR = 2_000
"""Instances that are taken for one word because most of its trigrams are in them."""

_MIN_SHARED = 0.3  # of the trigrams of both

_MAX_PHOTOS = 1_000
"""Photographs that are read whole."""


@dataclass(frozen=True, slots=True)
class _Seed:
    """An instance that may match a word of the query, and how well as far as it is known, in [-1, 1]."""

    instance: int
    content: int
    quality: float


def find_candidates(database: Database, request: CandidateRequest, condition: Condition) -> Condition:
    """Return the condition that the instances to score for ``request`` meet.

    Args:
        database: of a gallery with too many words to read all.
        request: what is looked for.
        condition: that they are to meet too; of ``words``.
    """
    seeds = database.run(lambda session: _find_seeds(session, request, condition))
    found = [seed for some in seeds.values() for seed in some]
    if not request.whole_photos:
        ids = {seed.instance for seed in found} | set(request.more)
        together = {
            each for group in request.groups for each in _reading_together(database, group, condition)
        }
        return Condition(
            f"(id = ANY(%s) OR content = ANY(%s)) AND {condition.sql}",
            (sorted(ids), sorted(together), *condition.values),
        )
    photos = _best_photos(database, request, seeds, condition)
    return Condition("content = ANY(%s)", (photos,))


def _find_seeds(session: Session, request: CandidateRequest, condition: Condition) -> dict[str, list[_Seed]]:
    """Return the instances like each word, by the word."""
    session.execute(f"SET LOCAL hnsw.ef_search = {min(max(request.count, 100), _MAX_WIDTH)}")
    session.execute("SET LOCAL hnsw.iterative_scan = relaxed_order")
    session.execute(f"SET LOCAL pg_trgm.similarity_threshold = {_MIN_SHARED}")
    seeds = {word: list(_reading(session, word, condition)) for word in request.words}
    if not request.words_only:
        for word, found in seeds.items():
            found += _similar_letters(session, word, condition)
    for word, found in seeds.items():
        found += _near(session, request.embeddings[fixed_part(word)], request.count, condition)
    return seeds


def _near(session: Session, vector: Embedding, count: int, condition: Condition) -> Iterator[_Seed]:
    query = HalfVector(vector)
    for number, content, distance in session.execute(
        f"SELECT id, content, vector <#> %s FROM words WHERE {condition.sql} ORDER BY vector <#> %s LIMIT %s",
        [query, *condition.values, query, count],
    ):
        if distance is not None:
            yield _Seed(number, content, -distance)


def _reading(session: Session, word: str, condition: Condition) -> Iterator[_Seed]:
    """Yield instances that read ``word``, or that its pattern matches."""
    compares = "folded LIKE %s" if is_pattern(word) else "folded = %s"
    value = word.replace("*", "%").replace("?", "_")
    for number, content in session.execute(
        f"SELECT id, content FROM words WHERE {compares} AND {condition.sql} LIMIT %s",
        [value, *condition.values, _MAX_READING],
    ):
        yield _Seed(number, content, 1.0)


def _similar_letters(session: Session, word: str, condition: Condition) -> Iterator[_Seed]:
    letters = word.replace("*", " ").replace("?", " ")
    for number, content, shared in session.execute(
        "SELECT id, content, similarity(folded, %s) AS shared FROM words"
        f" WHERE folded %% %s AND {condition.sql} ORDER BY shared DESC LIMIT %s",
        [letters, letters, *condition.values, _MAX_SIMILAR],
    ):
        yield _Seed(number, content, shared)


def _best_photos(
    database: Database, request: CandidateRequest, seeds: dict[str, list[_Seed]], condition: Condition
) -> list[int]:
    """Return the photographs that match one of the groups of words best, by what is known of them."""
    best: dict[str, dict[int, float]] = {}  # by word and photograph
    for word, some in seeds.items():
        of_word = best.setdefault(word, {})
        for seed in some:
            of_word[seed.content] = max(of_word.get(seed.content, -1.0), seed.quality)
    ranked: dict[int, float] = {}
    for group in request.groups:
        for content in _reading_together(database, group, condition):
            ranked[content] = 1.0
        known = [best.get(word, {}) for word in group]
        for content in set[int]().union(*known):
            mean = sum(of_word.get(content, 0.0) for of_word in known) / len(known)
            ranked[content] = max(ranked.get(content, -1.0), mean)
    for of_word in best.values():  # words that were joined
        for content, quality in of_word.items():
            ranked.setdefault(content, quality / 2)
    return sorted(ranked, key=lambda content: (-ranked[content], content))[:_MAX_PHOTOS]


def _reading_together(database: Database, group: tuple[str, ...], condition: Condition) -> list[int]:
    """Return photographs that read all words of ``group`` exactly: of frequent words few do."""
    words = [word for word in dict.fromkeys(group) if not is_pattern(word)]
    if len(words) < 2:
        return []
    one = f"SELECT content FROM words WHERE folded = %s AND {condition.sql}"
    values = [value for word in words for value in (word, *condition.values)]
    rows = database.rows(f"{' INTERSECT '.join([one] * len(words))} LIMIT {_MAX_PHOTOS}", *values)
    return [content for (content,) in rows]
