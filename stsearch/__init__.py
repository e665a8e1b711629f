"""Find photographs by the words that can be read in them.

>>> import stsearch
>>> photos = stsearch.index("photos", progress=True)  # doctest: +SKIP
>>> for hit in photos.search("garden", top=5):  # doctest: +SKIP
...     print(hit.score, hit.transcript, hit.path)

The public names load on first use, so ``import stsearch`` costs nothing and does not import torch.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # importing typing would take most of the time until Ctrl-C is answered quietly
if TYPE_CHECKING:
    from stsearch.api.jobs import evaluate, evaluate_words, index, train
    from stsearch.api.model import ImageQuery, Model, available_models, load
    from stsearch.api.photos import Photos, open
    from stsearch.errors import StsearchError
    from stsearch.geometry.polygons import rectify, word_size
    from stsearch.images import read_image
    from stsearch.search.hits import Hit, Match
    from stsearch.search.query import Query
    from stsearch.synth.renderer import Renderer, load_assets
    from stsearch.synth.writer import scene_record
    from stsearch.training.options import TrainOptions
    from stsearch.types import TextInstance

__version__ = "0.1.0"

_HOME = {
    "Hit": "stsearch.search.hits",
    "ImageQuery": "stsearch.api.model",
    "Match": "stsearch.search.hits",
    "Model": "stsearch.api.model",
    "Photos": "stsearch.api.photos",
    "Query": "stsearch.search.query",
    "Renderer": "stsearch.synth.renderer",
    "StsearchError": "stsearch.errors",
    "TextInstance": "stsearch.types",
    "TrainOptions": "stsearch.training.options",
    "available_models": "stsearch.api.model",
    "evaluate": "stsearch.api.jobs",
    "evaluate_words": "stsearch.api.jobs",
    "index": "stsearch.api.jobs",
    "load": "stsearch.api.model",
    "load_assets": "stsearch.synth.renderer",
    "open": "stsearch.api.photos",
    "read_image": "stsearch.images",
    "rectify": "stsearch.geometry.polygons",
    "scene_record": "stsearch.synth.writer",
    "train": "stsearch.api.jobs",
    "word_size": "stsearch.geometry.polygons",
}

__all__ = [
    "Hit",
    "ImageQuery",
    "Match",
    "Model",
    "Photos",
    "Query",
    "Renderer",
    "StsearchError",
    "TextInstance",
    "TrainOptions",
    "__version__",
    "available_models",
    "evaluate",
    "evaluate_words",
    "index",
    "load",
    "load_assets",
    "open",
    "read_image",
    "rectify",
    "scene_record",
    "train",
    "word_size",
]


def __getattr__(name: str) -> object:
    """Import a public name from its module, the first time somebody asks for it."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    """List the public names, imported or not."""
    return __all__
