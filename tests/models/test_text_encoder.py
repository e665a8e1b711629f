"""The text tower against open_clip's own, and how strings become tokens."""

from __future__ import annotations

import open_clip
import pytest
import torch
from open_clip.transformer import QuickGELU, TextTransformer
from torch import Tensor, nn

from stsearch.config import TextTowerConfig
from stsearch.models.text_encoder import ClipTextEncoder, tokenize

TOWER = TextTowerConfig(context_length=24, width=32, heads=4, layers=2)
CLIP = TextTowerConfig("clip", 49_408, context_length=77, width=32, heads=4, layers=1)
WORDS = ["open", "", "delicatessen 24", "café", "é" * 40]


def make_encoder(config: TextTowerConfig) -> ClipTextEncoder:
    torch.manual_seed(0)
    encoder = ClipTextEncoder(config, 20).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            if parameter.ndim == 1:  # a norm that scales by 1 hides being applied twice
                parameter.add_(0.3 * torch.randn_like(parameter))
    return encoder


def open_clips_own(encoder: ClipTextEncoder, activation: type[nn.Module]) -> TextTransformer:
    config = encoder.config
    tower = TextTransformer(
        context_length=config.context_length,
        vocab_size=config.vocab_size,
        width=config.width,
        heads=config.heads,
        layers=config.layers,
        output_dim=20,
        act_layer=activation,
    )
    tower.load_state_dict(encoder.tower.state_dict())
    return tower.eval()


def padded(tokens: Tensor, length: int) -> Tensor:
    return nn.functional.pad(tokens, (0, length - tokens.shape[1]))


@pytest.mark.parametrize("strings", [WORDS, WORDS[:1], ["a", "abc"]], ids=["cut", "one", "short"])
def test_the_encoder_equals_open_clips_own(strings: list[str]) -> None:
    encoder = make_encoder(TOWER)
    tokens = tokenize(strings, TOWER)
    with torch.inference_mode():
        own = open_clips_own(encoder, nn.GELU)(padded(tokens, TOWER.context_length))
        assert encoder(tokens).numpy() == pytest.approx(own.numpy(), abs=1e-5)


def test_quick_gelu_is_used_when_asked() -> None:
    quick = TextTowerConfig(context_length=24, width=32, heads=4, layers=2, quick_gelu=True)
    encoder, tokens = make_encoder(quick), tokenize(WORDS, quick)
    with torch.inference_mode():
        full = padded(tokens, quick.context_length)
        own = open_clips_own(encoder, QuickGELU)(full)
        other = open_clips_own(encoder, nn.GELU)(full)
        assert encoder(tokens).numpy() == pytest.approx(own.numpy(), abs=1e-5)
        assert (encoder(tokens) - other).abs().max() > 1e-4


def test_a_string_embeds_the_same_beside_longer_ones() -> None:
    encoder = make_encoder(TOWER)
    with torch.inference_mode():
        together = encoder(tokenize(["shop", "a longer string"], TOWER))
        alone = encoder(tokenize(["shop"], TOWER))
    assert together[0].numpy() == pytest.approx(alone[0].numpy(), abs=1e-5)


def test_strings_that_differ_in_order_embed_differently() -> None:
    encoder = make_encoder(TOWER)
    with torch.inference_mode():
        first, second = encoder(tokenize(["ab", "ba"], TOWER))
    assert (first - second).abs().max() > 1e-2


def test_tokens_given_as_vectors_embed_the_same() -> None:
    encoder = make_encoder(TOWER)
    tokens = tokenize(["open", "delicatessen"], TOWER)
    with torch.inference_mode():
        soft = encoder.encode_soft(encoder.embed_tokens(tokens), torch.tensor([5, 13]))
        assert soft.numpy() == pytest.approx(encoder(tokens).numpy(), abs=1e-6)


def test_what_stands_behind_the_end_token_does_not_count() -> None:
    encoder = make_encoder(TOWER)
    vectors = encoder.embed_tokens(tokenize(["open"], TOWER))
    with torch.inference_mode():
        longer = torch.cat([vectors, torch.randn(1, 3, 32)], dim=1)
        with_tail = encoder.encode_soft(longer, torch.tensor([5]))
        without = encoder.encode_soft(vectors, torch.tensor([5]))
    assert with_tail.numpy() == pytest.approx(without.numpy(), abs=1e-5)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        pytest.param("ab", [256, 97, 98, 257], id="two letters"),
        pytest.param("", [256, 257], id="empty"),
        pytest.param("é", [256, 0xC3, 0xA9, 257], id="two bytes a letter"),
        pytest.param("x" * 22, [256, *[120] * 22, 257], id="as long as the context"),
        pytest.param("x" * 23, [256, *[120] * 22, 257], id="one byte too long"),
    ],
)
def test_bytes_stand_between_start_and_end(text: str, tokens: list[int]) -> None:
    assert tokenize([text], TOWER).tolist() == [tokens]


def test_shorter_strings_are_padded_with_zeros() -> None:
    assert tokenize(["a", "abc"], TOWER).tolist() == [[256, 97, 257, 0, 0], [256, 97, 98, 99, 257]]


@pytest.mark.parametrize("config", [TOWER, CLIP], ids=["bytes", "clip"])
def test_tokens_are_int64_and_the_end_token_is_the_largest(config: TextTowerConfig) -> None:
    tokens = tokenize(["open"], config)
    assert tokens.dtype == torch.int64
    assert int(tokens[0, -1]) == int(tokens.max()) == config.vocab_size - 1


def test_clip_tokens_are_open_clips_own() -> None:
    texts = ["the pixels of many arbitrary-shape text instances.", "Café DELICATESSEN", "", "24/7 " * 40]
    tokens = tokenize(texts, CLIP)
    assert padded(tokens, 77).tolist() == open_clip.tokenize(texts).tolist()


def test_clip_tokens_are_no_wider_than_the_longest_text() -> None:
    assert tokenize(["open", "the open shop"], CLIP).shape == (2, 5)
