"""prepared.py: searches that are prepared together answer as those that are not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from gallery_fixtures import MODEL, embed
from numpy.typing import NDArray
from search_fixtures import candidates_of, table_of

from stsearch.search.prepared import PreparedEncoder, prepare
from stsearch.search.query import Query
from stsearch.search.scoring import Scorer

WORDS = ["coffee", "tea", "exit", "bar", "garden"]


class _Counting:
    """Embeds words, and counts how often it is asked."""

    info = MODEL

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, words: Sequence[str]) -> NDArray[np.float32]:
        self.calls += 1
        return np.stack([embed(word) for word in words])


def test_words_that_are_prepared_together_score_as_each_alone() -> None:
    plain, together = candidates_of(table_of(*WORDS)), candidates_of(table_of(*WORDS))
    encoder = PreparedEncoder(_Counting())
    prepare([Query(word) for word in WORDS], encoder, [together.table])
    for word in WORDS:
        expected = Scorer(plain, {word: embed(word)}, MODEL).score_word(word)
        scores = Scorer(together, {word: encoder([word])[0]}, MODEL).score_word(word)
        np.testing.assert_allclose(scores, expected, atol=1e-6)


@pytest.mark.parametrize(("words", "calls"), [(WORDS, 1), (WORDS[:2], 2)], ids=["many", "too few to gain"])
def test_the_network_is_asked_once_for_many_words(words: list[str], calls: int) -> None:
    counting = _Counting()
    encoder = PreparedEncoder(counting)
    prepare([Query(word) for word in words], encoder, [])
    for word in words:
        encoder([word])
    assert counting.calls == calls
