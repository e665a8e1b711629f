"""Hits: what a search found, where, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress, islice

import numpy as np
from numpy.typing import NDArray

from stsearch.gallery.protocol import Gallery
from stsearch.gallery.records import Detail, Reading
from stsearch.gallery.request import PhotoChoice
from stsearch.geometry.reading_boxes import ReadingBoxes
from stsearch.objects.url import Location, ObjectUrl
from stsearch.search.candidates import GalleryCandidates
from stsearch.search.ranking import Ranking, Row
from stsearch.types import Polygon, Quad, shown_place

_ALTERNATIVES = 4  # other readings of a word that a hit lists at most


@dataclass(frozen=True, slots=True)
class Match:
    """Why a hit was found: one text instance that matches one word of the query.

    Attributes:
        word: of the query, folded, with its wildcards; words of a phrase that one instance holds are one.
        similarity: cosine between the word, without wildcards, and the instance, in [-1, 1].
        transcript: as read.
        characters: confidence of each of its characters, in [0, 1]; empty where no recognizer read it.
        edits: edit distance between the folded transcript and the word.
        likelihood: of the word, given the CTC posteriors, in [0, 1]; None where they are not known.
        alternatives: other readings of the same place, most confident first; empty without ``explain``.
    """

    word: str
    similarity: float
    transcript: str
    characters: tuple[float, ...]
    edits: int
    likelihood: float | None = None
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Hit:
    """A ranked text instance or phrase, or a ranked photograph shown by its best one.

    Attributes:
        query: the text of the query.
        rank: from 1.
        score: in [0, 1]; of several words, the mean over their best instances in the photograph.
        similarity: cosine between the query word and the text instance, in [-1, 1]; of a phrase, the mean.
        path: of the photograph; in a bucket its URL.
        polygon: (P, 2) float32, in original pixels; around all words of a phrase; P is 0 in a photograph
            that is ranked though it has no such word.
        transcript: as read; the words of a phrase with spaces between.
        confidence: of the transcript, in [0, 1].
        characters: confidence of each of its characters, without spaces, in [0, 1]; empty where no recognizer
            read them all.
        matches: the text instances that match the words of the query; by photo, all its words.
        page: of the photograph, or the frame of an animation, from 1, in whose pixels the polygon is; None in
            a photograph of one page.
    """

    query: str
    rank: int
    score: float
    similarity: float
    path: Location
    polygon: Polygon
    transcript: str
    confidence: float
    characters: tuple[float, ...] = ()
    matches: tuple[Match, ...] = ()
    page: int | None = None

    def __repr__(self) -> str:
        """Return what was found and where, without the arrays."""
        found = f"{self.transcript!r} score={self.score:.2f} {str(self.path)!r}"
        return f"<Hit {self.rank}: {found}{shown_place(self)}>"

    @property
    def box(self) -> Quad:
        """(4, 2) float32, from where reading starts: the rectangle along the reading direction."""
        return box_around(self.polygon)


def box_around(polygon: Polygon) -> Quad:
    """Return a quad, or nothing, as it is; else the smallest rectangle around ``polygon`` along its chord."""
    return polygon if len(polygon) in (0, 4) else _rectangle(polygon, _chord(polygon))


def _chord(polygon: Polygon) -> NDArray[np.float32]:
    return np.asarray(polygon[(len(polygon) - 1) // 2] - polygon[0], np.float32)


def _rectangle(points: Polygon, chord: NDArray[np.float32]) -> Quad:
    """Return the smallest rectangle around ``points`` with a side along ``chord``."""
    along = chord / max(float(np.linalg.norm(chord)), 1e-6)
    axes = np.stack([along, [-along[1], along[0]]])  # reading direction, and down
    (left, top), (right, bottom) = (points @ axes.T).min(axis=0), (points @ axes.T).max(axis=0)
    corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]])
    return np.asarray(corners @ axes, np.float32)


def merge_hits(groups: Iterable[Sequence[Hit]], top: int) -> list[Hit]:
    """Rank the hits of several galleries together, best first, equal scores by path, and keep ``top``."""
    ordered = sorted((hit for group in groups for hit in group), key=_order)
    return [replace(hit, rank=rank) for rank, hit in enumerate(ordered[:top], start=1)]


def _order(hit: Hit) -> tuple[float, bool, Location]:
    return -hit.score, isinstance(hit.path, ObjectUrl), hit.path  # a path and a URL do not compare


def hits_of(
    gallery: Gallery,
    candidates: GalleryCandidates,
    ranking: Ranking,
    rows: Sequence[Row],
    explain: bool,
    choice: PhotoChoice | None = None,
) -> Iterator[Hit]:
    """Yield a hit for every row and every path of its photograph that ``choice`` admits; no rank yet."""
    used = sorted({at for row in rows for _, at in row.matched})
    details = dict(zip(used, candidates.details(used), strict=True))
    contents = {row.content for row in rows}
    photos = gallery.photos_of(contents, choice)
    readings = gallery.readings_of(contents) if explain else {}
    for row in rows:
        instances = {at: details[at] for _, at in row.matched}
        known = {at: detail for at, detail in instances.items() if detail is not None}
        if len(known) < len(instances):  # removed by another process just now
            continue
        others = _alternatives(known, readings.get(row.content, ()))
        for path in photos.get(row.content, ()):
            yield _hit(ranking, row, known, others, path)


def _alternatives(details: Mapping[int, Detail], readings: Sequence[Reading]) -> dict[int, list[str]]:
    """Return, for the instance of each of ``details``, which of ``readings`` are in its place."""
    if not readings:
        return {row: [] for row in details}
    polygons = [detail.polygon for detail in details.values()]
    boxes = ReadingBoxes.of([*polygons, *(reading.polygon for reading in readings)])
    pages = np.array([reading.page or 0 for reading in readings])
    same = boxes.same_place()[: len(polygons), len(polygons) :]
    same &= np.array([detail.page or 0 for detail in details.values()])[:, None] == pages
    texts = [reading.transcript for reading in readings]
    return {at: list(dict.fromkeys(compress(texts, row))) for at, row in zip(details, same, strict=False)}


def _hit(
    ranking: Ranking,
    row: Row,
    details: Mapping[int, Detail],
    alternatives: Mapping[int, Sequence[str]],
    path: Location,
) -> Hit:
    scorer, table, shown = ranking.scorer, ranking.scorer.table, [at for _, at in row.shown]
    characters = [details[at].characters for at in shown]
    return Hit(
        query=ranking.query.text,
        rank=0,
        score=row.score,
        similarity=float(np.mean([scorer.similarity(word, at) for word, at in row.shown])),
        path=path,
        polygon=_around([details[at].polygon for at in shown]),
        transcript=" ".join(table.transcripts[at] for at in shown),
        confidence=float(np.prod(table.confidences[shown])),
        characters=tuple(chain.from_iterable(characters)) if all(characters) else (),
        matches=tuple(
            Match(
                word=word,
                similarity=scorer.similarity(word, at),
                transcript=table.transcripts[at],
                characters=details[at].characters,
                edits=scorer.edits(word, at),
                likelihood=scorer.likelihood(word, at),
                alternatives=tuple(
                    islice(
                        (text for text in alternatives[at] if text != table.transcripts[at]), _ALTERNATIVES
                    )
                ),
            )
            for word, at in row.matched
        ),
        page=details[shown[0]].page,
    )


def _around(polygons: Sequence[Polygon]) -> Polygon:
    """Return the only polygon, or the rectangle around several along the reading direction of the first."""
    if len(polygons) == 1:
        return polygons[0]
    return _rectangle(np.concatenate(polygons), _chord(polygons[0]))
