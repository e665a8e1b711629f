"""From a folder of photographs to hits, in Python."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gallery_fixtures import (
    instance,
    make_gallery,
    photo_bytes,
)

import stsearch
from stsearch.errors import DeviceError, GalleryNotFoundError, UsageError, WeightsError
from stsearch.gallery.address import DatabaseUrl
from stsearch.gallery.gallery import Gallery
from stsearch.indexing.progress import Progress


def words(hits: Sequence[stsearch.Hit]) -> list[str]:
    return [hit.transcript for hit in hits]


def test_photos_and_hits_are_shown_short_and_say_what_they_are(signs: Path) -> None:
    with stsearch.open(signs) as photos:
        [hit] = photos.search("coffee")
        assert repr(photos) == f"<Photos of {str(signs)!r}: 2>"
    assert repr(hit) == f"<Hit 1: 'Coffee' score=1.00 {str(signs / 'a.jpg')!r} box=0,2,20,8>"
    assert repr(photos) == f"<Photos of {str(signs)!r}: closed>"


def test_a_text_instance_is_shown_without_its_arrays() -> None:
    assert repr(instance("exit", x=5)) == "<TextInstance 'exit' confidence=0.80 box=5,2,20,8>"
    paged = replace(instance("exit"), page=3, polygon=np.zeros((0, 2), np.float32))
    assert repr(paged) == "<TextInstance 'exit' confidence=0.80 page=3>"


def test_a_folder_is_indexed_and_searched_in_a_few_lines(tmp_path: Path, letters: None) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(photo_bytes("exit"))
    steps: list[Progress] = []
    with stsearch.index(tmp_path / "photos", progress=steps.append) as photos:
        [hit, *_others] = photos.search("exit", top=5)
    assert (hit.transcript, hit.path.name) == ("exit", "a.png")
    assert photos.report is not None
    assert (photos.report.new, steps[-1].done) == (1, 1)


def test_where_nothing_matches_the_answer_says_what_does(signs: Path) -> None:
    with stsearch.open(signs) as photos:
        found = photos.find("cofee", exact=True)
        assert found.hits == photos.search("cofee", exact=True) == []
        assert [hit.transcript for hit in found.nearly] == ["Coffee"]
        (advice, *_others) = [each for each in found.advice if each.fuzzy]
        assert photos.search(advice.query, fuzzy=advice.fuzzy)[0].transcript == "Coffee"


def test_the_manifest_says_what_found_the_words_and_where(tmp_path: Path, letters: None) -> None:
    (tmp_path / "a.png").write_bytes(photo_bytes("exit"))
    stsearch.index(tmp_path).close()
    with Gallery.open(tmp_path / ".stsearch") as gallery:
        assert gallery.manifest.engine == "cpu, none"


def test_progress_true_shows_a_bar(tmp_path: Path, letters: None, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.png").write_bytes(photo_bytes("exit"))
    stsearch.index(tmp_path, progress=True).close()
    assert "1/1" in capsys.readouterr().err


def test_what_is_no_folder_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nowhere is no folder of photographs"):
        stsearch.index(tmp_path / "nowhere")


def test_only_the_photographs_that_are_named_are_indexed(tmp_path: Path, letters: None) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(photo_bytes("exit"))
    with stsearch.index(tmp_path, only=[tmp_path / "b.png"]) as photos:
        assert [hit.path.name for hit in photos.search("exit")] == ["b.png"]


def test_an_open_folder_answers_text_and_queries_alike(signs: Path) -> None:
    with stsearch.open(signs) as photos:
        assert len(photos) == 2
        assert words(photos.search("coffee")) == words(photos.search(stsearch.Query("coffee"))) == ["Coffee"]


def test_options_are_keywords(signs: Path) -> None:
    with stsearch.open(signs) as photos:
        assert words(photos.search("coffee OR bakery", top=1, min_score=0.5)) == ["Coffee"]
        assert [hit.path.name for hit in photos.search("bakery", group="photo", min_score=0)] == [
            "b.jpg",
            "a.jpg",
        ]
        assert words(photos.search("cofee", fuzzy=1)) == ["Coffee"]
        assert words(photos.search("cofee", exact=True)) == []
        assert words(photos.search("bakery", exact=True, paths=["a*"])) == []


def test_options_that_contradict_each_other_are_refused(signs: Path) -> None:
    with (
        stsearch.open(signs) as photos,
        pytest.raises(UsageError, match="exact allows no edit, fuzzy allows 1"),
    ):
        photos.search("coffee", exact=True, fuzzy=1)


def test_several_galleries_are_searched_together(signs: Path, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    make_gallery(tmp_path / "more", {"c.jpg": ["coffee"]}).close()
    with stsearch.open(signs, tmp_path / "more") as photos:
        assert {hit.path.name for hit in photos.search("coffee")} == {"a.jpg", "c.jpg"}


@pytest.mark.parametrize(
    ("query", "advice"),
    [
        pytest.param("tea exit", ("no photo shows all of these words", "tea OR exit"), id="each in another"),
        pytest.param(
            "tea exit zebra",
            ("'zebra' is not found, the others are not in one photo", "tea OR exit"),
            id="one nowhere",
        ),
    ],
)
def test_several_galleries_give_one_advice(
    signs: Path, tmp_path: Path, query: str, advice: tuple[str, str]
) -> None:
    for name, word in (("one", "tea"), ("two", "exit"), ("three", "market")):
        (tmp_path / name).mkdir()
        make_gallery(tmp_path / name, {f"{name}.jpg": [word]}).close()
    with stsearch.open(*(tmp_path / name for name in ("one", "two", "three"))) as photos:
        found = photos.find(query, exact=True)
    assert advice in [(each.reason, each.query) for each in found.advice]
    assert len([each for each in found.advice if "nearest word" in each.reason]) == 1


def test_a_database_is_indexed_into_and_searched_beside_a_folder(
    signs: Path, tmp_path: Path, database: DatabaseUrl
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(photo_bytes("exit"))
    with stsearch.index(tmp_path / "photos", gallery=database.secret) as photos:
        assert words(photos.search("exit", min_score=0.9)) == ["exit"]
        assert photos.report is not None
        assert photos.report.new == 1
    assert not (tmp_path / "photos" / ".stsearch").exists()
    with stsearch.open(signs, database.secret) as photos:
        assert words(photos.search("exit OR bakery", min_score=0.9)) == ["exit", "bakery"]
        assert len(photos) == 3


def test_a_picture_of_a_word_is_a_query(signs: Path) -> None:
    with stsearch.open(signs) as photos:
        asked = photos.image_query(photo_bytes("coffee"), "crop.png")
        assert asked.text == "crop.png"
        assert words(photos.search(asked))[0] == "Coffee"


def test_an_array_that_is_no_picture_is_refused(signs: Path) -> None:
    with stsearch.open(signs) as photos, pytest.raises(UsageError, match=r"float32 of shape \(4, 4\)"):
        photos.image_query(np.zeros((4, 4), np.float32))


def test_without_new_photographs_no_network_is_loaded(tmp_path: Path, letters: None) -> None:
    (tmp_path / "a.png").write_bytes(photo_bytes("exit"))
    told: list[str] = []
    stsearch.index(tmp_path, loaded=lambda info, _: told.append(info.name)).close()
    assert told == ["letters"]
    stsearch.index(tmp_path, loaded=lambda info, _: told.append(info.name)).close()
    assert told == ["letters"]


def test_weights_and_device_are_checked_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no weights 'huge'"):
        stsearch.index(tmp_path, model="huge")
    with pytest.raises(DeviceError, match="no device 'abacus'"):
        stsearch.index(tmp_path, device="abacus")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"group": "pic"}, "group is one of word, photo, not 'pic'", id="group"),
        pytest.param({"top": 0}, "top is a whole number from 1 on, not 0", id="top"),
        pytest.param({"top": "5"}, "top is a whole number from 1 on, not '5'", id="top as text"),
        pytest.param({"fuzzy": 7}, "fuzzy is 0, 1 or 2, not 7", id="fuzzy"),
        pytest.param({"min_score": 5}, "min_score lies between 0 and 1, which 5 does not", id="score"),
        pytest.param({"min_score": float("nan")}, "which nan does not", id="no number"),
        pytest.param({"since": "2023-13"}, "2023-13", id="date"),
    ],
)
def test_a_value_that_no_option_can_have_is_named(signs: Path, options: dict[str, Any], message: str) -> None:
    with stsearch.open(signs) as photos, pytest.raises(UsageError, match=re.escape(message)):
        photos.search("coffee", **options)


@pytest.mark.parametrize("query", [None, ["coffee", "bar"], 24])
def test_what_is_no_query_is_named(signs: Path, query: Any) -> None:
    with (
        stsearch.open(signs) as photos,
        pytest.raises(UsageError, match="a query is text, a Query or an ImageQuery"),
    ):
        photos.search(query)


def test_one_path_and_a_date_are_taken_as_they_are(signs: Path) -> None:
    with stsearch.open(signs) as photos:
        assert [hit.path.name for hit in photos.search("coffee", paths="a*", until=2100)] == ["a.jpg"]
        assert photos.search("coffee", since=date(2100, 1, 1)) == []


def test_closed_photographs_say_so(signs: Path) -> None:
    photos = stsearch.open(signs)
    photos.close()
    with pytest.raises(UsageError, match="closed: open them again"):
        photos.search("coffee")


def test_a_gallery_is_no_folder_of_photographs(signs: Path) -> None:
    with pytest.raises(UsageError, match="is a gallery: index the folder of its photographs"):
        stsearch.index(signs / ".stsearch")


@pytest.mark.parametrize("picture", [None, 7, np.zeros((0, 0, 3), np.uint8)])
def test_what_is_no_picture_is_named(signs: Path, picture: Any) -> None:
    with stsearch.open(signs) as photos, pytest.raises(UsageError, match="a picture is"):
        photos.image_query(picture)


def test_progress_is_a_switch_or_a_function(tmp_path: Path, letters: None) -> None:
    with pytest.raises(UsageError, match="progress is True, False or a function, not 'yes'"):
        stsearch.index(tmp_path, progress="yes")  # type: ignore[arg-type]  # that is the point


def test_a_folder_without_photos_gives_none_and_no_gallery(tmp_path: Path, letters: None) -> None:
    (tmp_path / "scan.pdf").touch()
    with stsearch.index(tmp_path) as photos:
        assert photos.report is not None
        assert (len(photos), photos.report.passed_over) == (0, {".pdf": 1})
        with pytest.raises(GalleryNotFoundError, match="there are no photos"):
            photos.search("exit")
    assert not (tmp_path / ".stsearch").exists()


def test_photos_that_vanished_are_told_and_stay_until_they_are_pruned(tmp_path: Path, letters: None) -> None:
    (tmp_path / "a.png").write_bytes(photo_bytes("exit"))
    stsearch.index(tmp_path).close()
    (tmp_path / "a.png").unlink()
    told: list[str] = []
    with stsearch.index(tmp_path, notify=told.append) as photos:
        assert len(photos) == 1
    assert "1 of 1 known photo is missing" in told[0]
    with stsearch.index(tmp_path, prune=True) as photos:
        assert len(photos) == 0
