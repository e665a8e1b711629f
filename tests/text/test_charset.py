"""Folding of text, edit similarity, and the order of classes."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from stsearch.text.charset import Charset, edit_similarity, normalize, split_words, strip_accents


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        pytest.param("Coffee", "coffee", id="case"),
        pytest.param("Café", "cafe", id="accent"),
        pytest.param("Straße", "strasse", id="spelled out"),
        pytest.param("№5", "no5", id="compatibility form"),
        pytest.param("24/7!", "247", id="punctuation"),
        pytest.param("日本", "", id="nothing left"),
    ],
)
def test_normalize_keeps_only_the_36_benchmark_characters(text: str, folded: str) -> None:
    assert normalize(text) == folded


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        pytest.param("k\u0131rm\u0131z\u0131 \u0131ş\u0131k", "kirmizi isik", id="Turkish"),
        pytest.param("Þingvellir við Öxará", "THingvellir vid Oxara", id="Icelandic"),
        pytest.param("Ħal Għargħur", "Hal Gharghur", id="Maltese"),
        pytest.param("Ŋuorttat Đeatnu", "Nuorttat Deatnu", id="Sami"),
        pytest.param("Ɛkɔ Ŋutsu Ƒo", "Eko Nutsu Fo", id="Ewe"),
        pytest.param("Gəncə", "Gence", id="Azerbaijani"),
        pytest.param("STRAẞE", "STRASSE", id="capital sharp s"),
        pytest.param("ꝏ ﬁ ǆ ʰ", "oo fi dz h", id="ligatures and modifiers"),
        pytest.param("\u01c3xoo", "xoo", id="a click is no letter of the alphabet"),
    ],
)
def test_every_alphabet_of_latin_letters_is_folded(text: str, folded: str) -> None:
    assert strip_accents(text) == folded


NO_LETTERS = (
    *("CLICK", "CUATRILLO", "DOT", "GLOTTAL", "LARYNGEAL", "LETTER TONE", "PERCUSSIVE", "PHARYNGEAL"),
    *("SALTILLO", "TRESILLO", "TWO WITH STROKE"),
)


def test_every_latin_letter_of_unicode_is_written_with_a_to_z() -> None:
    names = {chr(code): unicodedata.name(chr(code), "") for code in range(sys.maxunicode)}
    lost = [
        character
        for character, name in names.items()
        if name.startswith("LATIN ")
        and unicodedata.category(character).startswith("L")
        and not any(sign in name for sign in NO_LETTERS)
        and not normalize(character)
    ]
    assert lost == []


def test_strip_accents_keeps_case_and_punctuation() -> None:
    assert strip_accents("ÉCLAIR, à 2€") == "ECLAIR, a 2€"


def test_split_words_leaves_out_words_without_a_letter_or_digit() -> None:
    assert split_words(" Fish & Chips ") == ["fish", "chips"]


@pytest.mark.parametrize(
    ("a", "b", "similarity"),
    [
        pytest.param("open", "open", 1.0, id="equal"),
        pytest.param("open", "opel", 0.75, id="one change"),
        pytest.param("ab", "abcd", 0.5, id="two insertions"),
        pytest.param("abc", "xyz", 0.0, id="nothing shared"),
        pytest.param("", "", 1.0, id="both empty"),
        pytest.param("", "a", 0.0, id="one empty"),
    ],
)
def test_edit_similarity_is_one_minus_distance_over_the_longer_length(
    a: str, b: str, similarity: float
) -> None:
    assert edit_similarity(a, b) == pytest.approx(similarity)


def test_classes_start_at_one_because_zero_is_the_blank() -> None:
    assert Charset("xyz").encode("zx?") == [3, 1]


def test_decode_undoes_encode() -> None:
    charset = Charset()
    assert charset.decode(charset.encode("route66")) == "route66"


def test_a_charset_with_a_repeated_character_is_refused() -> None:
    with pytest.raises(ValueError, match="'aba'"):
        Charset("aba")
