"""Language prompts: what the text tower is told, bimodal matching, the map of where an image agrees."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from prompt_fixtures import DIM, PROMPTS, QUERIES
from torch import Tensor

from stsearch.config import TextTowerConfig
from stsearch.models.prompts import (
    LanguageMatcher,
    TextPrompt,
    build_matcher,
    freeze_prompt,
    match_bimodally,
)
from stsearch.models.text_encoder import tokenize
from stsearch.training.presets import PRESETS


def make_prompt(**changes: object) -> TextPrompt:
    torch.manual_seed(0)
    return TextPrompt(dataclasses.replace(PROMPTS, **changes), DIM).eval()  # type: ignore[arg-type]  # names


def make_matcher(**changes: object) -> LanguageMatcher:
    torch.manual_seed(0)
    return build_matcher(dataclasses.replace(PROMPTS, **changes), DIM).eval()  # type: ignore[arg-type]  # names


# The text side


@pytest.mark.parametrize("query", ["meta", "none"])
def test_the_prompt_is_the_same_for_every_image(query: str) -> None:
    prompt = make_prompt(query=query)
    with torch.inference_mode():
        some, others = prompt(torch.randn(3, DIM)), prompt(torch.zeros(1, DIM))
    assert some.shape == (1, DIM)
    assert torch.equal(some, others)


def test_a_prompt_that_asks_the_image_differs_between_images() -> None:
    pooled = torch.randn(3, DIM)
    with torch.inference_mode():
        prompt = make_prompt(query="image")
        embeddings, alone = prompt(pooled), prompt(pooled[2:])
    assert embeddings.shape == (3, DIM)
    assert (embeddings[0] - embeddings[1]).abs().max() > 1e-2
    assert embeddings[2].numpy() == pytest.approx(alone[0].numpy(), abs=1e-5)


def test_the_context_vectors_change_the_prompt() -> None:
    prompt, pooled = make_prompt(), torch.zeros(1, DIM)
    with torch.inference_mode():
        before = prompt(pooled)
        prompt.context[-1].add_(torch.randn(16))
        assert (prompt(pooled) - before).abs().max() > 1e-3


@pytest.mark.parametrize("count", [0, 4, 18, 32])
def test_any_number_of_context_vectors_of_the_paper_fits_the_tower_of_tiny(count: int) -> None:
    prompt = make_prompt(text=TextTowerConfig(layers=1), context_vectors=count)
    with torch.inference_mode():
        assert prompt(torch.zeros(1, DIM)).shape == (1, DIM)


def seen_by_the_tower(prompt: TextPrompt, pooled: Tensor, monkeypatch: pytest.MonkeyPatch) -> Tensor:
    seen: list[Tensor] = []
    encode = prompt.encoder.encode_soft

    def record(embedded: Tensor, last: Tensor) -> Tensor:
        assert last.tolist() == [embedded.shape[1] - 1] * len(embedded)
        seen.append(embedded)
        return encode(embedded, last)

    monkeypatch.setattr(prompt.encoder, "encode_soft", record)
    with torch.inference_mode():
        prompt(pooled)
    return seen[0]


def test_the_context_stands_between_the_start_and_the_phrase(monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = make_prompt(query="none", phrase="ab")
    [seen] = seen_by_the_tower(prompt, torch.zeros(1, DIM), monkeypatch)
    vectors = prompt.encoder.tower.token_embedding.weight
    assert torch.equal(seen[0], vectors[256])
    assert torch.equal(seen[1:5], prompt.context)
    assert torch.equal(seen[5:], vectors[[97, 98, 257]])


@pytest.mark.parametrize("query", ["meta", "image"])
def test_the_language_prompt_is_added_to_every_token(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt, pooled = make_prompt(query=query), torch.randn(1, DIM)
    [told] = seen_by_the_tower(prompt, pooled, monkeypatch)
    generator, prompt.generator = prompt.generator, None
    [untold] = seen_by_the_tower(prompt, pooled, monkeypatch)
    assert generator is not None
    with torch.inference_mode():
        cue = generator(pooled if prompt.meta_query is None else prompt.meta_query)
    assert (told - untold).numpy() == pytest.approx(cue.expand(len(told), -1).numpy(), abs=1e-6)


def test_another_meta_query_makes_another_prompt() -> None:
    prompt, pooled = make_prompt(), torch.zeros(1, DIM)
    with torch.inference_mode():
        before = prompt(pooled)
        assert prompt.meta_query is not None
        prompt.meta_query.add_(torch.randn(1, DIM))
        assert (prompt(pooled) - before).abs().max() > 1e-3


# Matching


@pytest.mark.parametrize(
    ("image", "text", "expected"),
    [
        pytest.param([1.0, 0.0], [1.0, 0.0], [2.0, 0.0], id="parallel"),
        pytest.param([0.0, 1.0], [1.0, 0.0], [1.0, 0.0], id="orthogonal"),
        pytest.param([-1.0, 0.0], [1.0, 0.0], [2.0, 0.0], id="opposite"),
        pytest.param([0.0, 0.2], [0.0, 30.0], [0.0, 2.0], id="no unit vectors"),
        pytest.param([0.6, 0.8], [1.0, 0.0], [1.36, 0.48], id="at an angle"),
    ],
)
def test_bimodal_matching_knows_these_answers(
    image: list[float], text: list[float], expected: list[float]
) -> None:
    matched = match_bimodally(torch.tensor([image]), torch.tensor([text]))
    assert matched[0].tolist() == pytest.approx(expected)


def test_one_text_is_matched_with_each_image() -> None:
    matched = match_bimodally(torch.eye(2), torch.tensor([[1.0, 0.0]]))
    assert matched.tolist() == [[2, 0], [1, 0]]


@pytest.mark.parametrize("query", QUERIES)
def test_logits_lie_within_one_over_the_temperature(query: str) -> None:
    matcher = make_matcher(query=query)
    with torch.inference_mode():
        logits = matcher(torch.randn(2, DIM, 3, 5) * 50, torch.randn(2, DIM))
    assert logits.shape == (2, 3, 5)
    assert logits.abs().max() <= 1 / 0.07 + 1e-3


def test_a_cell_that_is_the_text_reaches_the_highest_logit() -> None:
    matcher = make_matcher(visual_layers=0, bimodal=False)
    with torch.inference_mode():
        text = matcher.prompt(torch.zeros(1, DIM))
        dense = torch.stack([3 * text, -text], dim=-1)[:, :, None]
        assert matcher(dense, torch.zeros(1, DIM))[0, 0].tolist() == pytest.approx([14.2857, -14.2857])


def test_the_visual_prompt_starts_by_changing_almost_nothing() -> None:
    visual = make_matcher().visual_prompt
    assert visual is not None
    dense, text = torch.randn(2, DIM, 3, 5), torch.randn(2, DIM)
    with torch.inference_mode():
        change = (visual(dense, text) - dense).abs().max()
    assert visual.gate.tolist() == pytest.approx([1e-3] * DIM)
    assert 0 < change < 0.02


def test_the_visual_prompt_tells_each_cell_its_own() -> None:
    visual = make_matcher().visual_prompt
    assert visual is not None
    dense, text = torch.randn(1, DIM, 3, 5), torch.randn(1, DIM)
    with torch.inference_mode():
        visual.gate.fill_(1.0)
        mirrored = visual(dense.flip(3), text).flip(3)
        assert mirrored.numpy() == pytest.approx(visual(dense, text).numpy(), abs=1e-5)


def test_no_visual_layers_leave_the_visual_prompt_out() -> None:
    matcher = make_matcher(visual_layers=0)
    assert matcher.visual_prompt is None
    assert not [name for name in matcher.state_dict() if "visual" in name]


def test_a_prompt_that_is_conditioned_on_the_image_cannot_be_frozen() -> None:
    with pytest.raises(ValueError, match="conditioned on the image"):
        freeze_prompt(make_prompt(query="image"))


def test_the_phrase_of_the_published_model_fits_with_its_vectors() -> None:
    config = PRESETS["cr50"].model.prompts
    assert config is not None
    assert tokenize([config.phrase], config.text).shape[1] + 32 <= config.text.context_length
