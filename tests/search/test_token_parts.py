"""token_parts.py: parts of what one outline holds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gallery_fixtures import MODEL, LetterEncoder, make_set_gallery, set_in_lines

from stsearch.gallery import gallery as gallery_module
from stsearch.gallery.gallery import Gallery
from stsearch.search.engine import SearchOptions, search
from stsearch.search.hits import Hit
from stsearch.search.query import Query
from stsearch.text.charset import PRINTABLE, Charset
from stsearch.text.ctc import pack_posteriors


def find(folder: Path, query: str, line: str, min_score: float = 0.6) -> list[Hit]:
    with make_set_gallery(folder, {"a.jpg": [line]}) as gallery:
        return search(gallery, Query(query), LetterEncoder(), SearchOptions(min_score=min_score))


@pytest.mark.parametrize(
    ("query", "token"),
    [
        pytest.param("obst", "OBST/GEMÜSE", id="the first of two"),
        pytest.param("gemüse", "OBST/GEMÜSE", id="the last of two"),
        pytest.param("goose", "duck/goose", id="after a slash"),
        pytest.param("info", "info@krause.example", id="in a mail address"),
        pytest.param("krause", "info@krause.example", id="inside"),
        pytest.param("krouse", "info@krause.example", id="one letter misread"),
        pytest.param("joe", "Joe's", id="before an apostrophe"),
        pytest.param("fri", "Tue-Fri", id="after a hyphen"),
        pytest.param("self adhesive", "self-adhesive", id="two words in one token"),
    ],
)
def test_a_part_of_a_token_is_found(tmp_path: Path, query: str, token: str) -> None:
    hits = find(tmp_path, query, token)
    assert {hit.transcript for hit in hits} == {token}


@pytest.mark.parametrize("query", ["bst", "gemus", "emuse", "duck"])
def test_a_piece_of_a_part_is_no_part(tmp_path: Path, query: str) -> None:
    assert find(tmp_path, query, "OBST/GEMÜSELADEN", min_score=0.8) == []


def test_a_token_of_its_own_comes_before_a_part(tmp_path: Path) -> None:
    with make_set_gallery(tmp_path, {"a.jpg": ["duck/goose"], "b.jpg": ["duck"]}) as gallery:
        hits = search(gallery, Query("duck"), LetterEncoder(), SearchOptions(min_score=0.6))
    assert [hit.path.name for hit in hits] == ["b.jpg", "a.jpg"]


def test_a_part_is_exactly_the_word_for_the_limit_of_edits(tmp_path: Path) -> None:
    with make_set_gallery(tmp_path, {"a.jpg": ["duck/goose"]}) as gallery:
        exact = SearchOptions(fuzzy=0, min_score=0.1)
        (hit,) = search(gallery, Query("goose"), LetterEncoder(), exact)
        assert search(gallery, Query("moose"), LetterEncoder(), exact) == []
    assert hit.matches[0].edits == 0


def saw(text: str, doubtful: str = "") -> bytes:
    """Return the CTC posteriors of a crop that shows ``text``; its "i" could as well be ``doubtful``."""
    charset = Charset(PRINTABLE)
    logits = np.zeros((1, 2 * len(text), len(charset)), np.float32)
    for at, character in enumerate(text):
        logits[0, 2 * at, 0] = 20
        logits[0, 2 * at + 1, charset.encode(character)] = 20
        if character == "i" and doubtful:
            logits[0, 2 * at + 1, charset.encode(doubtful)] = 20
    return pack_posteriors(logits, charset)[0]


@pytest.mark.parametrize(("doubtful", "found"), [("/", ["duckigoose"]), ("", [])])
def test_a_stroke_that_may_be_a_slash_divides_a_token(
    tmp_path: Path, doubtful: str, found: list[str]
) -> None:
    info = replace(MODEL, likelihood_weight=0.6)
    photo = set_in_lines("a.jpg", "duckigoose")
    seen = [replace(each, ctc_posteriors=saw("duckigoose", doubtful)) for each in photo.instances]
    with Gallery.create(tmp_path / ".stsearch", tmp_path, info) as gallery:
        gallery.add([replace(photo, instances=seen)])
        gallery.finish()
        for query in ("duck", "goose"):
            hits = search(gallery, Query(query), LetterEncoder(info), SearchOptions(min_score=0.6))
            assert [hit.transcript for hit in hits] == found


def test_in_a_gallery_too_large_to_score_all_a_part_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs = {f"{i}.jpg": ["lamp post"] for i in range(30)} | {"a.jpg": ["info@krause.example"]}
    make_set_gallery(tmp_path, signs).close()
    monkeypatch.setattr(gallery_module, "EXACT_LIMIT", 4)
    monkeypatch.setattr("stsearch.search.engine._CANDIDATES", 1)
    with Gallery.open(tmp_path) as gallery:
        (hit,) = search(gallery, Query("krause"), LetterEncoder(), SearchOptions(top=1, min_score=0.6))
    assert hit.transcript == "info@krause.example"
