"""The galleries that the contract is kept by: one in a folder, which is the oracle, and one in PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from contract_fixtures import Create
from gallery_fixtures import MODEL

from stsearch.gallery.access import create_gallery
from stsearch.gallery.address import Address, DatabaseUrl
from stsearch.gallery.protocol import WritableGallery
from stsearch.types import ModelInfo


@pytest.fixture(params=["folder", "postgresql"])
def address(request: pytest.FixtureRequest, photos: Path) -> Address:
    """Return where the gallery of ``photos`` is."""
    if request.param == "folder":
        return photos / ".stsearch"
    found = request.getfixturevalue("database")
    assert isinstance(found, DatabaseUrl)
    return found


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    return folder


@pytest.fixture
def create(address: Address, photos: Path) -> Iterator[Create]:
    with ExitStack() as stack:

        def open_to_write(
            model: ModelInfo = MODEL, reread: bool = False, moved: bool = False
        ) -> WritableGallery:
            return stack.enter_context(create_gallery(address, photos, model, reread=reread, moved=moved))

        yield open_to_write


@pytest.fixture
def gallery(create: Create) -> WritableGallery:
    """Return an empty gallery, open for indexing ``photos``."""
    return create()
