"""From a name or folder of weights to what finds and reads words."""

from __future__ import annotations

from stsearch.engines.torch_engine import fold_batch_norms, make_fast
from stsearch.spotting.recognition import RecognizerRunner
from stsearch.spotting.spotter import Spotter
from stsearch.weights.io import load_model, load_recognizer


def load_spotter(name_or_path: str = "tiny", device: str = "auto", reads: bool = True) -> Spotter:
    """Load everything that finds, embeds and reads words in photographs.

    Args:
        name_or_path: Of the weights.
        device: auto, cpu or cuda[:N].
        reads: Whether the recognizer reads what is found; without it transcripts are rougher.

    Raises:
        WeightsError, DeviceError: as :func:`load_model` does.
    """
    model, card = load_model(name_or_path, device)
    return Spotter(model, card.info, reads)


def load_recognizer_runner(name_or_path: str = "tiny", device: str = "auto") -> RecognizerRunner:
    """Load the recognizer alone, ready to read crops; raises as :func:`load_recognizer` does."""
    return RecognizerRunner(make_fast(fold_batch_norms(load_recognizer(name_or_path, device))))
