"""One photograph as the page shows it: a hit outlined, the other words as text that can be selected."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stsearch.api.json_lines import grade
from stsearch.errors import ImageError, UsageError
from stsearch.geometry.polygons import word_size
from stsearch.search.hits import Hit, Match
from stsearch.server.ask import MAX_TOP, Ask
from stsearch.server.hit_views import file_name, image_url
from stsearch.server.library import Answer, NoPhotographError, PhotographWords
from stsearch.server.service import Service
from stsearch.types import Polygon, TextInstance

_SURE = 0.9  # confidence of a letter from which it needs no mention
_BASELINE = 0.8  # of the height of a word, from its top


@dataclass(frozen=True, slots=True)
class TextView:
    """A word over the photograph, as an SVG text: where it stands, how high and how long it is."""

    text: str
    transform: str
    size: str
    length: str


@dataclass(frozen=True, slots=True)
class WordLink:
    """A word in the photograph, and where what is like it is found."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class MatchView:
    """Why a hit was found: a word of the query, and what was read."""

    word: str
    read: str
    less_sure: str
    edits: int
    similarity: str
    likelihood: str
    alternatives: str


@dataclass(frozen=True, slots=True)
class PhotoView:
    """A hit in its photograph.

    Attributes:
        rank: of the hit, from 1.
        total: how many hits there are.
        word: as read.
        score: as shown.
        grade: how far it can be relied on.
        file: name of the photograph.
        place: its path.
        previous: address of the hit before; None at the first.
        next: address of the hit after.
        close: address of the search.
        like: address of what is like the word.
        missing: why the photograph cannot be shown; empty where it can.
        source: address of its picture.
        full: address of its own pixels.
        description: of the picture, for those who do not see it.
        width: in its own pixels, as displayed.
        height: likewise.
        focus: x, y, width and height of the word, in these pixels.
        outlines: corners of what was found.
        others: corners of the other hits in it.
        texts: all its words.
        words: the same as links.
        matches: why it was found.
        least: score from which hits are shown.
        confidence: of the reading.
    """

    rank: int
    total: int
    word: str
    score: str
    grade: str
    file: str
    place: str
    previous: str | None
    next: str | None
    close: str
    like: str | None
    missing: str
    source: str
    full: str
    description: str
    width: int
    height: int
    focus: str
    outlines: Sequence[str]
    others: Sequence[str]
    texts: Sequence[TextView]
    words: Sequence[WordLink]
    matches: Sequence[MatchView]
    least: str
    confidence: str


async def show_photograph(service: Service, ask: Ask, answer: Answer, rank: int) -> PhotoView:
    """Return the photograph of a hit of an answer that is explained; where it cannot be shown, why.

    Raises:
        UsageError: there is no hit of this rank.
    """
    hits = answer.found.hits or answer.found.nearly
    if rank > len(hits):
        raise UsageError(f"there are {len(hits)} hits now, so none of rank {rank}: search again")
    hit = hits[rank - 1]
    sha256, missing, here, size = answer.photographs.get(hit.path, ""), "", None, (1, 1)
    try:
        here = await service.photograph(sha256)
        size = await service.size(here.photograph, hit.page)
    except (ImageError, NoPhotographError) as error:
        missing = str(error)
    total = max(answer.found.total, len(hits))
    words = [] if here is None else _of_page(here, hit.page)
    return PhotoView(
        rank=rank,
        total=total,
        word=hit.transcript,
        score=f"{hit.score:.2f}",
        grade=grade(hit.score),
        file=file_name(hit),
        place=str(hit.path),
        previous=ask.url("/", hit=rank - 1) if rank > 1 else None,
        next=ask.url("/", hit=rank + 1) if rank < min(total, MAX_TOP) else None,
        close=ask.url("/"),
        like=_like_url(ask, sha256, hit, words),
        missing=missing,
        source=image_url(sha256, hit.page, show="whole"),
        full=image_url(sha256, hit.page, show="full"),
        description=f"{file_name(hit)}, outlined: {hit.transcript or 'a word'}",
        height=size[0],
        width=size[1],
        focus=_focus(hit.polygon),
        outlines=[_points(hit.polygon)] if len(hit.polygon) else [],
        others=[_points(each.polygon) for each in hits if _is_other(each, hit)],
        texts=[_text(word) for _, word in words],
        words=[WordLink(word.transcript, _similar(ask, sha256, number)) for number, word in words],
        matches=[_match(each) for each in hit.matches],
        least=f"{answer.limits.min_score:.2f}",
        confidence=f"{hit.confidence:.2f}",
    )


def _of_page(here: PhotographWords, page: int | None) -> list[tuple[int, TextInstance]]:
    return [(number, word) for number, word in enumerate(here.words) if word.page == page]


def _is_other(each: Hit, hit: Hit) -> bool:
    return each.rank != hit.rank and (each.path, each.page) == (hit.path, hit.page)


def _similar(ask: Ask, sha256: str, number: int) -> str:
    return Ask(like=f"{sha256}-{number}", galleries=ask.galleries).url("/")


def _like_url(ask: Ask, sha256: str, hit: Hit, words: Sequence[tuple[int, TextInstance]]) -> str | None:
    """Return the address of what is like the word that stands where ``hit`` does."""
    if not words or not len(hit.polygon):
        return None
    centre = hit.polygon.mean(axis=0)
    number, _ = min(words, key=lambda word: float(np.linalg.norm(word[1].polygon.mean(axis=0) - centre)))
    return _similar(ask, sha256, number)


def _focus(polygon: Polygon) -> str:
    if not len(polygon):
        return ""
    (left, top), (right, bottom) = polygon.min(axis=0).tolist(), polygon.max(axis=0).tolist()
    return f"{left:.0f} {top:.0f} {right - left:.0f} {bottom - top:.0f}"


def _points(polygon: Polygon) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in polygon.tolist())


def _text(word: TextInstance) -> TextView:
    """Return a word as text along its reading direction, as long as it is in the photograph."""
    across, along = word_size(word.polygon)
    start, end = word.polygon[0], word.polygon[(len(word.polygon) - 1) // 2]
    angle = math.degrees(math.atan2(float(end[1] - start[1]), float(end[0] - start[0])))
    down = np.asarray(word.polygon[-1] - start, np.float32)
    x, y = (start + _BASELINE * down).tolist()
    return TextView(
        word.transcript,
        f"translate({x:.1f} {y:.1f}) rotate({angle:.1f})",
        f"{max(across, 1.0):.1f}",
        f"{max(along, 1.0):.1f}",
    )


def _match(match: Match) -> MatchView:
    known = len(match.characters) == len(match.transcript)
    letters = zip(match.transcript, match.characters, strict=True) if known else ()
    return MatchView(
        match.word,
        match.transcript,
        ", ".join(f"{letter} {share:.2f}" for letter, share in letters if share < _SURE),
        match.edits,
        f"{match.similarity:.2f}",
        "" if match.likelihood is None else f"{match.likelihood:.2f}",
        ", ".join(each for each in match.alternatives if each),
    )
