"""From a query to ranked hits. Knows no network: the query encoder is passed in.

The score of a text instance is made in ``scoring``, that of a phrase in ``phrases``; ``ranking`` orders them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, takewhile
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stsearch.batching import batched
from stsearch.gallery.protocol import Gallery
from stsearch.gallery.request import CandidateRequest
from stsearch.geometry.reading_boxes import ReadingBoxes
from stsearch.search.advice import Advice, advise, near_rows
from stsearch.search.candidates import Candidates, GalleryCandidates
from stsearch.search.hits import Hit, hits_of, merge_hits
from stsearch.search.photo_filter import PhotoFilter
from stsearch.search.query import Query
from stsearch.search.ranking import Group, Ranking, Row
from stsearch.search.scoring import Scorer
from stsearch.search.split_words import covering, pieces
from stsearch.search.token_parts import holding_part
from stsearch.text.wildcards import fixed_part, is_pattern
from stsearch.types import Embedding, ModelInfo, Polygon

_CANDIDATES = 1000
"""Most similar instances to score for each word of a query, in a gallery too large to score all."""

_BATCH = 64  # rows whose outlines are fetched together

MAX_COUNTED = 1000
"""Hits that are counted beyond those that are returned."""

_MAX_NEAR = 5  # hits shown that nearly match

_LIKELY = 0.5
"""Where all hits score less, so that each is likelier wrong than right, the word may have been misspelled."""

_NOWHERE: Polygon = np.zeros((0, 2), np.float32)


class Encoder(Protocol):
    """Embeds query words, such as ``query_encoder.QueryEncoder`` does."""

    info: ModelInfo

    def __call__(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Return (Q, D) float32, unit rows, for Q folded words."""


@dataclass(frozen=True, slots=True)
class SearchOptions:
    """How hits are chosen and grouped.

    Attributes:
        top: how many hits to return at most.
        group: "word" gives one hit for every text instance, "photo" one for every photograph.
        min_score: hits with a lower score are left out, and photographs in which an unwanted word reaches it
            (the default of the weights if it is 0).
        fuzzy: maximum edit distance between transcript and word; None: any.
        blank: with ``group="photo"``, rank photographs without such a word too, with score 0.
        photos: selects the photographs to search; None: all.
        explain: collect the alternative readings of each hit.
        advice: where nothing matches, how many other searches to propose, and there or where all hits are
            weak, gather those that nearly match; where more matches than ``top``, count it. 0: do none of it.
        counts: count what matches beyond ``top`` all the same.
    """

    top: int = 20
    group: Group = "word"
    min_score: float = 0.0
    fuzzy: int | None = None
    blank: bool = False
    photos: PhotoFilter | None = None
    explain: bool = False
    advice: int = 0
    counts: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The answer to a query.

    Attributes:
        hits: best first.
        total: how many hits there are, those beyond ``hits`` included up to ``MAX_COUNTED``.
        nearly: where there are no hits, or only weak ones, words read confidently that differ by a letter.
        advice: where there are no hits, searches that have some.
    """

    hits: list[Hit]
    total: int
    nearly: list[Hit] = field(default_factory=list)
    advice: list[Advice] = field(default_factory=list)


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """The answer of one gallery to a query, of those that ``merge_answers`` makes one.

    Attributes:
        hits: best first.
        total: as in ``Found``.
        nearly: as in ``Found``.
        asked: where there are no hits but advice is wanted, what was searched and the least score.
    """

    hits: list[Hit]
    total: int
    nearly: list[Hit] = field(default_factory=list)
    asked: tuple[Scorer, float] | None = None


def search(
    gallery: Gallery, query: Query, encoder: Encoder, options: SearchOptions = SearchOptions()
) -> list[Hit]:
    """Return the hits for ``query``, best first; equal scores by path.

    With one word and ``group="word"`` every text instance is a hit of its own; of several readings of one
    place, the one with the best score. With several words a photo scores the mean of its best instances for
    each, and those instances are its hits.

    Raises:
        WeightsError: the encoder belongs to other weights than the gallery.
    """
    return find(gallery, query, encoder, options).hits


def find(gallery: Gallery, query: Query, encoder: Encoder, options: SearchOptions = SearchOptions()) -> Found:
    """Return what ``search`` does, and with ``options.advice`` what there is beside it.

    Raises:
        WeightsError: the encoder belongs to other weights than the gallery.
    """
    return merge_answers(query, [answer(gallery, query, encoder, options)], options)


def answer(gallery: Gallery, query: Query, encoder: Encoder, options: SearchOptions) -> Answer:
    """Return what one gallery answers; advice is given for several together, by ``merge_answers``.

    Raises:
        WeightsError: the encoder belongs to other weights than the gallery.
    """
    gallery.check_model(encoder.info)
    embeddings = _embed_words([query], encoder)
    candidates = _candidates(gallery, query, embeddings, options)
    scorer = Scorer(candidates, embeddings, encoder.info, options.fuzzy)
    ranking = Ranking(query, scorer, options.group, options.min_score)
    wanted = takewhile(lambda row: row.score >= options.min_score, ranking.rows())
    apart = _suppress_overlaps(wanted, candidates) if options.group == "word" else wanted
    rows = list(islice(apart, options.top))
    beyond = sum(1 for _ in islice(apart, MAX_COUNTED)) if options.advice or options.counts else 0
    hits = list(hits_of(gallery, candidates, ranking, rows, options.explain, options.photos))
    if options.blank and options.group == "photo" and len(rows) < options.top:
        ranked = {row.content for row in rows} | ranking.excluded()
        hits += [
            Hit(query.text, 0, 0.0, 0.0, path, _NOWHERE, "", 0.0)
            for path, content in gallery.all_photos(options.photos)
            if content not in ranked
        ]
    merged, total = merge_hits([hits], options.top), len(hits) + beyond
    if not options.advice or _holds_an_answer(merged, options):
        return Answer(merged, total)
    some = near_rows(query, scorer, options.group, options.min_score)
    near = list(islice(_suppress_overlaps(some, candidates), _MAX_NEAR))
    found = list(hits_of(gallery, candidates, ranking, near, options.explain, options.photos))
    nearly = merge_hits([found], _MAX_NEAR)
    return Answer(merged, total, nearly, None if merged else (scorer, options.min_score))


def _holds_an_answer(hits: Sequence[Hit], options: SearchOptions) -> bool:
    """Return whether one of ``hits`` is likelier right than wrong, or was chosen or read as it was typed."""
    if options.fuzzy is not None:
        return bool(hits)
    return any(hit.score >= _LIKELY or not any(each.edits for each in hit.matches) for hit in hits)


def _suppress_overlaps(rows: Iterator[Row], candidates: Candidates) -> Iterator[Row]:
    """Yield ``rows``, best first, without those in the place of a better one of the same page.

    Outlines are fetched only where several of the rows lie on one page, which is rare.
    """
    surfaces = candidates.table.surfaces
    shown: dict[int, list[int]] = {}  # instances of the rows that were yielded, by page
    for some in batched(rows, _BATCH):
        pages = [int(surfaces[row.shown[0][1]]) for row in some]
        shared = {page for page, count in Counter(pages).items() if count > 1 or page in shown}
        compared = [at for page in shared for at in shown.get(page, ())]
        compared += [
            at for row, page in zip(some, pages, strict=True) if page in shared for _, at in row.shown
        ]
        outlines = dict(zip(compared, candidates.polygons(compared), strict=True))
        for row, page in zip(some, pages, strict=True):
            before, here = shown.setdefault(page, []), [at for _, at in row.shown]
            if not (before and _overlap([outlines[at] for at in before], [outlines[at] for at in here])):
                before += here
                yield row


def _overlap(before: Sequence[Polygon], here: Sequence[Polygon]) -> bool:
    return bool(ReadingBoxes.of([*before, *here]).same_place()[len(before) :, : len(before)].any())


def merge_answers(query: Query, answers: Sequence[Answer], options: SearchOptions) -> Found:
    """Return the answers of several galleries to one query as one; where none has hits, with advice."""
    hits = merge_hits([each.hits for each in answers], options.top)
    nearly = merge_hits([each.nearly for each in answers], _MAX_NEAR)
    if hits:
        total = sum(each.total for each in answers)
        return Found(hits, total, [] if _holds_an_answer(hits, options) else nearly)
    asked = [each.asked for each in answers if each.asked]
    return Found([], 0, nearly, list(islice(advise(query, asked), options.advice)))


def score_photos(
    queries: Sequence[Query], candidates: Candidates, encoder: Encoder
) -> Iterator[dict[int, float]]:
    """Yield, for each query, the score of every photograph that matches it, by content id.

    The scores are those of ``search`` with ``group="photo"``, without a minimum and a number of hits; a
    photograph that is not there scores 0. Evaluation ranks by this.

    Args:
        queries: parsed.
        candidates: all text instances of the photographs.
        encoder: of the weights that found them.
    """
    embeddings = _embed_words(queries, encoder)
    for query in queries:
        ranking = Ranking(query, Scorer(candidates, embeddings, encoder.info), "photo", min_score=0.0)
        yield {row.content: row.score for row in ranking.rows()}


class _Embeddings(dict[str, Embedding]):
    """The embeddings (D,) of words without wildcards; one that is missing is computed when it is needed."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self._encoder = encoder

    def __missing__(self, word: str) -> Embedding:
        self[word] = self._encoder([word])[0]
        return self[word]


