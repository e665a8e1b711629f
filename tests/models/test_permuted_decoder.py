from __future__ import annotations

import numpy as np
import pytest
import torch

from stsearch.models.permuted_decoder import Attention, PermutedDecoder, draw_orders, make_attention_mask

CLASSES, DIM, LENGTH = 11, 16, 6


@pytest.fixture
def decoder() -> PermutedDecoder:
    torch.manual_seed(0)
    return PermutedDecoder(CLASSES, DIM, heads=2, max_length=LENGTH - 1, dropout=0.1).eval()


def spell(decoder: PermutedDecoder, words: list[list[int]], ranks: np.ndarray) -> torch.Tensor:
    """Return logits (B, K, L, V) of ``words``, padded with 0, in the orders of ``ranks``."""
    torch.manual_seed(1)
    memory = decoder.memory(torch.randn(1, 5, DIM).expand(len(words), -1, -1))
    inputs = torch.tensor([[decoder.start, *word][: ranks.shape[1]] for word in words])
    places = torch.arange(ranks.shape[1]).repeat(len(ranks))
    allowed = torch.from_numpy(make_attention_mask(ranks))[None]
    logits = decoder(memory, decoder.context(inputs), places, allowed)
    return torch.reshape(logits, (len(words), *ranks.shape, CLASSES)).detach()


def test_orders_begin_with_both_directions_and_come_in_mirrored_pairs() -> None:
    ranks = draw_orders(5, 6, np.random.default_rng(0))
    assert ranks[:2].tolist() == [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0]]
    assert (ranks[2] + ranks[3] == 4).all()
    assert (ranks[4] + ranks[5] == 4).all()
    assert [sorted(order) for order in ranks.tolist()] == [[0, 1, 2, 3, 4]] * 6


def test_an_order_shows_each_position_the_start_and_what_was_spelled_before_it() -> None:
    order = np.array([[1, 2, 0]])  # the third character first, then the first, then the second
    assert make_attention_mask(order).tolist() == [
        [True, False, False],
        [True, True, False],
        [True, False, False],
    ]


def test_left_to_right_a_character_depends_on_those_before_it_alone(decoder: PermutedDecoder) -> None:
    natural = np.arange(LENGTH)[None]
    one, other = spell(decoder, [[1, 2, 3, 4, 5], [1, 2, 3, 9, 9]], natural)
    assert torch.allclose(one[0, :4], other[0, :4], atol=1e-6)
    assert not torch.allclose(one[0, 4], other[0, 4])


def test_right_to_left_a_character_depends_on_those_after_it_alone(decoder: PermutedDecoder) -> None:
    backwards = np.arange(LENGTH)[None, ::-1].copy()
    one, other = spell(decoder, [[1, 2, 3, 4, 5], [9, 9, 3, 4, 5]], backwards)
    assert torch.allclose(one[0, 2:], other[0, 2:], atol=1e-6)
    assert not torch.allclose(one[0, 0], other[0, 0])


def test_orders_asked_together_answer_as_they_do_alone(decoder: PermutedDecoder) -> None:
    ranks = draw_orders(LENGTH, 4, np.random.default_rng(0))
    together = spell(decoder, [[1, 2, 3, 4, 5]], ranks)
    alone = torch.cat([spell(decoder, [[1, 2, 3, 4, 5]], ranks[k : k + 1]) for k in range(4)], dim=1)
    assert torch.allclose(together, alone, atol=1e-6)


def test_context_grows_a_character_at_a_time_to_what_it_is_at_once(decoder: PermutedDecoder) -> None:
    tokens = torch.tensor([[decoder.start, 3, 1, 2]])
    whole = decoder.context(tokens)
    steps = [decoder.context(tokens[:, i : i + 1], torch.tensor([i])) for i in range(4)]
    for part in (0, 1):
        assert torch.allclose(whole[part], torch.cat([step[part] for step in steps], dim=2), atol=1e-6)


def test_the_same_characters_elsewhere_are_another_context(decoder: PermutedDecoder) -> None:
    one, other = (decoder.context(torch.tensor([[decoder.start, *word]]))[0] for word in ([1, 2], [2, 1]))
    assert not torch.allclose(one.sum(dim=2), other.sum(dim=2))


def test_attention_equals_torchs_own() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(DIM, 4), torch.nn.MultiheadAttention(DIM, 4, batch_first=True)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([ours.to_queries.weight, ours.to_keys_values.weight]))
        theirs.in_proj_bias.copy_(torch.cat([ours.to_queries.bias, ours.to_keys_values.bias]))
        theirs.out_proj.weight.copy_(ours.out.weight)
        theirs.out_proj.bias.copy_(ours.out.bias)
    queries, states = torch.randn(2, 3, DIM), torch.randn(2, 5, DIM)
    allowed = torch.rand(2, 3, 5) > 0.4
    allowed[..., 0] = True
    expected, _ = theirs(queries, states, states, attn_mask=~allowed.repeat_interleave(4, dim=0))
    assert torch.allclose(ours(queries, ours.keys_values(states), allowed), expected, atol=1e-6)
