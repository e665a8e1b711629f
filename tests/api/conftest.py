"""A gallery of signs, and weights that need no network."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from gallery_fixtures import (
    MODEL,
    ColourSpotter,
    LetterEncoder,
    make_gallery,
)


@pytest.fixture
def letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all weights be those of the letter model."""
    monkeypatch.setattr(
        "stsearch.spotting.load.load_spotter",
        lambda _name, _device, reads, _engine: ColourSpotter(MODEL, reads),
    )
    monkeypatch.setattr("stsearch.search.query_encoder.load_query_encoder", lambda _: LetterEncoder(MODEL))
    monkeypatch.setattr("stsearch.weights.card.check_weights", lambda name: SimpleNamespace(info=MODEL))


@pytest.fixture
def signs(tmp_path: Path, letters: None, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of two photographs that are indexed."""
    monkeypatch.setattr("stsearch.weights.card.find_by_sha256", lambda sha256, name: name)
    (tmp_path / "signs").mkdir()
    make_gallery(tmp_path / "signs", {"a.jpg": ["Coffee", "Bar"], "b.jpg": ["bakery"]}).close()
    return tmp_path / "signs"
