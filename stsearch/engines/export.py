"""From a trained network to the graphs that CPUs run: ONNX files, in float32."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stsearch.engines.graphs import CROPS, DECODER, REGIONS, SCENE, STRINGS
from stsearch.engines.torch_engine import fold_batch_norms
from stsearch.errors import UsageError
from stsearch.models.permuted_decoder import PermutedDecoder
from stsearch.models.recognizer import Recognizer
from stsearch.models.scene_text import SceneTextModel, freeze_prompts

_OPSET = 17
_WITH_WEIGHTS = ("Conv", "ConvTranspose", "MatMul", "Gemm")

_STEMS = ("/backbone/conv", "/image/conv1")
"""The first convolutions of the two image towers, by the names of their nodes."""
_LEVELS = 255  # steps above the lowest value of an unsigned byte
_LARGE = 4_096  # numbers; constants of more are kept in float16, as the weights themselves are
_SAMPLES = 5_000  # values of an activation that are recorded for each input

Axes = dict[str, dict[int, str]]
Overrides = dict[str, list[dict[str, np.float32]]]


class _SceneGraph(nn.Module):
    def __init__(self, model: SceneTextModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Return text probabilities, the close-up map if there is one, and P2..P5, of (B, H, W, 3) uint8.

        The levels have their channels last.
        """
        levels = self.model.features(images.permute(0, 3, 1, 2)).levels
        maps = self.model.detect(levels)
        found = [maps.probability.sigmoid()]
        if self.model.config.close_ups is not None:
            found.append(self.model.map_close_ups(levels, maps).sigmoid())
        return *found, *(level.permute(0, 2, 3, 1) for level in levels)


class _RegionGraph(nn.Module):
    def __init__(self, model: SceneTextModel) -> None:
        super().__init__()
        self.embedder = model.image_embedder

    def forward(self, regions: Tensor) -> tuple[Tensor, Tensor]:
        """Return embeddings and CTC logits of (R, rows, K, C) features."""
        readings = self.embedder(regions.permute(0, 3, 1, 2))
        return readings.embeddings, readings.logits


class _CropGraph(nn.Module):
    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__()
        self.recognizer = copy.deepcopy(recognizer)
        _convolve(self.recognizer.image.tower.transformer)
        _convolve(self.recognizer.visual.image_attention)

    def forward(self, crops: Tensor) -> tuple[Tensor, ...]:
        """Return the decoder's memory, CTC and orientation logits of (N, H, W, 3) uint8."""
        features = self.recognizer.features(crops.permute(0, 3, 1, 2))
        keys, values = self.recognizer.visual.memory(features)
        return (
            keys,
            values,
            self.recognizer.ctc_logits(features),
            self.recognizer.orientation_logits(features),
        )


class _LinearOverTokens(nn.Module):
    """A linear layer over the tokens of a crop, as a convolution.

    OpenVINO convolves bytes 3 times as fast as it multiplies matrices of them on CPUs without VNNI, where
    matrices of floats would be faster, too.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight.detach()[:, :, None])
        self.bias = None if bias is None else nn.Parameter(bias.detach())

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (N, M, outputs) for (N, M, inputs)."""
        return F.conv1d(tokens.transpose(1, 2), self.weight, self.bias).transpose(1, 2)


class _AttentionOverTokens(nn.Module):
    def __init__(self, attention: nn.MultiheadAttention) -> None:
        super().__init__()
        assert attention.in_proj_weight is not None
        self.heads = attention.num_heads
        self.inputs = _LinearOverTokens(attention.in_proj_weight, attention.in_proj_bias)
        self.outputs = _LinearOverTokens(attention.out_proj.weight, attention.out_proj.bias)

    def forward(self, tokens: Tensor, *_: Tensor, **__: object) -> tuple[Tensor, None]:
        """Return (N, M, D) for (N, M, D), as ``nn.MultiheadAttention`` does with itself as key and value."""
        parts = self.inputs(tokens).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(parts[0], parts[1], parts[2])
        return self.outputs(mixed.transpose(1, 2).flatten(2)), None


def _convolve(module: nn.Module) -> None:
    """Put convolutions in the place of the linear layers in ``module``, which all take (N, M, D)."""
    for name, child in module.named_children():
        if isinstance(child, nn.MultiheadAttention):
            setattr(module, name, _AttentionOverTokens(child))
        elif isinstance(child, nn.Linear):
            setattr(module, name, _LinearOverTokens(child.weight, child.bias))
        else:
            _convolve(child)


