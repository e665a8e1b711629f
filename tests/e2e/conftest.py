"""What the tests that run the program share."""

from __future__ import annotations

from pathlib import Path

import pytest
from gallery_fixtures import photo_bytes


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of three photographs, each of a word and named after it."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number, word in enumerate(("coffee", "exit", "hotel")):
        (folder / f"{word}.png").write_bytes(photo_bytes(word, blue=number))
    return folder
