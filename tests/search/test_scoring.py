"""scoring.py: patterns and limits of edits; the formula for a plain word is in test_search.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from gallery_fixtures import MODEL, embed
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import OSA
from search_fixtures import candidates_of, table_of

from stsearch.search.candidates import InMemoryCandidates
from stsearch.search.scoring import NO_MATCH, Scorer, edit_distances, raw_pattern_scores
from stsearch.text.charset import ALPHANUMERIC, Charset, normalize
from stsearch.text.ctc import CLASSES, pack_posteriors
from stsearch.text.reading_index import ReadingIndex
from stsearch.text.wildcards import fixed_part, is_pattern


@pytest.mark.parametrize(
    ("pattern", "transcript", "edits"),
    [
        pytest.param("re16*", "RE16 ABC", 0, id="prefix"),
        pytest.param("re16*", "RE16", 0, id="a star may stand for nothing"),
        pytest.param("re16*", "RF16 ABC", 1, id="prefix misread"),
        pytest.param("*gasse", "Marktgasse", 0, id="suffix"),
        pytest.param("*gasse", "Marktgase", 1, id="suffix, one short"),
        pytest.param("*gasse", "Gassenhauer", 4, id="what a suffix must not follow"),
        pytest.param("*ass*", "Gassenhauer", 0, id="inside"),
        pytest.param("m*g*e", "Marktgasse", 0, id="several stars"),
        pytest.param("b?r", "BAR", 0, id="one character"),
        pytest.param("b?r", "BR", 1, id="one character too few"),
        pytest.param("b?r", "Boar", 1, id="one character too many"),
        pytest.param("caf?", "Café", 0, id="accents are folded"),
        pytest.param("ab*", "", 2, id="nothing was read"),
        pytest.param("bar", "Bear", 1, id="no wildcard"),
    ],
)
def test_edits_are_counted_outside_of_wildcards(pattern: str, transcript: str, edits: int) -> None:
    # Beside a longer one, because all transcripts are compared at once.
    assert edit_distances(pattern, ReadingIndex([transcript, "a much longer transcript"]))[0] == edits
    assert edit_distances(pattern, ReadingIndex([transcript]))[0] == edits


@settings(deadline=None)
@given(
    st.text("ab*?", min_size=1, max_size=6).filter(is_pattern),
    st.lists(st.text("abc", max_size=6), max_size=4),
)
def test_edits_are_those_to_the_nearest_text_that_a_pattern_stands_for(
    pattern: str, transcripts: list[str]
) -> None:
    def slow(symbols: str, text: str) -> int:
        if not symbols:
            return len(text)
        if symbols[0] == "*":
            return min(slow(symbols[1:], text[i:]) for i in range(len(text) + 1))
        options = [slow(symbols[1:], text) + 1]
        if text:
            options.append(slow(symbols[1:], text[1:]) + (symbols[0] not in ("?", text[0])))
            options.append(slow(symbols, text[1:]) + 1)
        return min(options)

    assert edit_distances(pattern, ReadingIndex(transcripts)).tolist() == [
        slow(pattern, text) for text in transcripts
    ]


@settings(deadline=None)
@given(st.text("abc", min_size=1, max_size=6), st.lists(st.text("ABC1", max_size=6), max_size=4))
def test_edits_to_a_word_are_its_edit_distance(word: str, transcripts: list[str]) -> None:
    expected = [OSA.distance(word, normalize(text)) for text in transcripts]
    assert edit_distances(word, ReadingIndex(transcripts)).tolist() == expected


@pytest.mark.parametrize(
    ("pattern", "transcript", "confidence", "score"),
    [
        pytest.param("coff*", "coffee", 1.0, 1.0, id="agrees, and was read surely"),
        pytest.param("coff*", "xoffee", 1.0, 3 / 4, id="three of four known characters agree"),
        pytest.param("coff*", "tea", 1.0, 0.0, id="nothing agrees"),
        pytest.param("c?t", "cut", 0.125, 0.5 + 0.5 * (2 / 6**0.5), id="half trusted: half similarity"),
        pytest.param("ab*", "", 1.0, 0.0, id="nothing was read, and nothing is similar"),
    ],
)
def test_a_pattern_scores_what_agrees_as_far_as_the_reading_is_sure(
    pattern: str, transcript: str, confidence: float, score: float
) -> None:
    scores = raw_pattern_scores(
        pattern, embed(fixed_part(pattern)), table_of(transcript, confidence=confidence)
    )
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, [score], rtol=1e-5)


def test_where_nothing_was_read_a_pattern_scores_the_similarity_of_what_is_known() -> None:
    table = table_of("")
    table.embeddings[0] = embed("coff")
    np.testing.assert_allclose(raw_pattern_scores("coff*", embed("coff"), table), [1.0], rtol=1e-5)


@pytest.mark.parametrize(
    ("word", "limit", "found"),
    [
        pytest.param("coffee", 0, {"Coffee"}, id="exact"),
        pytest.param("coffee", 1, {"Coffee", "cofee"}, id="one edit"),
        pytest.param("coffee", 2, {"Coffee", "cofee", "coffers"}, id="two edits"),
        pytest.param("coff*", 0, {"Coffee", "coffers"}, id="exact pattern"),
        pytest.param("te", 2, {"tea"}, id="a short word is not any other short word"),
        pytest.param("x*", 2, set(), id="of a pattern something must agree"),
    ],
)
def test_beyond_the_limit_of_edits_nothing_matches(word: str, limit: int, found: set[str]) -> None:
    table = table_of("Coffee", "cofee", "coffers", "tea", "up", "")
    scores = Scorer(candidates_of(table), {fixed_part(word): embed(word)}, MODEL, limit).score_word(word)
    assert {text for text, score in zip(table.transcripts, scores, strict=True) if score >= 0} == found
    assert set(scores[scores < 0].tolist()) <= {NO_MATCH}


def saw(word: str) -> bytes:
    """Return the CTC posteriors of a crop in which nothing but ``word`` can be seen."""
    classes = [c for character in word.ljust(6) for c in (0, 1 + ALPHANUMERIC.find(character))]
    return pack_posteriors(20 * np.eye(CLASSES, dtype=np.float32)[classes][None], Charset())[0]


def test_the_likelihood_of_a_word_counts_where_posteriors_are_known() -> None:
    table = table_of("cqffee", "cqffee", "cqffee", "tea")
    posteriors = [saw("coffee"), b"", saw("cqffee"), saw("tea")]
    info = replace(MODEL, likelihood_weight=0.4)
    candidates = candidates_of(table, posteriors)
    scores = Scorer(candidates, {"coffee": embed("coffee")}, info).score_word("coffee")
    without = Scorer(candidates, {"coffee": embed("coffee")}, MODEL).score_word("coffee")
    assert scores[0] == pytest.approx(0.6 * without[0] + 0.4, abs=0.01)
    assert scores[1] == without[1]
    assert scores[2] == pytest.approx(0.6 * without[2], abs=0.2)
    assert scores[0] > scores[1] > scores[2] > scores[3]


def test_of_many_instances_the_best_are_looked_at_closely() -> None:
    words = ["coffee"] * 300 + ["bakery"] * 300
    asked: list[int] = []

    class Watched(InMemoryCandidates):
        def posteriors(self, rows: Sequence[int]) -> list[bytes]:
            asked.extend(rows)
            return super().posteriors(rows)

    info = replace(MODEL, likelihood_weight=0.4)
    candidates = Watched(table_of(*words), [], list(map(saw, words)))
    scores = Scorer(candidates, {"coffee": embed("coffee")}, info).score_word("coffee")
    assert asked == list(range(300))  # more than the 200 best, because all of them are good
    np.testing.assert_allclose(scores[:300], 1.0, atol=0.01)
    assert scores[300:].max() < 0.5


def test_within_the_limit_of_edits_a_word_scores_as_without_one() -> None:
    candidates, embeddings = candidates_of(table_of("Coffee", "cofee")), {"coffee": embed("coffee")}
    np.testing.assert_array_equal(
        Scorer(candidates, embeddings, MODEL, 1).score_word("coffee"),
        Scorer(candidates, embeddings, MODEL, None).score_word("coffee"),
    )


LOW = ((0.0, 0.05), (0.0, 0.9))  # a calibration by which a lone letter is never found


def test_a_digit_read_with_confidence_1_is_found_though_lone_letters_mean_little() -> None:
    info = replace(MODEL, calibration=LOW)
    for confidence, found in ((1.0, True), (0.9, False)):
        table = table_of("7", confidence=confidence)
        scores = Scorer(candidates_of(table), {"7": embed("7")}, info).score_word("7")
        assert bool(scores[0] >= 0.2) is found


def test_a_digit_read_otherwise_gains_nothing_by_its_confidence() -> None:
    info = replace(MODEL, calibration=LOW)
    scores = Scorer(candidates_of(table_of("1")), {"7": embed("7")}, info).score_word("7")
    assert scores[0] < 0.2


def test_where_the_decoder_read_the_word_posteriors_that_miss_it_do_not_hide_it() -> None:
    info = replace(MODEL, likelihood_weight=0.6)
    scores = Scorer(candidates_of(table_of("7"), [saw("")]), {"7": embed("7")}, info).score_word("7")
    assert scores[0] == pytest.approx(1.0, abs=0.01)


def test_a_word_that_the_decoder_alone_sees_in_noise_is_hardly_found() -> None:
    info = replace(MODEL, likelihood_weight=0.6)
    candidates = candidates_of(table_of("SALE", "Sale"), [saw(""), saw("sale")])
    noise, sign = Scorer(candidates, {"sale": embed("sale")}, info).score_word("sale")
    assert noise < 0.5 < sign
