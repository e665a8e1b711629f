"""What tests of the contract of a gallery share."""

from __future__ import annotations

from typing import Protocol

from gallery_fixtures import MODEL

from stsearch.gallery.protocol import WritableGallery
from stsearch.types import ModelInfo


class Create(Protocol):
    """Opens the gallery of a test for indexing, as ``access.create_gallery`` does, until the test ends."""

    def __call__(
        self, model: ModelInfo = MODEL, reread: bool = False, moved: bool = False
    ) -> WritableGallery: ...
