"""protocol.Gallery: what is searched for is found, and scored, as in a gallery in a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from gallery_fixtures import MODEL, LetterEncoder, set_in_lines
from postgres_server import Server

from stsearch.gallery.access import create_gallery, open_gallery
from stsearch.gallery.address import Address, DatabaseUrl
from stsearch.gallery.protocol import Gallery
from stsearch.gallery.records import Failed, Linked, PhotoFile, Record, Spotted
from stsearch.search.engine import SearchOptions, find
from stsearch.search.hits import Hit
from stsearch.search.photo_filter import PhotoFilter
from stsearch.search.query import Query

ENCODER = LetterEncoder(replace(MODEL, likelihood_weight=0.4))


def signs() -> list[Record]:
    """Return photographs of words in lines, in folders and of dates, one of them twice, one unreadable."""
    records: list[Record] = [
        set_in_lines("2023/cafe.jpg", "HOT COFFEE", "open 24 hours"),
        set_in_lines("2023/rome/bar.jpg", "Coffee bar", "cofee", "info@bar.it"),
        set_in_lines("2024/street.jpg", "Exit", "COFFEE starbucks"),
        set_in_lines("2024/plate.jpg", "RE1642", "B4R", "hotelbar"),
        set_in_lines("2024/gap.jpg", "CO FFEE", "Ma in street"),
        set_in_lines("caf\u00e9[1].jpg", "tea room", "duck/goose"),
        set_in_lines("blank.jpg"),
    ]
    dated = [
        replace(each, taken=f"202{at}-05-17T12:00:00")
        for at, each in enumerate(records)
        if isinstance(each, Spotted)
    ]
    copy = Linked(PhotoFile("copies/cafe.jpg", 100, 1), dated[0].sha256)
    return [*dated, copy, Failed(PhotoFile("broken.jpg", 3, 4), "truncated")]


Both = tuple[Gallery, Gallery]


@pytest.fixture(scope="module", params=["folder", "small database", "large database"])
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """Yield a gallery and the oracle, of the same photographs."""
    home = tmp_path_factory.mktemp("both")
    address: Address = home / "gallery"
    if request.param != "folder":
        server: Server = request.getfixturevalue("postgres")
        address = DatabaseUrl(server.url(server.new_database()))
    for each in (address, home / "oracle"):
        with create_gallery(each, home / "photos", MODEL) as written:
            written.add(signs())
            written.finish()
    with pytest.MonkeyPatch.context() as patch, open_gallery(address) as gallery:
        if request.param == "large database":  # even eight words are too many to compare all
            patch.setattr("stsearch.gallery.postgres.reading.EXACT_LIMIT", 8)
        with open_gallery(home / "oracle") as oracle:
            yield gallery, oracle


QUERIES = (
    "coffee",
    "cofee",
    "hot coffee",
    '"hot coffee"',
    '"open 24 hours"',
    "coffee -starbucks",
    "coffee OR tea",
    "RE16*",
    "*bar",
    "b?r",
    "info",
    "duck",
    "bar",
    '"main street"',
    "open 24",
    "zzz",
    "tea -room",
    "hotel bar",
)


def facts(hits: Sequence[Hit]) -> list[tuple[object, ...]]:
    return [(hit.path, hit.transcript, hit.page, [match.transcript for match in hit.matches]) for hit in hits]


@pytest.mark.parametrize("group", ["word", "photo"])
@pytest.mark.parametrize("text", QUERIES)
def test_a_query_finds_what_it_finds_in_a_folder_with_the_same_scores(
    both: Both, text: str, group: str
) -> None:
    options = SearchOptions(top=100, group=group, min_score=0.3, explain=True, advice=3)  # type: ignore[arg-type]  # one of both
    ours, exact = (find(gallery, Query(text), ENCODER, options) for gallery in both)
    assert facts(ours.hits) == facts(exact.hits)
    assert ours.total == exact.total
    for one, other in zip(ours.hits, exact.hits, strict=True):
        assert (one.score, one.similarity, one.confidence) == pytest.approx(
            (other.score, other.similarity, other.confidence), abs=1e-3
        )
        np.testing.assert_allclose(one.polygon, other.polygon)
        assert one.characters == pytest.approx(other.characters)
        assert [match.alternatives for match in one.matches] == [
            match.alternatives for match in other.matches
        ]


FILTERS = (
    PhotoFilter(("2024/*",)),
    PhotoFilter(("2023",)),
    PhotoFilter(("*/rome",)),
    PhotoFilter(("*.jpg",), since=datetime(2022, 1, 1), until=datetime(2024, 1, 1)),
    PhotoFilter(("cafe\u0301*",)),
    PhotoFilter(("caf\u00e9[1].jpg",)),
    PhotoFilter(("copies",)),
    PhotoFilter(("[!2]*", "2024/[a-g]?p.jpg")),
    PhotoFilter(until=datetime(2021, 1, 1)),
    PhotoFilter(("nowhere",)),
)


@pytest.mark.parametrize("chosen", FILTERS, ids=str)
def test_filters_choose_the_photographs_that_they_choose_in_a_folder(both: Both, chosen: PhotoFilter) -> None:
    ours, exact = (gallery.all_photos(chosen) for gallery in both)
    assert [path for path, _ in ours] == [path for path, _ in exact]
    options = SearchOptions(top=100, min_score=0.3, photos=chosen)
    for text in ("coffee", '"hot coffee"', "b?r", "coffee -exit"):
        mine, theirs = (find(gallery, Query(text), ENCODER, options) for gallery in both)
        assert facts(mine.hits) == facts(theirs.hits)


@pytest.mark.parametrize("edits", [0, 1, 2])
@pytest.mark.parametrize("text", ["coffee", "cofee", "bar", "taxi"])
def test_a_limit_of_edits_lets_through_what_it_does_in_a_folder(both: Both, text: str, edits: int) -> None:
    options = SearchOptions(top=100, fuzzy=edits, min_score=1e-6)
    ours, exact = (find(gallery, Query(text), ENCODER, options) for gallery in both)
    assert facts(ours.hits) == facts(exact.hits)


def test_photographs_without_the_word_are_ranked_where_they_are_wanted(both: Both) -> None:
    options = SearchOptions(top=100, group="photo", blank=True)
    for text in ("coffee", "coffee -exit"):
        ours, exact = (find(gallery, Query(text), ENCODER, options) for gallery in both)
        assert sorted(hit.path for hit in ours.hits) == sorted(hit.path for hit in exact.hits)
