"""Public CLIP weights, read through open_clip, as a start for the two towers of a network."""

from __future__ import annotations

import textwrap
import warnings
import zipfile
from pathlib import Path

import open_clip
from torch import Tensor, nn

from stsearch.errors import UsageError, WeightsError
from stsearch.models.prompts import TextPrompt
from stsearch.models.scene_text import SceneTextModel

OPENAI = "openai"
_TEXT_PARTS = ("token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection")


def load_clip(model: SceneTextModel, source: str) -> None:
    """Copy the towers of a CLIP into ``model``: the image tower, and the text tower where there is one.

    Args:
        model: Its ``backbone.clip_name`` says which CLIP fits.
        source: ``openai``, fetched by open_clip unless it has it already, or a checkpoint file: a state
            dictionary (.pt, .safetensors) or the archive that OpenAI publishes.

    Raises:
        UsageError: no public weights fit this model, or its configuration gave a tower other sizes.
        WeightsError: the weights cannot be had, or cannot be read.
    """
    name = model.config.backbone.clip_name
    if not name:
        raise UsageError(f"preset {model.config.name} has no public CLIP weights; use --preset cr50")
    clip = _fetch(name) if source == OPENAI else _read(name, Path(source).expanduser())
    trunk = model.backbone.trunk
    image = clip.visual.state_dict()
    if trunk.attnpool is None:
        image = {key: value for key, value in image.items() if not key.startswith("attnpool.")}
    _copy(image, trunk, f"the image tower of CLIP's {name} ({source})")
    if model.matcher is not None and isinstance(model.matcher.prompt, TextPrompt):
        text = {key: value for key, value in clip.state_dict().items() if key.startswith(_TEXT_PARTS)}
        _copy(text, model.matcher.prompt.encoder.tower, f"the text tower of CLIP's {name} ({source})")


def _fetch(name: str) -> open_clip.CLIP:
    try:
        return open_clip.create_model(name, pretrained=OPENAI, force_quick_gelu=True)
    except Exception as error:  # whatever the network, the hub's client and the cache can raise
        command = (
            f"import open_clip; "
            f"open_clip.create_model('{name}', pretrained='{OPENAI}', force_quick_gelu=True)"
        )
        raise WeightsError(
            f"CLIP's {name} cannot be fetched: {_reason(_innermost(error))}. On a machine with network run "
            f'python -c "{command}" and bring its ~/.cache/huggingface here, or download {name}.pt of '
            "OpenAI's CLIP and pass --clip-pretrained FILE"
        ) from error


def _read(name: str, path: Path) -> open_clip.CLIP:
    if not path.is_file():
        raise WeightsError(f"--clip-pretrained {path}: no such file; give one of CLIP's {name}, or {OPENAI}")
    file = str(path.absolute())  # a bare name could be one that open_clip knows, and it would download that
    try:
        with warnings.catch_warnings(action="ignore"):  # of torch, about formats that are not our choice
            if _is_torchscript(path):
                return open_clip.load_openai_model(file, precision="fp32", device="cpu")
            return open_clip.create_model(name, pretrained=file, force_quick_gelu=True)
    except Exception as error:  # torch and open_clip raise whatever a file of another kind makes them
        raise WeightsError(f"{path} is no checkpoint of CLIP's {name}: {_reason(error)}") from error


def _is_torchscript(path: Path) -> bool:
    """Whether ``path`` is an archive of a traced model, as OpenAI publishes them."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def _copy(state: dict[str, Tensor], tower: nn.Module, what: str) -> None:
    try:
        tower.load_state_dict(state)
    except RuntimeError as error:
        raise UsageError(
            f"{what} does not fit: {_reason(error)}; leave its numbers as the preset has them"
        ) from error


def _innermost(error: BaseException) -> BaseException:
    """Return what ``error`` began with: below open_clip's "failed" stands why."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error


def _reason(error: BaseException) -> str:
    """Return one line: the first sentence, without torch's advice to switch its safety off."""
    sentence = " ".join(str(error).split()).partition(". ")[0]
    return textwrap.shorten(f"{type(error).__name__}: {sentence}", 200, placeholder=" ...").rstrip(".: ")
