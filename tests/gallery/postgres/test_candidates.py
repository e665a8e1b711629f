"""candidates.py: of many words, those that matter to a query are found by the indexes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from gallery_fixtures import DIM, MODEL, LetterEncoder, instance, set_in_lines
from numpy.typing import NDArray
from postgres_server import Server

from stsearch.gallery.access import create_gallery, open_gallery
from stsearch.gallery.address import DatabaseUrl
from stsearch.gallery.protocol import Gallery
from stsearch.gallery.records import PhotoFile, Spotted
from stsearch.gallery.request import CandidateRequest
from stsearch.search.engine import SearchOptions, search
from stsearch.search.photo_filter import PhotoFilter
from stsearch.search.query import Query

WORDS, EACH, FOLDERS = 3000, 10, 10


class Many(NamedTuple):
    gallery: Gallery
    vectors: NDArray[np.float32]  # (N, D), by id
    folders: NDArray[np.int64]  # (N,), of the photographs they are in


@pytest.fixture(scope="module")
def many(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Many]:
    """Yield a gallery of many words in folders, of which even a hundred are too many to compare all."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((WORDS, DIM), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    photos = WORDS // EACH
    batch = [
        Spotted(
            PhotoFile(f"{number % FOLDERS}/{number}.jpg", 1, 1),
            f"{number:064}",
            48,
            64,
            [
                replace(instance(f"w{at}", x=30.0 * (at % EACH)), embedding=vectors[at])
                for at in range(number * EACH, (number + 1) * EACH)
            ],
        )
        for number in range(photos)
    ]
    database = DatabaseUrl(postgres.url(postgres.new_database()))
    with create_gallery(database, tmp_path_factory.mktemp("many"), MODEL) as written:
        written.add(batch)
    with pytest.MonkeyPatch.context() as patch, open_gallery(database) as gallery:
        patch.setattr("stsearch.gallery.postgres.reading.EXACT_LIMIT", 100)
        yield Many(gallery, vectors, np.arange(WORDS) // EACH % FOLDERS)


@pytest.mark.parametrize("folder", [None, 3])
def test_the_nearest_words_are_among_the_candidates(many: Many, folder: int | None) -> None:
    photos = None if folder is None else PhotoFilter((f"{folder}",))
    rows = np.flatnonzero(many.folders == folder) if folder is not None else np.arange(WORDS)
    rng = np.random.default_rng(1)
    found = []
    for at in rng.choice(WORDS, 20):
        query = many.vectors[at] + 0.1 * rng.standard_normal(DIM, np.float32)
        query /= np.linalg.norm(query)
        request = CandidateRequest(("zzz",), {"zzz": query}, 50, (("zzz",),), photos=photos)
        table = many.gallery.candidates(request)
        assert len(table.ids) < 200
        if folder is not None:
            assert {int(number[1:]) for number in table.transcripts} <= set(rows.tolist())
        nearest = rows[np.argsort(-(many.vectors[rows] @ query))[:10]]
        found.append(len({f"w{each}" for each in nearest} & set(table.transcripts)) / 10)
    assert np.mean(found) >= 0.95


@pytest.mark.parametrize(("text", "count"), [("w17", 1), ("w290?", 10), ("w17 w15", 2), ('"w10 w11"', 2)])
def test_exact_transcripts_are_found_however_little_their_embeddings_say(
    many: Many, text: str, count: int
) -> None:
    options = SearchOptions(top=50, fuzzy=0, group="word")
    transcripts = {
        match.transcript
        for hit in search(many.gallery, Query(text), LetterEncoder(), options)
        for match in hit.matches
    }
    assert len(transcripts) == count


def test_two_frequent_words_are_found_where_they_are_together(
    database: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stsearch.gallery.postgres.reading.EXACT_LIMIT", 4)
    for name in ("_MAX_READING", "_MAX_SIMILAR"):
        monkeypatch.setattr(f"stsearch.gallery.postgres.candidates.{name}", 3)
    with create_gallery(database, tmp_path, MODEL) as gallery:
        gallery.add([set_in_lines(f"{number}.jpg", "open") for number in range(20)])
        gallery.add([set_in_lines(f"{number}.jpg", "late") for number in range(20, 40)])
        gallery.add([set_in_lines("both.jpg", "open late")])
        for text in ("open late", '"open late"'):
            hits = search(gallery, Query(text), LetterEncoder(), SearchOptions(min_score=0.9))
            assert {hit.path.name for hit in hits} == {"both.jpg"}