class _DecoderGraph(nn.Module):
    def __init__(self, decoder: PermutedDecoder) -> None:
        super().__init__()
        self.decoder = decoder

    def forward(
        self,
        tokens: Tensor,
        places: Tensor,
        allowed: Tensor,
        keys: Tensor,
        values: Tensor,
        context_keys: Tensor,
        context_values: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits of (L,) ``places``, and what the (N, L) ``tokens`` there add to the context."""
        added = self.decoder.context(tokens, places)
        context = torch.cat([context_keys, added[0]], dim=2), torch.cat([context_values, added[1]], dim=2)
        return self.decoder((keys, values), context, places, allowed), *added


class _StringGraph(nn.Module):
    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__()
        self.model = recognizer.character_lm

    def forward(self, classes: Tensor) -> Tensor:
        """Return (N, L, V) logits of the next character for (N, L) classes."""
        assert self.model is not None
        logits: Tensor = self.model.next_logits(classes)
        return logits


def export_graphs(model: SceneTextModel, folder: Path) -> list[Path]:
    """Write the graphs of ``model``, in float32, to ``folder``; return their files.

    Raises:
        UsageError: it has a part that no graph is made of.
    """
    if model.matcher is not None and model.config.prompts is not None and not model.config.prompts.frozen:
        raise UsageError(f"model {model.config.name}: only frozen prompts can be exported: measure it first")
    folded = fold_batch_norms(model).float().cpu()
    freeze_prompts(folded)
    rows, columns = model.config.embedder.region
    image = torch.zeros(2, 64, 96, 3, dtype=torch.uint8)
    regions = torch.zeros(3, rows, columns, model.config.neck_channels)
    maps: Axes = {"probability": {0: "B", 1: "h", 2: "w"}}
    if model.config.close_ups is not None:
        maps["close_ups"] = {0: "B", 2: "H5", 3: "W5"}
    maps |= {f"p{level}": {0: "B", 1: f"H{level}", 2: f"W{level}"} for level in (2, 3, 4, 5)}
    files = [
        _export(
            _SceneGraph(folded),
            {"images": image},
            {"images": {0: "B", 1: "H", 2: "W"}, **maps},
            folder / SCENE,
        ),
        _export(
            _RegionGraph(folded),
            {"regions": regions},
            {"regions": {0: "R"}, "embeddings": {0: "R"}, "logits": {0: "R"}},
            folder / REGIONS,
        ),
    ]
    return files if folded.recognizer is None else files + _export_recognizer(folded.recognizer, folder)


def _export_recognizer(recognizer: Recognizer, folder: Path) -> list[Path]:
    config = recognizer.config
    if recognizer.cross is not None or not config.autoregressive:
        raise UsageError("only recognizers of one branch that decode left to right can be exported")
    crops = torch.zeros(2, *config.size, 3, dtype=torch.uint8)
    keys, values, *_ = _CropGraph(recognizer)(crops)
    context = torch.zeros(2, config.decoder_heads, 3, config.output_dim // config.decoder_heads)
    count = {0: "N"}
    inputs = {
        "tokens": torch.zeros(2, 2, dtype=torch.int64),
        "places": torch.tensor([3, 4]),
        "allowed": torch.ones(2, 2, 5, dtype=torch.bool),
        "keys": keys,
        "values": values,
        "context_keys": context,
        "context_values": context,
    }
    axes: Axes = {
        "tokens": {0: "N", 1: "L"},
        "places": {0: "L"},
        "allowed": {0: "N", 1: "L", 2: "J"},
        "keys": count,
        "values": count,
        "context_keys": {0: "N", 2: "C"},
        "context_values": {0: "N", 2: "C"},
        "logits": {0: "N", 1: "L"},
        "added_keys": {0: "N", 2: "L"},
        "added_values": {0: "N", 2: "L"},
    }
    outputs: Axes = {
        "crops": count,
        "keys": count,
        "values": count,
        "ctc_logits": count,
        "orientation": count,
    }
    files = [
        _export(_CropGraph(recognizer), {"crops": crops}, outputs, folder / CROPS),
        _export(_DecoderGraph(recognizer.visual), inputs, axes, folder / DECODER),
    ]
    if recognizer.character_lm is not None:
        classes = torch.zeros(2, 3, dtype=torch.int64)
        string_axes: Axes = {"classes": {0: "N", 1: "L"}, "logits": {0: "N", 1: "L"}}
        files.append(_export(_StringGraph(recognizer), {"classes": classes}, string_axes, folder / STRINGS))
    return files


@torch.no_grad()
def _export(graph: nn.Module, inputs: Mapping[str, Tensor], axes: Axes, path: Path) -> Path:
    """Write ``graph`` to ``path``; ``axes`` names the dynamic dimensions of inputs, then of outputs."""
    fast_path = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # its fused operator has no counterpart in ONNX
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the tracer, about sizes that it takes for constants
            torch.onnx.export(
                graph.eval(),
                tuple(inputs.values()),
                str(path),
                input_names=list(inputs),
                output_names=[name for name in axes if name not in inputs],
                dynamic_axes=axes,
                opset_version=_OPSET,
                dynamo=False,
            )
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
    return path


def halve_constants(path: Path, to: Path) -> None:
    """Write the graph at ``path`` to ``to``, its large constants in float16; runtimes widen them once."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path))
    large = [
        each
        for each in model.graph.initializer
        if each.data_type == onnx.TensorProto.FLOAT and numpy_helper.to_array(each).size >= _LARGE
    ]
    for constant in large:
        half = numpy_helper.from_array(
            numpy_helper.to_array(constant).astype(np.float16), f"{constant.name}/float16"
        )
        widen = onnx.helper.make_node("Cast", [half.name], [constant.name], to=onnx.TensorProto.FLOAT)
        model.graph.initializer.remove(constant)
        model.graph.initializer.append(half)
        model.graph.node.insert(0, widen)
    onnx.save(model, str(to))
