"""Counting the words of a gallery, as a person would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gallery_fixtures import instance, make_gallery, spotted

from stsearch.api import words
from stsearch.api.words import WordCount, count_words, instances_in, words_of


def test_words_come_with_their_photograph(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {"a.jpg": ["tea", "exit"], "b.jpg": [], "c.jpg": ["pub"]}) as gallery:
        assert {(word.path.name, word.transcript) for word in words_of(gallery)} == {
            ("a.jpg", "tea"),
            ("a.jpg", "exit"),
            ("c.jpg", "pub"),
        }
        assert [word.transcript for word in words_of(gallery, [gallery.photos / "c.jpg"])] == ["pub"]


def test_a_word_in_the_same_place_of_another_page_is_another_word(tmp_path: Path) -> None:
    pages = [replace(instance("tea"), page=page) for page in (1, 2)]
    with make_gallery(tmp_path, {}) as gallery:
        gallery.add([replace(spotted("scan.tif"), instances=pages)])
        assert [(word.transcript, word.page) for word in words_of(gallery)] == [("tea", 1), ("tea", 2)]
        assert count_words(gallery).words == 2


def test_a_large_gallery_is_counted_in_a_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    signs = {f"{number}.jpg": ["tea", "exit"] for number in range(8)}
    with make_gallery(tmp_path, signs) as gallery:
        assert count_words(gallery) == WordCount(16, False)
        monkeypatch.setattr(words, "_COUNTED", 3)
        assert count_words(gallery) == WordCount(16, True)


def test_words_that_the_sample_misses_are_not_called_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    signs = {f"{number}.jpg": ["tea"] if number == 1 else [] for number in range(8)}
    monkeypatch.setattr(words, "_COUNTED", 2)
    with make_gallery(tmp_path, signs) as gallery:
        assert count_words(gallery) == WordCount(1, True)
    with make_gallery(tmp_path / "blank", {name: [] for name in signs}) as gallery:
        assert count_words(gallery) == WordCount(0, False)


def test_an_empty_gallery_has_no_words(tmp_path: Path) -> None:
    with make_gallery(tmp_path, {}) as gallery:
        assert count_words(gallery) == WordCount(0, False)


def test_the_words_of_one_photograph_stand_from_top_to_bottom_one_a_place(tmp_path: Path) -> None:
    below = replace(instance("tea"), polygon=instance("tea").polygon + np.array([0, 50], np.float32))
    with make_gallery(tmp_path, {"b.png": ["milk"]}) as gallery:
        gallery.add([replace(spotted("a.png"), instances=[below, instance("coffee"), instance("coffee")])])
        content = dict(gallery.catalog.photos())["a.png"]
        assert [word.transcript for word in instances_in(gallery, content)] == ["coffee", "tea"]
        assert instances_in(gallery, 99) == []
