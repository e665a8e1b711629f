"""Answers as the page shows them: cards of hits, what else would match, a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

import numpy as np

from stsearch.api.json_lines import grade, is_deleted
from stsearch.geometry.polygons import word_size
from stsearch.search.engine import MAX_COUNTED
from stsearch.search.hits import Hit
from stsearch.server.ask import Ask
from stsearch.server.library import Answer
from stsearch.text.counted import counted
from stsearch.types import Polygon

_SHOWN_HEIGHT = 48  # pixels of a crop in a card
_MARGIN = 0.3  # of a word's height, shown around it: twice that of ``pages.drawing.cut_word``
_MOST_CORNERS = 32  # of an outline in a URL


@dataclass(frozen=True, slots=True)
class HitView:
    """A hit as a card.

    Attributes:
        rank: from 1.
        url: of its photograph.
        crop: address of the word cut out; None where there is none.
        width: of the crop as shown, in pixels.
        word: as read.
        score: as shown.
        grade: how far it can be relied on.
        file: name of the photograph, and its page.
        place: its path.
        is_deleted: whether the file is gone.
    """

    rank: int
    url: str
    crop: str | None
    width: int
    word: str
    score: str
    grade: str
    file: str
    place: str
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class AdviceView:
    """A search that finds something, and why it may be meant."""

    query: str
    reason: str
    url: str


def hit_views(ask: Ask, answer: Answer, hits: Sequence[Hit]) -> list[HitView]:
    """Return ``hits`` of an answer as cards."""
    return [_view(ask, answer, hit) for hit in hits]


def _view(ask: Ask, answer: Answer, hit: Hit) -> HitView:
    photograph, deleted = answer.photographs.get(hit.path), is_deleted(hit)
    crop = None
    if photograph and len(hit.polygon) and not deleted:
        crop = image_url(photograph, hit.page, show="crop", outline=_outline(hit.polygon))
    return HitView(
        hit.rank,
        ask.url("/", hit=hit.rank),
        crop,
        _shown_width(hit.polygon),
        hit.transcript,
        f"{hit.score:.2f}",
        grade(hit.score),
        file_name(hit),
        str(hit.path),
        deleted,
    )


def file_name(hit: Hit) -> str:
    """Return the name of the photograph of a hit, with its page where it has several."""
    return hit.path.name if hit.page is None else f"{hit.path.name}, page {hit.page}"


def image_url(photograph: str, page: int | None, **parameters: object) -> str:
    """Return the address of a picture of a photograph."""
    given = {**parameters, **({} if page is None else {"page": page})}
    return f"/api/image/{photograph}?{urlencode(given)}"


def _outline(polygon: Polygon) -> str:
    step = -(-len(polygon) // _MOST_CORNERS)
    return ",".join(str(round(float(value))) for point in polygon[::step] for value in point)


def _shown_width(polygon: Polygon) -> int:
    if not len(polygon):
        return _SHOWN_HEIGHT
    across, along = word_size(polygon)
    margin = _MARGIN * across
    return round(_SHOWN_HEIGHT * float(np.clip((along + margin) / max(across + margin, 1e-6), 0.5, 12)))


def advice_views(ask: Ask, answer: Answer) -> list[AdviceView]:
    """Return the searches that are proposed, with their addresses."""
    views = []
    for each in answer.found.advice:
        base = ask.without_filters() if each.reason == "in all photos" else ask
        other = replace(
            base, query=each.query, like="", picture="", fuzzy=each.fuzzy, min_score=each.min_score
        )
        views.append(AdviceView(each.query, each.reason, other.url()))
    return views


def summary_of(answer: Answer) -> str:
    """Return how many hits there are."""
    found = answer.found
    if not found.hits:
        return "No match"
    over = "over " if found.total >= MAX_COUNTED else ""
    hits = f"{over}{counted(found.total, 'hit', form=',')}"
    if found.total > len(found.hits):
        return hits
    photos = len({hit.path for hit in found.hits})
    return f"{hits} in {counted(photos, 'photograph', form=',')}"
