"""padding.py: the least multiple that is long enough."""

from __future__ import annotations

import pytest
import torch

from stsearch.models.layers import pad_indices
from stsearch.padding import pad_to_multiple


@pytest.mark.parametrize(
    ("length", "multiple", "padded"),
    [
        pytest.param(0, 8, 0, id="nothing stays nothing"),
        pytest.param(1, 8, 8, id="one"),
        pytest.param(8, 8, 8, id="a multiple stays"),
        pytest.param(9, 8, 16, id="one more"),
        pytest.param(5, 1, 5, id="of one"),
    ],
)
def test_a_length_is_padded_to_the_next_multiple(length: int, multiple: int, padded: int) -> None:
    assert pad_to_multiple(length, multiple) == padded


def test_padded_indices_repeat_the_first_rows() -> None:
    assert pad_indices(3, 4, torch.device("cpu")).tolist() == [0, 1, 2, 0]
    assert pad_indices(2, 5, torch.device("cpu")).tolist() == [0, 1, 0, 1, 0]
