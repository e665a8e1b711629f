"""What searches and lists return as JSON: the same fields on the command line, over HTTP and to agents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stsearch.api.words import Word
    from stsearch.search.advice import Advice
    from stsearch.search.hits import Hit
    from stsearch.types import Polygon

JSON_SCHEMA = 1
"""Rises when a JSON line changes in a way that breaks its readers."""

_GRADES = ((0.8, "good"), (0.5, "fair"), (0.0, "poor"))  # of probabilities, each from a value on


@dataclass(frozen=True, slots=True)
class Limits:
    """What a hit had to pass: its least score, and how many characters may differ (None: any)."""

    min_score: float
    fuzzy: int | None


def grade(score: float) -> str:
    """Return how far a score or a confidence in [0, 1] can be relied on: good, fair or poor."""
    return next(name for least, name in _GRADES if score >= least)


def is_deleted(hit: Hit) -> bool:
    """Return whether the photograph of ``hit`` is not there any more; one out of reach may be there.

    Of an object that is not known: a search asks nobody on the network.
    """
    if not isinstance(hit.path, Path):
        return False
    try:
        hit.path.lstat()
        return False
    except OSError as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)


def hit_line(hit: Hit, limits: Limits | None) -> dict[str, object]:
    """Return the JSON line of a hit, with the limits that it passed where it is to be explained."""
    match: dict[str, object] = {
        "type": "match",
        "schema": JSON_SCHEMA,
        "query": hit.query,
        "rank": hit.rank,
        "score": round(hit.score, 4),
        "similarity": round(hit.similarity, 4),
        "path": str(hit.path),
        "page": hit.page,
        "box": _points(hit.box),
        "transcript": hit.transcript,
        "confidence": round(hit.confidence, 4),
        "characters": _rounded(hit.characters),
    }
    if is_deleted(hit):
        match["deleted"] = True
    if limits:
        match["limits"] = {"min_score": limits.min_score, "fuzzy": limits.fuzzy}
        match["matches"] = [
            {
                "word": each.word,
                "similarity": round(each.similarity, 4),
                "transcript": each.transcript,
                "characters": _rounded(each.characters),
                "edits": each.edits,
                "likelihood": None if each.likelihood is None else round(each.likelihood, 4),
                "alternatives": list(each.alternatives),
            }
            for each in hit.matches
        ]
    return match


def rounded_box(polygon: Polygon) -> list[list[float]]:
    """Return the corners of the rectangle around ``polygon`` along its reading direction, to 0.1 pixels."""
    from stsearch.search.hits import box_around

    return _points(box_around(polygon))


def _points(quad: Polygon) -> list[list[float]]:
    return [[round(float(value), 1) for value in point] for point in quad]


def _rounded(confidences: Sequence[float]) -> list[float]:
    return [round(confidence, 3) for confidence in confidences]


def group_words(found: Iterable[Word]) -> list[list[Word]]:
    """Return the words that differ by more than case and accents, each with where it stands, surest first."""
    from stsearch.text.charset import normalize

    groups: dict[str, list[Word]] = {}
    for word in sorted(found, key=lambda word: -word.confidence):
        groups.setdefault(normalize(word.transcript) or word.transcript, []).append(word)
    return [group for _, group in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))]


def word_line(group: Sequence[Word]) -> dict[str, object]:
    """Return the JSON line of a word, with every place of ``group`` that it stands at, the surest first."""
    return {
        "type": "word",
        "schema": JSON_SCHEMA,
        "word": group[0].transcript,
        "count": len(group),
        "confidence": round(group[0].confidence, 4),
        "places": [
            {
                "path": str(word.path),
                "transcript": word.transcript,
                "confidence": round(word.confidence, 4),
                "page": word.page,
                "box": rounded_box(word.polygon),
            }
            for word in group
        ],
    }


def advice_fields(advice: Advice) -> dict[str, object]:
    """Return a search that is proposed where nothing matches."""
    return {
        "reason": advice.reason,
        "query": advice.query,
        "fuzzy": advice.fuzzy,
        "min_score": advice.min_score,
    }
