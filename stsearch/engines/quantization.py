"""Graphs in 8 bits, from graphs in float32: post-training quantization.

Source: Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference. Weights are signed bytes with a scale for each channel, activations
unsigned bytes with one scale each, measured on real inputs. Weights have 7 bits: without VNNI, products of
bytes are added in pairs in 16 bits, which would saturate.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stsearch.engines.graphs import Feed

_WITH_WEIGHTS = ("Conv", "ConvTranspose", "MatMul", "Gemm")
_STEMS = ("/backbone/conv", "/image/conv1/conv1.0/", "/image/conv1/conv1.1/")
"""The first convolutions of the two image towers, by the names of their nodes."""
_LEVELS = 255  # steps above the lowest value of an unsigned byte
_SAMPLES = 5_000  # values of an activation that are recorded for each input

Overrides = dict[str, list[dict[str, np.float32]]]


def quantize_graph(path: Path, feeds: Sequence[Feed], to: Path) -> None:
    """Write the graph at ``path``, its weights and what they are multiplied with in 8 bits, to ``to``.

    Results stay in float32: rounding them would cost a runtime several passes over each, and accuracy.

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
            extra_options={
                "TensorQuantOverrides": _activation_ranges(model, nodes, feeds),
                "OpTypesToExcludeOutputQuantization": list(_WITH_WEIGHTS),
            },
        )
    prepared.unlink()


def _nodes_to_quantize(model: Any) -> list[Any]:  # Any: an onnx.ModelProto and its nodes, which have no types
    """Return the nodes that compute in bytes.

    Convolutions and matrix products with weights; not the products of attention, nor recurrent networks, nor
    the stem: its rounding errors would reach every other layer.
    """
    nodes = model.graph.node
    constants = {each.name for each in model.graph.initializer}
    constants |= {node.output[0] for node in nodes if node.op_type == "Constant"}
    return [
        node
        for node in nodes
        if node.op_type in _WITH_WEIGHTS and node.input[1] in constants and not node.name.startswith(_STEMS)
    ]


def _activation_ranges(model: Any, nodes: Sequence[Any], feeds: Sequence[Feed]) -> Overrides:  # Any: as above
    """Return the range of every activation that goes into ``nodes``.

    Each is the one that rounds the activation with the least squared error; a few values lie outside.
    """
    import onnx
    import onnxruntime

    constants = {each.name for each in model.graph.initializer}
    wanted = {name for node in nodes for name in node.input} - constants - {""}
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
