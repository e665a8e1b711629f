"""What weights on disk say of themselves: card.json and checksums. Nothing here imports torch.

The card is the configuration: architecture, charset and preprocessing travel with the tensors.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stsearch.checksums import file_sha256
from stsearch.config import ModelConfig
from stsearch.dataclass_io import from_dict, parse_json
from stsearch.errors import StsearchError, WeightsError
from stsearch.types import ModelInfo

CARD_FORMAT = 1
CHECKSUM = "checksum"
"""The key under which a card has the checksum of all else that it says."""
MODEL_FILE, RECOGNIZER_FILE = "model.safetensors", "recognizer.safetensors"


@dataclass(frozen=True)
class Card:
    """What weights say of themselves."""

    config: ModelConfig
    sha256: str = ""  # of model.safetensors
    recognizer_sha256: str = ""  # of recognizer.safetensors; empty without a recognizer
    graphs: dict[str, str] = field(
        default_factory=dict
    )  # of files exported from these tensors, their SHA-256
    parameters: int = 0
    training: dict[str, Any] = field(default_factory=dict)  # Any: JSON; data, licences, seeds, steps
    metrics: dict[str, Any] = field(default_factory=dict)  # Any: JSON; figures with their protocol
    known_failures: list[str] = field(default_factory=list)
    format: int = CARD_FORMAT

    @property
    def info(self) -> ModelInfo:
        """What a gallery must know of these weights."""
        c = self.config
        dim = c.embedder.frames * c.embedder.frame_dim
        return ModelInfo(
            c.name,
            self.identity,
            c.embedder.characters,
            dim,
            c.longer_side,
            c.transcript_weight,
            c.likelihood_weight,
            c.calibration,
        )

    @property
    def identity(self) -> str:
        """One checksum of all tensors: that of the only file, or of the checksums of both."""
        both = self.sha256 + self.recognizer_sha256
        return hashlib.sha256(both.encode()).hexdigest() if self.recognizer_sha256 else self.sha256


def weights_folder() -> Path:
    """Return the folder of shipped weights: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    packed = package / "_weights"
    return packed if packed.is_dir() else package.parent / "weights"


def available() -> list[str]:
    """Return the names of the shipped weights."""
    return sorted(card.parent.name for card in weights_folder().glob("*/card.json"))


def find_weights(name_or_path: str) -> Path:
    """Return the folder of the weights called ``name_or_path``.

    Raises:
        WeightsError: there is no such name or folder; the message lists the names.
    """
    for folder in (weights_folder() / name_or_path, Path(name_or_path).expanduser()):
        if (folder / "card.json").is_file():
            return folder
    names = ", ".join(available()) or "none"
    raise WeightsError(
        f"no weights {name_or_path!r}: give a folder with a card.json, or a shipped name ({names})"
    )


def find_by_sha256(sha256: str, name: str) -> str:
    """Return the name of the installed weights with the checksum ``sha256``; those called ``name`` first.

    Raises:
        WeightsError: none are; the message says what is installed under that name.
    """
    names = available()
    for each in sorted(names, key=lambda each: each != name):
        if read_card(find_weights(each)).identity == sha256:
            return each
    installed = ", ".join(names) or "none"
    raise WeightsError(
        f"the weights {name} (sha256 {sha256[:12]}) are not installed, only: {installed};"
        " give their folder with --model (in Python: model=)"
    )


def card_checksum(values: Mapping[str, Any]) -> str:  # Any: JSON
    """Return the SHA-256 of what a card says, whatever its line breaks and the order of its keys."""
    said = {name: value for name, value in values.items() if name != CHECKSUM}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def read_card(folder: Path) -> Card:
    """Read ``folder``/card.json, and compare it with its checksum; a card of before there was one has none.

    Raises:
        WeightsError: the card is damaged or was changed, or was written by a newer version.
    """
    path = folder / "card.json"
    try:
        values = parse_json(path.read_text(encoding="utf-8"))
        if values.get("format") != CARD_FORMAT:
            raise WeightsError(
                f"{path} has format {values.get('format')!r}, this version reads {CARD_FORMAT}: upgrade"
            )
        if values.pop(CHECKSUM, None) not in (None, card_checksum(values)):
            raise WeightsError(
                f"{path} does not match its checksum: it is damaged, then install the weights again, or was"
                f" changed; if you did so on purpose, take the line {CHECKSUM!r} out of it"
            )
        config = from_dict(ModelConfig, values.pop("config"), f"{path}: config")
        return Card(config=config, **values)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path} is damaged ({error}); install the weights again") from error
    except WeightsError:
        raise
    except StsearchError as error:
        raise WeightsError(str(error)) from error


def weight_files(folder: Path, card: Card) -> dict[Path, str]:
    """Return the files of tensors and graphs in ``folder``, each with the SHA-256 of ``card``."""
    files = {folder / MODEL_FILE: card.sha256}
    if card.recognizer_sha256:
        files[folder / RECOGNIZER_FILE] = card.recognizer_sha256
    return files | {folder / name: sha256 for name, sha256 in card.graphs.items()}


def check_weights(name_or_path: str) -> Card:
    """Return the card of weights once their files are known to be whole.

    Raises:
        WeightsError: they are missing or damaged.
    """
    folder = find_weights(name_or_path)
    card = read_card(folder)
    for path, sha256 in weight_files(folder, card).items():
        checked(path, sha256)
    return card


def checked(path: Path, sha256: str) -> Path:
    """Return the file of tensors at ``path`` once it is known to be whole.

    Raises:
        WeightsError: it is missing or damaged.
    """
    if not path.is_file():
        raise WeightsError(f"{path} is missing; install the weights again")
    if file_sha256(path) != sha256:
        raise WeightsError(f"{path} does not match the checksum in its card: it is damaged or was exchanged")
    return path
