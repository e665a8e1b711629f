"""ranking.py: what patterns, phrases, NOT and OR find in a gallery, through ``search``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from gallery_fixtures import MODEL, LetterEncoder, make_set_gallery, set_in_lines

from stsearch.gallery.gallery import Gallery
from stsearch.search.candidates import GalleryCandidates, InMemoryCandidates
from stsearch.search.engine import SearchOptions, score_photos, search
from stsearch.search.hits import Hit
from stsearch.search.query import Query

SIGNS = {
    "bar.jpg": ["BAR Roma"],
    "blank.jpg": [],
    "cafe.jpg": ["Coffee to go", "Starbucks"],
    "clock.jpg": ["24 hours of", "open roads"],
    "plate.jpg": ["RE16 ABC"],
    "shop.jpg": ["Fresh Coffee", "open 24", "hours"],
    "store.jpg": ["COLDSTORAGE"],
    "street.jpg": ["Marktgasse"],
}

LIKELY = SearchOptions(min_score=0.6)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gallery]:
    with make_set_gallery(tmp_path_factory.mktemp("signs"), SIGNS) as gallery:
        yield gallery


def find(gallery: Gallery, text: str, options: SearchOptions = LIKELY) -> list[Hit]:
    return search(gallery, Query(text), LetterEncoder(), options)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        pytest.param("re16*", ["plate.jpg RE16"], id="prefix"),
        pytest.param("*gasse", ["street.jpg Marktgasse"], id="suffix"),
        pytest.param("b?r", ["bar.jpg BAR"], id="one character"),
        pytest.param('"open 24 hours"', ["shop.jpg open 24 hours"], id="phrase"),
        pytest.param('"cold storage"', ["store.jpg COLDSTORAGE"], id="phrase run together"),
        pytest.param("roma OR marktgasse", ["bar.jpg Roma", "street.jpg Marktgasse"], id="or"),
        pytest.param("coffee -starbucks", ["shop.jpg Coffee"], id="not"),
        pytest.param('coffee -"to go"', ["shop.jpg Coffee"], id="not a phrase"),
        pytest.param("coffee -star*", ["shop.jpg Coffee"], id="not a pattern"),
        pytest.param("coffee -fresh OR bar", ["bar.jpg BAR", "cafe.jpg Coffee"], id="not on one side of or"),
        pytest.param("coffee -coffee", [], id="a contradiction"),
        pytest.param("a*z", [], id="a pattern of nothing there"),
    ],
)
def test_a_query_finds(gallery: Gallery, text: str, found: list[str]) -> None:
    assert [f"{hit.path.name} {hit.transcript}" for hit in find(gallery, text)] == found


def test_a_word_that_two_alternatives_share_is_one_hit(gallery: Gallery) -> None:
    assert [hit.transcript for hit in find(gallery, "starbuck OR starbucks")] == ["Starbucks"]


# Scores below 0.8 mean next to nothing for a word of three letters, from 0.5 on much for a longer one.
CALIBRATED = replace(
    MODEL, calibration=((0, 0, 0, 0, 0, 1), (0, 0, 0, 0, 0, 1), (0, 0, 0, 0, 0, 1), (0, 0, 0, 0.5, 0.9, 1))
)


@pytest.mark.parametrize(
    ("text", "scores"),
    [
        pytest.param("bar", {"bar.jpg": 1.0}, id="a short word"),
        pytest.param("bat", {}, id="a short word misread"),
        pytest.param("coffeeh", {"cafe.jpg": 0.94, "shop.jpg": 0.94}, id="a long word misread"),
        pytest.param("coffee starbucks", {"cafe.jpg": 1.0}, id="several words, of which none may be missing"),
        pytest.param("re*", {"plate.jpg": 0.9}, id="a pattern, as its known characters"),
        pytest.param('"open 24"', {"shop.jpg": 1.0}, id="a phrase"),
        pytest.param("coffee -starbucks", {"shop.jpg": 1.0}, id="not"),
    ],
)
def test_calibrated_scores_are_probabilities(gallery: Gallery, text: str, scores: dict[str, float]) -> None:
    options = SearchOptions(group="photo", min_score=0.3)
    hits = search(gallery, Query(text), LetterEncoder(CALIBRATED), options)
    assert {hit.path.name: hit.score for hit in hits} == pytest.approx(scores, abs=0.06)


def test_without_a_wish_photos_leave_for_what_is_likely_there(gallery: Gallery) -> None:
    options = SearchOptions(group="photo")
    hits = search(gallery, Query("coffee -starbucks"), LetterEncoder(CALIBRATED), options)
    assert "cafe.jpg" not in {hit.path.name for hit in hits}


def test_a_photo_that_two_alternatives_share_is_one_hit(gallery: Gallery) -> None:
    hits = find(gallery, "fresh OR hours", SearchOptions(group="photo", min_score=0.6))
    assert [hit.path.name for hit in hits] == ["clock.jpg", "shop.jpg"]


def test_a_phrase_and_a_word_are_found_in_one_photo(gallery: Gallery) -> None:
    hits = find(gallery, '"open 24" coffee', SearchOptions(group="photo", min_score=0.6))
    assert [(hit.path.name, hit.transcript) for hit in hits] == [("shop.jpg", "open 24")]
    assert [match.word for match in hits[0].matches] == ["open", "24", "coffee"]


def test_the_outline_of_a_phrase_holds_its_words(gallery: Gallery) -> None:
    (hit,) = find(gallery, '"open 24 hours"')
    np.testing.assert_allclose(hit.box, [[0, 30], [70, 30], [70, 80], [0, 80]], atol=1e-3)
    assert hit.confidence == pytest.approx(0.8**3)
    assert len(hit.characters) == 11


def test_a_hit_says_what_matched(gallery: Gallery) -> None:
    (hit,) = find(gallery, "starbacks")
    (match,) = hit.matches
    assert (match.word, match.transcript, match.edits) == ("starbacks", "Starbucks", 1)
    assert match.characters == pytest.approx((0.95,) * 9, abs=0.01)
    assert match.similarity == pytest.approx(hit.similarity)


@pytest.mark.parametrize(
    ("text", "fuzzy", "found"),
    [
        ("starbucks", 0, ["Starbucks"]),
        ("starbacks", 0, []),
        ("starbacks", 1, ["Starbucks"]),
        ("sterbacks", 1, []),
        ("sterbacks", 2, ["Starbucks"]),
        ("opem coffee", 1, ["Coffee", "open"]),
    ],
)
def test_a_limit_of_edits_decides_what_is_found(
    gallery: Gallery, text: str, fuzzy: int, found: list[str]
) -> None:
    assert sorted(hit.transcript for hit in find(gallery, text, SearchOptions(fuzzy=fuzzy))) == found


def test_without_a_least_score_photos_leave_only_for_a_word_that_is_there(gallery: Gallery) -> None:
    hits = find(gallery, "coffee -starbucks", SearchOptions(group="photo"))
    assert hits[0].path.name == "shop.jpg"
    assert "cafe.jpg" not in {hit.path.name for hit in hits}


def test_every_photo_is_ranked_when_blank_ones_are_wanted(gallery: Gallery) -> None:
    hits = find(gallery, "roma", SearchOptions(group="photo", blank=True))
    assert sorted(hit.path.name for hit in hits) == sorted(SIGNS)
    assert [hit.rank for hit in hits] == list(range(1, 9))
    (blank,) = (hit for hit in hits if hit.path.name == "blank.jpg")
    assert (blank.score, blank.transcript, blank.box.shape) == (0.0, "", (0, 2))


def test_no_more_photos_are_ranked_than_asked_for(gallery: Gallery) -> None:
    options = SearchOptions(group="photo", blank=True, top=3)
    assert [hit.path.name for hit in find(gallery, '"to go"', options)] == [
        "cafe.jpg",
        "bar.jpg",
        "blank.jpg",
    ]


def test_photos_that_leave_are_not_ranked_as_blank(gallery: Gallery) -> None:
    hits = find(gallery, "roma -starbucks", SearchOptions(group="photo", blank=True))
    assert {hit.path.name for hit in hits} == set(SIGNS) - {"cafe.jpg"}


@pytest.mark.parametrize("text", ["coffee", "open 24", '"open 24 hours"', "re16* OR roma", "open -fresh"])
def test_photos_in_memory_score_as_in_a_search(gallery: Gallery, text: str) -> None:
    in_memory = InMemoryCandidates.of(
        [set_in_lines(path, *lines).instances for path, lines in SIGNS.items()], MODEL.dim
    )
    [scores] = score_photos([Query(text)], in_memory, LetterEncoder())
    hits = find(gallery, text, SearchOptions(group="photo"))
    by_name = {list(SIGNS)[photo]: score for photo, score in scores.items()}
    assert by_name == pytest.approx({hit.path.name: hit.score for hit in hits}, abs=1e-3)


def test_several_queries_are_scored_one_after_the_other(gallery: Gallery) -> None:
    candidates = GalleryCandidates(gallery, gallery.instances())
    best = [
        max(scores, key=scores.__getitem__)
        for scores in score_photos([Query("roma"), Query('"cold storage"')], candidates, LetterEncoder())
    ]
    names = {content: path.name for path, content in gallery.all_photos()}
    assert [names[content] for content in best] == ["bar.jpg", "store.jpg"]
