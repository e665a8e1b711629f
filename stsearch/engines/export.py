"""From a trained network to the graphs that CPUs run: ONNX files, their weights and activations in 8 bits.

Post-training quantization (Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference): weights are signed bytes with a scale for each channel, activations
unsigned bytes with one scale each, measured on real inputs. Weights have 7 bits: without VNNI, products of
bytes are added in pairs in 16 bits, which would saturate.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from stsearch.engines.graphs import CROPS, DECODER, REGIONS, SCENE, STRINGS, Feed
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
        self.recognizer = recognizer

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


def quantize_graph(path: Path, feeds: Sequence[Feed], to: Path) -> None:
    """Write the graph at ``path`` with weights and activations in 8 bits to ``to``.

    Args:
        path: of a graph in float32.
        feeds: typical inputs, on which the ranges of activations are measured.
        to: the file to write.
    """
    import onnx
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class OneFeed(CalibrationDataReader):  # type: ignore[misc]  # untyped
        """Satisfies the library, which measures ranges of its own; all are overridden."""

        def __init__(self) -> None:
            self._feeds = iter(feeds[:1])

        def get_next(self) -> Feed | None:
            return next(self._feeds, None)

    prepared = path.with_suffix(".prepared")
    quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
    model = onnx.load(str(prepared))
    nodes = _nodes_to_quantize(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of ranges that it measures itself, such as those of attention masks
        quantize_static(
            str(prepared),
            str(to),
            OneFeed(),
            quant_format=QuantFormat.QDQ,
            nodes_to_quantize=[node.name for node in nodes],
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            extra_options={"TensorQuantOverrides": _activation_ranges(model, nodes, feeds)},
        )
    prepared.unlink()


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


def _nodes_to_quantize(model: Any) -> list[Any]:  # Any: an onnx.ModelProto and its nodes, which have no types
    """Return the nodes that compute in bytes.

    Convolutions, matrix products with weights, and sums of feature maps; not the products of attention, nor
    recurrent networks, nor the stem: its rounding errors would reach every other layer.
    """
    nodes = model.graph.node
    constants = {each.name for each in model.graph.initializer}
    constants |= {node.output[0] for node in nodes if node.op_type == "Constant"}
    has_weights = [node for node in nodes if node.op_type in _WITH_WEIGHTS and node.input[1] in constants]
    maps = {node.output[0] for node in nodes if node.op_type in ("Conv", "Relu", "Resize")}
    sums = [node for node in nodes if node.op_type == "Add" and maps.issuperset(node.input)]
    return [node for node in (*has_weights, *sums) if not node.name.startswith(_STEMS)]


def _activation_ranges(model: Any, nodes: Sequence[Any], feeds: Sequence[Feed]) -> Overrides:  # Any: as above
    """Return the range of every activation that goes into or comes out of ``nodes``.

    Each is the one that rounds the activation with the least squared error; a few values lie outside.
    """
    import onnx
    import onnxruntime

    constants = {each.name for each in model.graph.initializer}
    wanted = {name for node in nodes for name in (*node.input, *node.output)} - constants - {""}
    known = {each.name for each in (*model.graph.input, *model.graph.output)}
    model.graph.output.extend(
        onnx.helper.make_empty_tensor_value_info(name) for name in sorted(wanted - known)
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [each.name for each in session.get_outputs()]
    seen: dict[str, list[NDArray[np.float32]]] = {name: [] for name in names if name in wanted}
    for feed in feeds:
        for name, values in zip(names, session.run(None, feed), strict=True):
            if name in seen:
                flat = values.ravel()
                seen[name].append(flat[:: max(1, len(flat) // _SAMPLES)].copy())
    return {name: [_best_range(np.concatenate(values))] for name, values in seen.items()}


def _best_range(values: NDArray[np.float32]) -> dict[str, np.float32]:
    lowest, highest = min(float(values.min()), 0.0), max(float(values.max()), 1e-6)

    def error(share: float) -> float:
        step = (highest - lowest) * share / _LEVELS
        zero = round(-lowest * share / step)
        rounded = (np.clip(np.rint(values / step) + zero, 0, _LEVELS) - zero) * step
        return float(np.square(rounded - values).mean())

    best = min(np.linspace(0.1, 1, 37).tolist(), key=error)
    return {"rmin": np.float32(lowest * best), "rmax": np.float32(highest * best)}
