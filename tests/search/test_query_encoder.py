"""The query side in numpy: the same numbers as torch's, without torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stsearch.errors import WeightsError
from stsearch.models.scene_text import SceneTextModel
from stsearch.search.query_encoder import load_query_encoder
from stsearch.text.charset import Charset
from stsearch.weights.card import Card
from stsearch.weights.io import load_model, save_model


@pytest.fixture
def saved(micro_model: SceneTextModel, tmp_path: Path) -> Path:
    save_model(tmp_path / "micro", micro_model, Card(micro_model.config))
    return tmp_path / "micro"


@pytest.mark.parametrize("word", ["a", "dn", "coffee", "0123456789abcdefghijklmnopqrstuvwxyz"])
def test_a_word_is_embedded_as_by_the_whole_network(saved: Path, word: str) -> None:
    model, card = load_model(str(saved), "cpu")
    with torch.inference_mode():
        whole = model.embed_words([Charset(card.config.embedder.characters).encode(word)]).numpy()
    encoded = load_query_encoder(str(saved))([word])
    assert np.abs(encoded - whole).max() < 1e-5
    assert np.linalg.norm(encoded) == pytest.approx(1.0)


def test_words_together_are_embedded_as_alone(saved: Path) -> None:
    encoder = load_query_encoder(str(saved))
    together = encoder(["exit", "a", "coffee"])
    assert np.abs(together - np.concatenate([encoder([w]) for w in ("exit", "a", "coffee")])).max() < 1e-6


def test_queries_are_folded(saved: Path) -> None:
    encoder = load_query_encoder(str(saved))
    assert (encoder(["Caf\u00e9!"]) == encoder(["cafe"])).all()


def test_no_words_give_no_rows(saved: Path) -> None:
    assert load_query_encoder(str(saved))([]).shape == (0, 64)


def test_damaged_tensors_are_refused(saved: Path) -> None:
    path = saved / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="does not match the checksum"):
        load_query_encoder(str(saved))


def test_the_shipped_encoder_needs_no_torch() -> None:
    program = (
        "import sys; from stsearch.search.query_encoder import load_query_encoder; "
        "print(load_query_encoder('tiny')(['exit']).shape, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["(1,", "512)", "False"]