def _embed_words(queries: Iterable[Query], encoder: Encoder) -> _Embeddings:
    """Return the embedding (D,) of the fixed part of every word, and of joined words, by that part."""
    joined = (word for query in queries for term in query.terms() for word in term.joined_words().values())
    words = list(dict.fromkeys(map(fixed_part, joined)))
    embeddings = _Embeddings(encoder)
    embeddings.update(zip(words, encoder(words), strict=True))
    return embeddings


def _candidates(
    gallery: Gallery, query: Query, embeddings: Mapping[str, Embedding], options: SearchOptions
) -> GalleryCandidates:
    """Return the text instances, of the photographs that are chosen, that may answer ``query``."""
    words = dict.fromkeys(word for term in query.terms() for word in term.joined_words().values())
    groups = tuple(tuple(word for term in each.wanted for word in term.words) for each in query.alternatives)
    request = CandidateRequest(
        words=tuple(words),
        embeddings=embeddings,
        count=max(_CANDIDATES, 10 * options.top),
        groups=groups,
        # Only similar instances match words alone; any transcript may match any other query.
        words_only=query.has_words_only and options.fuzzy is None,
        whole_photos=any(len(term.words) > 1 for term in query.terms())
        or any(each.unwanted for each in query.alternatives),
        is_exhaustive=options.blank,
        photos=options.photos,
        more=_more_ids(gallery, (word for word in query.words if not is_pattern(word))),
    )
    return GalleryCandidates(gallery, gallery.candidates(request))


def _more_ids(gallery: Gallery, words: Iterable[str]) -> Iterator[int]:
    """Yield the ids of instances that may show a word without being similar to it: in parts, or as a part."""
    for word in dict.fromkeys(words):
        yield from gallery.ids_in(covering(word, gallery.contents_reading(pieces(word))))
        yield from holding_part(word, gallery.transcripts_with(word))
