"""Losses as tables of known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stsearch.text.charset import edit_similarity
from stsearch.training.losses import (
    DetectionTargets,
    balanced_bce,
    contrastive_loss,
    ctc_loss,
    dice_loss,
    edit_similarities,
    matching_loss,
    misspell,
    similarity_loss,
    threshold_loss,
)

TARGET = torch.tensor([[[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]]])
CARE = torch.ones_like(TARGET)


def test_balanced_bce_is_small_for_a_perfect_map_and_large_for_an_inverted_one() -> None:
    sure = (TARGET * 2 - 1) * 10
    assert balanced_bce(sure, TARGET, CARE).item() < 1e-3
    assert balanced_bce(-sure, TARGET, CARE).item() > 9


def test_balanced_bce_takes_three_negatives_a_positive_the_hardest_first() -> None:
    logits = torch.tensor([[[10.0, -10, 5, 0, 0, 0, 0, -20]]])
    target = torch.tensor([[[1.0, 0, 0, 0, 0, 0, 0, 0]]])
    # With 8 columns the floor is 2 positives: 6 negatives of 7, all but the easiest.
    expected = (5.0067 + 4 * 0.6931) / 7
    assert balanced_bce(logits, target, CARE).item() == pytest.approx(expected, abs=1e-3)


def test_what_is_not_cared_for_costs_nothing() -> None:
    wrong = -(TARGET * 2 - 1) * 10
    assert balanced_bce(wrong, TARGET, 0 * CARE).item() == 0
    assert dice_loss(wrong.sigmoid(), TARGET, 0 * CARE).item() == 0


def test_dice_loss_lies_between_a_perfect_and_an_empty_map() -> None:
    assert dice_loss(TARGET, TARGET, CARE).item() == 0
    assert dice_loss(0 * TARGET, TARGET, CARE).item() == pytest.approx(2 / 3)


def test_threshold_loss_counts_only_the_surroundings_of_outlines() -> None:
    near = torch.tensor([[[1.0, 0, 0, 0, 0, 0, 0, 0]]])
    targets = DetectionTargets(TARGET, CARE, torch.full_like(TARGET, 0.7), near)
    assert threshold_loss(torch.zeros_like(TARGET), targets).item() == pytest.approx(0.2, abs=1e-4)


def test_edit_similarities_agree_with_the_scalar_definition() -> None:
    words, others = ["open", "shop"], ["opel", "stop", "x"]
    expected = [[edit_similarity(a, b) for b in others] for a in words]
    assert edit_similarities(words, others).numpy() == pytest.approx(np.array(expected))


def test_similarity_loss_is_zero_when_cosines_equal_their_targets() -> None:
    rows = torch.eye(3)
    assert similarity_loss(rows, rows, torch.eye(3), 1).item() == 0


def test_similarity_loss_averages_the_hardest_pairs_of_each_row() -> None:
    left, right = torch.eye(2), torch.eye(2)
    target = torch.tensor([[0.0, 0.0], [0.0, 1.0]])  # one pair of four is wrong, by 1
    assert similarity_loss(left, right, target, 1).item() == pytest.approx(0.875 / 2)
    assert similarity_loss(left, right, target, 2).item() == pytest.approx(0.875 / 4)


def test_ctc_loss_is_near_zero_for_a_certain_correct_reading() -> None:
    logits = torch.nn.functional.one_hot(torch.tensor([[1, 0, 2, 0]]), 3).float() * 20
    assert ctc_loss(logits, [[1, 2]]).item() == pytest.approx(0, abs=1e-3)


def test_a_word_longer_than_its_frames_costs_nothing_instead_of_infinity() -> None:
    assert ctc_loss(torch.zeros(1, 2, 3), [[1, 2, 1]]).item() == 0


def test_misspelling_stays_near_and_never_empty() -> None:
    random = np.random.default_rng(0)
    words = [misspell("coffee", random) for _ in range(200)]
    assert 0.5 < np.mean([edit_similarity("coffee", word) for word in words]) < 0.85
    assert all(misspell("a", random) for _ in range(50))


def maps_of(kernel: torch.Tensor, care: torch.Tensor) -> DetectionTargets:
    return DetectionTargets(kernel, care, torch.zeros_like(kernel), torch.zeros_like(kernel))


def kernel_at(*cells: tuple[int, int]) -> torch.Tensor:
    """Return a (1, 8, 16) map, 1 at the given cells: 2 by 4 blocks of 4 by 4 of them make a text map."""
    kernel = torch.zeros(1, 8, 16)
    for row, column in cells:
        kernel[0, row, column] = 1
    return kernel


def test_matching_loss_is_small_for_a_perfect_map_and_large_for_an_inverted_one() -> None:
    kernel = kernel_at((1, 1), (1, 2), (6, 13))
    sure = torch.tensor([[[10.0, -10, -10, -10], [-10, -10, -10, 10]]])
    targets = maps_of(kernel, torch.ones_like(kernel))
    assert matching_loss(sure, targets).item() < 1e-3
    assert matching_loss(-sure, targets).item() > 9


def test_one_kernel_cell_makes_its_block_text() -> None:
    kernel = kernel_at((7, 4))  # the lower left corner of block (1, 1)
    sure = torch.full((1, 2, 4), -10.0)
    assert matching_loss(sure, maps_of(kernel, torch.ones_like(kernel))).item() > 1
    sure[0, 1, 1] = 10
    assert matching_loss(sure, maps_of(kernel, torch.ones_like(kernel))).item() < 1e-3


def test_a_block_with_an_ignored_cell_does_not_count() -> None:
    kernel, care = kernel_at((1, 1)), torch.ones(1, 8, 16)
    care[0, 4, 8] = 0  # in block (1, 2)
    sure = torch.tensor([[[10.0, -10, -10, -10], [-10, -10, 10, -10]]])
    assert matching_loss(sure, maps_of(kernel, care)).item() < 1e-3


def test_a_block_with_a_kernel_counts_though_a_cell_is_ignored() -> None:
    kernel, care = kernel_at((1, 1)), torch.ones(1, 8, 16)
    care[0, 3, 3] = 0
    assert matching_loss(torch.full((1, 2, 4), -10.0), maps_of(kernel, care)).item() > 1


def test_a_map_of_which_nothing_counts_costs_nothing() -> None:
    kernel = torch.zeros(1, 8, 16)
    assert matching_loss(torch.full((1, 2, 4), 10.0), maps_of(kernel, kernel)).item() == 0


def equal(strings: str) -> torch.Tensor:
    return torch.tensor([[a == b for b in strings] for a in strings])


def test_contrastive_loss_is_near_zero_when_each_picture_is_nearest_to_its_string() -> None:
    rows = torch.eye(3) * 5  # length does not count
    assert contrastive_loss(rows, torch.eye(3), equal("abc"), 0.01).item() == pytest.approx(0, abs=1e-3)
    assert contrastive_loss(rows, rows.roll(1, 0), equal("abc"), 0.01).item() > 50


def test_embeddings_that_are_all_the_same_cost_the_logarithm_of_their_number() -> None:
    same = torch.ones(4, 8)
    assert contrastive_loss(same, same, equal("abcd"), 0.07).item() == pytest.approx(1.3863, abs=1e-4)


def test_equal_strings_can_be_exchanged() -> None:
    images, texts = torch.eye(3), torch.tensor([[1.0, 0.2, 0], [0.3, 1, 0.1], [0, 0.4, 1]])
    strings = equal("oso")
    before = contrastive_loss(images, texts, strings, 0.07).item()
    assert contrastive_loss(images, texts[[2, 1, 0]], strings, 0.07).item() == pytest.approx(before)
    assert contrastive_loss(images, texts[[1, 0, 2]], strings, 0.07).item() != pytest.approx(before)


def test_equal_strings_share_the_match() -> None:
    rows = torch.tensor([[1.0, 0], [1, 0], [0, 1]])
    assert contrastive_loss(rows, rows, equal("aab"), 0.01).item() == pytest.approx(0.4621, abs=1e-4)


def test_contrastive_loss_takes_pictures_and_strings_alike() -> None:
    images, texts = torch.eye(3)[:, :2] + 0.1, torch.eye(3)[:, 1:] + 0.2
    one = contrastive_loss(images, texts, equal("aba"), 0.2)
    assert one.item() == pytest.approx(contrastive_loss(texts, images, equal("aba"), 0.2).item())
