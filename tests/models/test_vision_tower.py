from __future__ import annotations

import dataclasses

import pytest
import torch

from stsearch.config import RecognizerConfig
from stsearch.models.vision_tower import VisionTower


@pytest.fixture
def images() -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randn(2, 3, 32, 128)


def test_the_class_token_is_open_clips_own_pooled_output(
    micro_recognizer_config: RecognizerConfig, images: torch.Tensor
) -> None:
    tower = VisionTower(dataclasses.replace(micro_recognizer_config, stem=(), patch=(16, 8))).eval()
    with torch.inference_mode():
        assert torch.allclose(tower(images)[:, 0], tower.tower(images), atol=1e-6)


def test_tokens_stand_row_by_row(micro_recognizer_config: RecognizerConfig, images: torch.Tensor) -> None:
    tower = VisionTower(dataclasses.replace(micro_recognizer_config, stem=(), patch=(16, 8), layers=0)).eval()
    changed = images.clone()
    changed[:, :, 16:, 8:16] += 1.0  # the second patch of the second row
    with torch.inference_mode():
        differs = (tower(images) - tower(changed)).abs().amax(dim=(0, 2)) > 1e-6
        columns = (
            (tower.pool_columns(tower(images)) - tower.pool_columns(tower(changed))).abs().amax(dim=(0, 2))
        )
    assert differs.nonzero().flatten().tolist() == [1 + 16 + 1]
    assert (columns > 1e-6).nonzero().flatten().tolist() == [1]


@pytest.mark.parametrize(("patch", "stem"), [((32, 4), (8, 8, 16, 16)), ((16, 4), (8,)), ((4, 8), (8, 8, 8))])
def test_a_stem_leaves_as_many_tokens_as_there_are_patches(
    micro_recognizer_config: RecognizerConfig,
    images: torch.Tensor,
    patch: tuple[int, int],
    stem: tuple[int, ...],
) -> None:
    tower = VisionTower(dataclasses.replace(micro_recognizer_config, stem=stem, patch=patch)).eval()
    count = 32 // patch[0] * 128 // patch[1]
    assert tower(images).shape == (2, 1 + count, 32)
