"""Public CLIP weights, read through open_clip, as a start for the towers of a network."""

from __future__ import annotations

import textwrap
import warnings
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import open_clip
from torch import Tensor, nn

from stsearch.errors import UsageError, WeightsError
from stsearch.models.prompts import TextPrompt
from stsearch.models.scene_text import SceneTextModel

OPENAI = "openai"
_TEXT_PARTS = ("token_embedding.", "positional_embedding", "transformer.", "ln_final.", "text_projection")


def load_clip(model: SceneTextModel, sources: Sequence[str]) -> None:
    """Copy the towers of CLIPs into ``model``: those of its backbone and prompts, and of its recognizer.

    Args:
        model: Its configuration names the CLIP that fits each part.
        sources: ``openai``, all that fit, fetched by open_clip unless it has them already; or checkpoint
            files: state dictionaries (.pt, .safetensors) or the archives that OpenAI publishes.

    Raises:
        UsageError: no public weights fit this model, or its configuration gave a tower other sizes.
        WeightsError: the weights cannot be had, or cannot be read.
    """
    fills = _fills(model)
    if not fills:
        raise UsageError(f"preset {model.config.name} has no public CLIP weights; use --preset cr50")
    for source in sources:
        if source == OPENAI:
            for name, fill in fills.items():
                fill(model, _fetch(name), f"CLIP's {name} ({source})")
        else:
            name, clip = _read(list(fills), Path(source).expanduser())
            fills[name](model, clip, f"CLIP's {name} ({source})")


Fill = Callable[[SceneTextModel, open_clip.CLIP, str], None]


def _fills(model: SceneTextModel) -> dict[str, Fill]:
    """Return what copies a CLIP into ``model``, by the name of the CLIP."""
    recognizer = model.config.recognizer
    named: dict[str, Fill] = {model.config.backbone.clip_name: _fill_detector}
    if recognizer is not None:
        named[recognizer.clip_name] = _fill_recognizer
    return {name: fill for name, fill in named.items() if name}


def _fill_detector(model: SceneTextModel, clip: open_clip.CLIP, what: str) -> None:
    trunk = model.backbone.trunk
    image = clip.visual.state_dict()
    if trunk.attnpool is None:
        image = {key: value for key, value in image.items() if not key.startswith("attnpool.")}
    _copy(image, trunk, f"the image tower of {what}")
    if model.matcher is not None and isinstance(model.matcher.prompt, TextPrompt):
        _copy(_text_side(clip), model.matcher.prompt.encoder.tower, f"the text tower of {what}")


def _fill_recognizer(model: SceneTextModel, clip: open_clip.CLIP, what: str) -> None:
    if model.recognizer is None:
        return
    _copy(clip.visual.state_dict(), model.recognizer.image.tower, f"the image tower of {what}")
    if model.recognizer.cross is None:
        return
    encoder, text = model.recognizer.cross.text, _text_side(clip)
    length = encoder.config.context_length  # words are short: CLIP4STR keeps 16 of 77 places
    text["positional_embedding"] = text["positional_embedding"][:length]
    _copy(text, encoder.tower, f"the text tower of {what}")


def _text_side(clip: open_clip.CLIP) -> dict[str, Tensor]:
    return {key: value for key, value in clip.state_dict().items() if key.startswith(_TEXT_PARTS)}


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


def _read(names: Sequence[str], path: Path) -> tuple[str, open_clip.CLIP]:
    """Read a checkpoint of one of ``names``; return which."""
    known = " or ".join(names)
    if not path.is_file():
        raise WeightsError(f"--clip-pretrained {path}: no such file; give one of CLIP's {known}, or {OPENAI}")
    errors = []
    for name in names:
        try:
            return name, _read_as(name, path)
        except Exception as error:  # noqa: BLE001 - torch and open_clip raise whatever a file of another kind makes them
            errors.append(error)
    reason = _reason(errors[0])
    raise WeightsError(f"{path} is no checkpoint of CLIP's {known}: {reason}") from errors[0]


def _read_as(name: str, path: Path) -> open_clip.CLIP:
    file = str(path.absolute())  # a bare name could be one that open_clip knows, and it would download that
    with warnings.catch_warnings(action="ignore"):  # of torch, about formats that are not our choice
        if not _is_torchscript(path):
            return open_clip.create_model(name, pretrained=file, force_quick_gelu=True)
        clip = open_clip.load_openai_model(file, precision="fp32", device="cpu")
    patches = bool((open_clip.get_model_config(name) or {})["vision_cfg"].get("patch_size"))
    if patches != hasattr(clip.visual, "class_embedding"):
        raise ValueError("the archive holds a CLIP of another kind")
    return clip


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
