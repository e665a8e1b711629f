"""The character model: a proper distribution over strings that learns what it is shown."""

from __future__ import annotations

import pytest
import torch

from stsearch.models.character_lm import CharacterLM


@pytest.fixture
def model() -> CharacterLM:
    torch.manual_seed(0)
    return CharacterLM(16)


def test_a_word_is_as_likely_alone_as_among_others(model: CharacterLM) -> None:
    assert model(["a", "longer", "b2"])[0].item() == pytest.approx(model(["a"])[0].item(), abs=1e-5)


def test_what_can_follow_a_prefix_is_as_likely_as_the_prefix(model: CharacterLM) -> None:
    starts = [first + second for first in "ab" for second in model.charset.characters]
    with torch.no_grad():
        longer = model._predict(starts)[0].softmax(dim=1)  # what comes after each of these
        words = model(["a", "b", *starts]).exp()
    assert longer.sum(dim=1) == pytest.approx(1.0, abs=1e-5)
    ends = longer[: len(starts) // 2, 0, 2]  # after "a" and each second character
    begun = words[2 : 2 + len(starts) // 2] / ends
    first = model._predict(["a"])[0].softmax(dim=1)[0, model.charset.encode("a")[0], 0].item()
    assert (begun.sum() + words[0]).item() == pytest.approx(first, rel=1e-4)


def test_words_are_folded(model: CharacterLM) -> None:
    assert torch.equal(model(["Caf\u00e9!"]), model(["cafe"]))


def test_the_loss_is_the_mean_over_characters_and_ends(model: CharacterLM) -> None:
    expected = -model(["ab", "xyz"]).sum() / (3 + 4)
    assert model.loss(["ab", "xyz"]).item() == pytest.approx(expected.item(), rel=1e-5)


def test_it_learns_which_strings_are_words(model: CharacterLM) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(40):
        optimizer.zero_grad()
        model.loss(["open", "exit", "exit"]).backward()
        optimizer.step()
    exit_, open_, unknown = model(["exit", "open", "exot"]).tolist()
    assert exit_ > open_ > unknown + 3
