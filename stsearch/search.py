"""From a query to ranked hits. Knows no network: the query encoder is passed in.

The score of a text instance is fixed by ``score_instances``; everything else here is grouping and ordering.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice, takewhile
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from stsearch.charset import normalize, split_words
from stsearch.errors import UsageError
from stsearch.index.gallery import Gallery
from stsearch.index.records import InstanceTable
from stsearch.types import Embedding, ModelInfo, Polygon, Quad

_CANDIDATES = 1000
"""Most similar instances to score for each word of a query, in a gallery too large to score all."""

_fold = lru_cache(maxsize=1 << 17)(normalize)  # signs repeat, and every query sees the same transcripts


class Encoder(Protocol):
    """What turns query words into embeddings, such as ``query_encoder.QueryEncoder``."""

    info: ModelInfo

    def __call__(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Return (Q, D) float32, unit rows, for Q folded words."""


@dataclass(frozen=True, slots=True)
class Query:
    """What somebody asks for: one word or several, all of which a photograph should show.

    Attributes:
        text: as typed.
        words: folded as transcripts are.

    Raises:
        UsageError: no character of the text can be searched for.

    >>> Query("Café Roma").words
    ('cafe', 'roma')
    """

    text: str
    words: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(split_words(self.text)))
        if not self.words:
            raise UsageError(
                f"nothing to search for in {self.text!r}: words are made of the letters a to z and the digits"
                " 0 to 9 (case and accents do not matter)"
            )


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How hits are chosen and grouped.

    Attributes:
        top: how many hits to return at most.
        group: "word" gives one hit for every text instance, "photo" one for every photograph.
        min_score: hits below it are left out.
    """

    top: int = 20
    group: Literal["word", "photo"] = "word"
    min_score: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Hit:
    """A ranked text instance, or a ranked photograph shown by its best text instance.

    Attributes:
        query: the text of the query.
        rank: from 1.
        score: in [0, 1]; of several words, the mean over their best instances in the photograph.
        similarity: cosine between the query word and the text instance, in [-1, 1].
        path: of the photograph.
        polygon: (P, 2) float32, in original pixels.
        transcript: what was read.
        confidence: of the transcript, in [0, 1].
        characters: confidence of each of its characters, in [0, 1]; empty where no recognizer read it.
    """

    query: str
    rank: int
    score: float
    similarity: float
    path: Path
    polygon: Polygon
    transcript: str
    confidence: float
    characters: tuple[float, ...] = ()

    @property
    def box(self) -> Quad:
        """(4, 2) float32, from where reading starts: the rectangle along the reading direction."""
        return box_around(self.polygon)


def box_around(polygon: Polygon) -> Quad:
    """Return a quad as it is; else the least rectangle around ``polygon`` along its chord."""
    if len(polygon) == 4:
        return polygon
    chord = polygon[(len(polygon) - 1) // 2] - polygon[0]
    along = chord / max(float(np.linalg.norm(chord)), 1e-6)
    axes = np.stack([along, [-along[1], along[0]]])  # reading direction, and down
    (left, top), (right, bottom) = (polygon @ axes.T).min(axis=0), (polygon @ axes.T).max(axis=0)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    return np.asarray(corners @ axes, np.float32)


def score_instances(
    query_word: str,
    query_embedding: Embedding,
    embeddings: NDArray[np.float32],
    transcripts: Sequence[str],
    fusion: float,
) -> NDArray[np.float32]:
    """Score text instances for one query word. Search, evaluation and training validation all rank by this.

    Args:
        query_word: folded by ``charset.normalize``.
        query_embedding: (D,) float32, unit length.
        embeddings: (N, D) float32, unit rows.
        transcripts: what was read in each of the N instances, as read.
        fusion: share of the edit similarity of the transcript, in [0, 1]; the rest is the cosine similarity.

    Returns:
        (N,) float32 in [0, 1]: (1 - fusion) * cosine, cut at 0, + fusion * edit similarity.
    """
    similarity = np.clip(embeddings @ query_embedding, 0.0, 1.0)
    folded = [_fold(text) for text in transcripts]
    reading = process.cdist([query_word], folded, scorer=Levenshtein.normalized_similarity, dtype=np.float32)
    return np.asarray((1 - fusion) * similarity + fusion * reading.reshape(-1), np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Row:
    """A hit before its photograph and polygon are looked up."""

    instance: int  # row of the table
    word: int  # which word of the query it answers
    score: float


def search(
    gallery: Gallery, query: Query, encoder: Encoder, options: SearchOptions = SearchOptions()
) -> list[Hit]:
    """Return the hits for ``query``, best first; equal scores by path.

    With one word and ``group="word"`` every text instance is a hit of its own. With several words a photo
    scores the mean of its best instances for each, and those instances are its hits.

    Raises:
        WeightsError: the encoder belongs to other weights than the gallery.
    """
    gallery.check_model(encoder.info)
    embeddings = encoder(query.words)
    table = gallery.candidates(embeddings, query.words, max(_CANDIDATES, 10 * options.top))
    scores = _score_table(query, embeddings, table, encoder.info.fusion)
    good = takewhile(lambda row: row.score >= options.min_score, _rank(table, scores, options.group))
    rows = list(islice(good, options.top))
    photos = gallery.photos_of({int(table.contents[row.instance]) for row in rows})
    details = gallery.details_of(int(table.ids[row.instance]) for row in rows)
    hits = [
        Hit(
            query=query.text,
            rank=0,
            score=row.score,
            similarity=float(np.clip(table.embeddings[row.instance] @ embeddings[row.word], -1.0, 1.0)),
            path=path,
            polygon=details[instance].polygon,
            transcript=table.transcripts[row.instance],
            confidence=float(table.confidences[row.instance]),
            characters=details[instance].characters,
        )
        for row in rows
        if (instance := int(table.ids[row.instance])) in details  # else removed by another process just now
        for path in photos.get(int(table.contents[row.instance]), ())
    ]
    return merge_hits([hits], options.top)


def merge_hits(groups: Iterable[Sequence[Hit]], top: int) -> list[Hit]:
    """Rank the hits of several galleries together, best first, equal scores by path, and keep ``top``."""
    ordered = sorted((hit for group in groups for hit in group), key=lambda hit: (-hit.score, hit.path))
    return [replace(hit, rank=rank) for rank, hit in enumerate(ordered[:top], start=1)]


def rank_photos(gallery: Gallery, query: Query, encoder: Encoder) -> list[tuple[Path, float]]:
    """Return every photograph with its score, best first, equal scores by path; 0 for one without words.

    Every text instance is scored, however large the gallery: evaluation ranks by this.

    Raises:
        WeightsError: the encoder belongs to other weights than the gallery.
    """
    gallery.check_model(encoder.info)
    table = gallery.instances()
    scores = _score_table(query, encoder(query.words), table, encoder.info.fusion)
    best = {int(table.contents[row.instance]): row.score for row in _rank(table, scores, "photo")}
    photos = gallery.all_photos()
    return sorted(
        ((path, best.get(content, 0.0)) for path, content in photos), key=lambda item: (-item[1], item[0])
    )


def _score_table(
    query: Query, embeddings: NDArray[np.float32], table: InstanceTable, fusion: float
) -> NDArray[np.float32]:
    """Return the scores (Q, N) of all instances of ``table`` for every word of the query."""
    return np.stack(
        [
            score_instances(word, embedding, table.embeddings, table.transcripts, fusion)
            for word, embedding in zip(query.words, embeddings, strict=True)
        ]
    )


def _rank(
    table: InstanceTable, scores: NDArray[np.float32], group: Literal["word", "photo"]
) -> Iterator[_Row]:
    """Yield the rows to show, best first.

    Args:
        table: N instances.
        scores: (Q, N) float32 in [0, 1].
        group: one row an instance, or one a photograph.
    """
    if group == "word" and len(scores) == 1:
        yield from (_Row(int(i), 0, float(scores[0, i])) for i in np.argsort(-scores[0], kind="stable"))
        return
    photo = np.unique(table.contents, return_inverse=True)[1]
    # Sorted by photograph, then best first, the first row of each photograph is its best for the word.
    best = np.stack([_first_of_each(np.lexsort((-row, photo)), photo) for row in scores])  # (Q, photographs)
    best_scores = np.take_along_axis(scores, best, axis=1)
    means = best_scores.mean(axis=0)
    for i in np.argsort(-means, kind="stable"):
        words = range(len(scores)) if group == "word" else [int(best_scores[:, i].argmax())]
        yield from (_Row(int(best[word, i]), word, float(means[i])) for word in words)


def _first_of_each(order: NDArray[np.int64], group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the elements of ``order`` at which ``group``, ascending from 0 along ``order``, grows."""
    is_first = np.diff(group[order], prepend=-1) != 0
    return np.asarray(order[is_first], np.int64)
