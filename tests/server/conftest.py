"""What the tests of the server share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from server_fixtures import client_of, make_photos, use_letters
from starlette.testclient import TestClient


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without weights."""
    use_letters(monkeypatch)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Return a folder of indexed photographs."""
    return make_photos(tmp_path / "photos")


@pytest.fixture
def client(photos: Path) -> Iterator[TestClient]:
    """Return a client of a server of these photographs."""
    with client_of(photos) as client:
        yield client
