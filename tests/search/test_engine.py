"""search.py: the one ranking formula, and how scores become hits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gallery_fixtures import MODEL, OTHER_MODEL, LetterEncoder, embed, instance, make_gallery

from stsearch.errors import UsageError, WeightsError
from stsearch.gallery.catalog import PhotoFile, Spotted
from stsearch.gallery.records import Detail
from stsearch.search.engine import SearchOptions, find, search
from stsearch.search.hits import box_around, merge_hits
from stsearch.search.query import Query
from stsearch.search.scoring import raw_word_scores
from stsearch.text.reading_index import ReadingIndex

ENCODER = LetterEncoder()


@pytest.mark.parametrize(
    ("transcript", "transcript_weight", "score"),
    [
        pytest.param("coffee", 0.5, 1.0, id="equal"),
        pytest.param("cofee", 1.0, 5 / 6, id="one letter short"),
        pytest.param("", 1.0, 0.0, id="nothing was read"),
        pytest.param("", 0.0, 1.0, id="similarity alone"),
        pytest.param("", 0.5, 0.5, id="half and half"),
    ],
)
def test_the_score_joins_similarity_and_edit_similarity(
    transcript: str, transcript_weight: float, score: float
) -> None:
    scores = raw_word_scores(
        "coffee", embed("coffee"), embed("coffee")[None], ReadingIndex([transcript]), transcript_weight
    )
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [score], rtol=1e-6)


@pytest.mark.parametrize(("cosine", "score"), [(-0.5, 0.0), (0.25, 0.25), (1.001, 1.0)])
def test_similarity_is_cut_to_the_range_of_a_score(cosine: float, score: float) -> None:
    query, row = np.array([1, 0], np.float32), np.array([[cosine, 0]], np.float32)
    np.testing.assert_allclose(raw_word_scores("a", query, row, ReadingIndex([""]), 0.0), [score])


def test_no_instances_give_no_scores() -> None:
    assert raw_word_scores("a", embed("a"), np.empty((0, 36), np.float32), ReadingIndex([]), 0.5).shape == (
        0,
    )


@pytest.mark.parametrize(("text", "words"), [("Café-24!", ("cafe24",)), (" open  & 24 ", ("open", "24"))])
def test_a_query_is_folded_into_words(text: str, words: tuple[str, ...]) -> None:
    assert Query(text).words == words


@pytest.mark.parametrize("text", ["", "  ", "!?", "日本"])
def test_a_query_that_folds_to_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="letters a to z and the digits 0 to 9"):
        Query(text)


def test_the_exact_word_comes_first_then_the_misread_one(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"a.jpg": ["exit"], "b.jpg": ["c0ffee"], "c.jpg": ["COFFEE"]}) as gallery:
        hits = search(gallery, Query("coffee"), ENCODER)
    assert [(hit.rank, hit.path.name) for hit in hits] == [(1, "c.jpg"), (2, "b.jpg"), (3, "a.jpg")]
    assert hits[0].score == pytest.approx(1.0, abs=1e-3)
    assert hits[0].transcript == "COFFEE"
    assert hits[0].path == tmp_path / "c.jpg"
    np.testing.assert_array_equal(hits[0].polygon[0], [0, 2])


def test_every_instance_of_the_word_is_a_hit(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"a.jpg": ["coffee", "coffee"], "b.jpg": ["coffee"]}) as gallery:
        hits = search(gallery, Query("coffee"), ENCODER)
    assert [(hit.path.name, float(hit.polygon[0, 0])) for hit in hits] == [
        ("a.jpg", 0),
        ("a.jpg", 30),
        ("b.jpg", 0),
    ]


def test_grouped_by_photo_a_photo_is_returned_once_by_its_best_word(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"a.jpg": ["tea", "coffee"], "b.jpg": ["cofee"]}) as gallery:
        hits = search(gallery, Query("coffee"), ENCODER, SearchOptions(group="photo"))
    assert [(hit.path.name, hit.transcript) for hit in hits] == [("a.jpg", "coffee"), ("b.jpg", "cofee")]


def test_of_several_ways_to_read_a_word_the_one_that_answers_best_is_the_hit(tmp_path: Path) -> None:
    readings = [
        instance("coftee", x=0),
        instance("coffee", x=2),
        instance("coffe", x=4),
        instance("tea", x=40),
    ]
    with make_gallery(tmp_path, {}) as gallery:
        gallery.add([Spotted(PhotoFile("a.jpg", 100, 1), "sha", 48, 64, readings)])
        gallery.finish()
        hits = search(gallery, Query("coffee"), ENCODER)
        assert [hit.transcript for hit in hits] == ["coffee", "tea"]
        assert [hit.transcript for hit in search(gallery, Query("coftee"), ENCODER)] == ["coftee", "tea"]
        assert [hit.transcript for hit in search(gallery, Query("coftee tea"), ENCODER)] == ["coftee", "tea"]
        photos = search(gallery, Query("coffee"), ENCODER, SearchOptions(group="photo"))
    assert [hit.transcript for hit in photos] == ["coffee"]


def test_several_words_score_the_mean_of_their_best_instances_in_one_photo(tmp_path: Path) -> None:
    words = {"both.jpg": ["24", "open", "open"], "one.jpg": ["open"], "other.jpg": ["24"]}
    with make_gallery(tmp_path, words) as gallery:
        photos = search(gallery, Query("open 24"), ENCODER, SearchOptions(group="photo"))
        instances = search(gallery, Query("open 24"), ENCODER, SearchOptions(top=2))
    assert [hit.path.name for hit in photos] == ["both.jpg", "one.jpg", "other.jpg"]
    assert [hit.score for hit in photos] == pytest.approx([1.0, 0.5, 0.5], abs=1e-3)
    assert [(hit.path.name, hit.transcript) for hit in instances] == [
        ("both.jpg", "open"),
        ("both.jpg", "24"),
    ]


def test_hits_below_the_least_score_are_left_out(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"a.jpg": ["coffee"], "b.jpg": ["exit"]}) as gallery:
        hits = search(gallery, Query("coffee"), ENCODER, SearchOptions(min_score=0.6))
    assert [hit.path.name for hit in hits] == ["a.jpg"]


def test_no_more_hits_than_asked_for_are_returned(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {f"{i}.jpg": ["coffee"] for i in range(9)}) as gallery:
        hits = search(gallery, Query("coffee"), ENCODER, SearchOptions(top=3))
    assert [hit.path.name for hit in hits] == ["0.jpg", "1.jpg", "2.jpg"]


def test_an_empty_gallery_has_no_hits(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"blank.jpg": []}) as gallery:
        assert search(gallery, Query("coffee"), ENCODER) == []
        assert search(gallery, Query("hot coffee"), ENCODER, SearchOptions(group="photo")) == []


def test_other_weights_than_the_gallery_was_made_with_are_refused(tmp_path: Path) -> None:
    with (
        make_gallery(tmp_path, {"a.jpg": ["coffee"]}) as gallery,
        pytest.raises(WeightsError, match=r"letters .* others .* --model, or read its photos anew"),
    ):
        search(gallery, Query("coffee"), LetterEncoder(OTHER_MODEL))


@pytest.mark.parametrize("text", ["coffee", "hot coffee", '"hot coffee"', "coff*"])
def test_a_search_fetches_the_details_of_an_instance_once(
    tmp_path: Path, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = LetterEncoder(replace(MODEL, likelihood_weight=0.4))
    with make_gallery(tmp_path, {"a.jpg": ["hot", "coffee"], "b.jpg": ["coffee"]}) as gallery:
        fetched: list[int] = []
        details_of = gallery.details_of

        def watched(ids: list[int]) -> dict[int, Detail]:
            fetched.extend(ids)
            return details_of(ids)

        monkeypatch.setattr(gallery, "details_of", watched)
        search(gallery, Query(text), encoder, SearchOptions(explain=True))
    assert sorted(fetched) == sorted(set(fetched)) != []


def test_hits_of_several_galleries_are_ranked_together(tmp_path: Path) -> None:
    with (
        make_gallery(tmp_path / "one", {"a.jpg": ["cofee"]}) as one,
        make_gallery(tmp_path / "two", {"b.jpg": ["coffee"]}) as two,
    ):
        hits = merge_hits([search(gallery, Query("coffee"), ENCODER) for gallery in (one, two)], top=5)
    assert [(hit.rank, hit.path.name) for hit in hits] == [(1, "b.jpg"), (2, "a.jpg")]


def test_the_box_of_a_quad_is_the_quad() -> None:
    quad = np.array([[5, 1], [9, 5], [7, 7], [3, 3]], np.float32)
    assert box_around(quad) is quad


def test_the_box_of_a_bent_word_lies_along_its_reading_direction() -> None:
    arch = np.array([[0, 4], [5, 0], [10, 4], [10, 8], [5, 4], [0, 8]], np.float32)
    np.testing.assert_allclose(box_around(arch), [[0, 0], [10, 0], [10, 8], [0, 8]], atol=1e-5)
    upwards = np.stack([arch[:, 1], -arch[:, 0]], axis=1)
    np.testing.assert_allclose(box_around(upwards), [[0, 0], [0, -10], [8, -10], [8, 0]], atol=1e-5)


@pytest.mark.parametrize(
    ("options", "total"),
    [
        pytest.param(SearchOptions(top=2), 2, id="those returned"),
        pytest.param(SearchOptions(top=2, counts=True), 5, id="all"),
        pytest.param(SearchOptions(top=2, advice=1), 5, id="all, with advice"),
    ],
)
def test_what_lies_beyond_the_hits_is_counted_where_that_is_wanted(
    tmp_path: Path, options: SearchOptions, total: int
) -> None:
    with make_gallery(tmp_path, {f"{number}.png": ["tea"] for number in range(5)}) as gallery:
        found = find(gallery, Query("tea"), LetterEncoder(), options)
    assert (len(found.hits), found.total) == (2, total)
