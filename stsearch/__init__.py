"""Find photographs by the words that can be read in them.

The public names load on first use, so ``import stsearch`` costs nothing and does not import torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stsearch.gallery.gallery import Gallery
    from stsearch.search.engine import Hit
    from stsearch.search.query import Query
    from stsearch.search.query_encoder import load_query_encoder
    from stsearch.spotting.load import load_spotter
    from stsearch.spotting.spotter import Spotter
    from stsearch.types import TextInstance

__version__ = "0.1.0"

__all__ = [
    "Gallery",
    "Hit",
    "Query",
    "Spotter",
    "TextInstance",
    "__version__",
    "load_query_encoder",
    "load_spotter",
]

_HOME = {
    "Gallery": "stsearch.gallery.gallery",
    "Hit": "stsearch.search.engine",
    "Query": "stsearch.search.query",
    "Spotter": "stsearch.spotting.spotter",
    "TextInstance": "stsearch.types",
    "load_query_encoder": "stsearch.search.query_encoder",
    "load_spotter": "stsearch.spotting.load",
}


def __getattr__(name: str) -> object:
    """Import a public name from its module, the first time somebody asks for it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return __all__
