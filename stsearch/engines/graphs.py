"""Exported graphs and the two libraries that run them: OpenVINO and ONNX Runtime."""

from __future__ import annotations

import functools
import importlib.util
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from stsearch.errors import UsageError

SCENE, REGIONS = "scene.onnx", "regions.onnx"
CROPS, DECODER, STRINGS = "crops.onnx", "decoder.onnx", "strings.onnx"

Feed = Mapping[str, NDArray[Any]]  # Any: uint8 pixels, int64 classes, float32 features, bool masks


class Graph(Protocol):
    """A network in a file, ready to compute; any number of threads may run it."""

    def run(self, feed: Feed) -> list[NDArray[np.float32]]:
        """Return the outputs, in the order of the file; the next run of the thread may overwrite them."""


Open = Callable[[str, int], Graph]
"""Opens a graph, by its file name, for so many callers at a time."""


class LazyGraph:
    """A graph that is opened when it is first run, by one thread."""

    def __init__(self, open_graph: Open, name: str, callers: int) -> None:
        self._open = functools.partial(open_graph, name, callers)
        self._lock = threading.Lock()
        self._graph: Graph | None = None

    def run(self, feed: Feed) -> list[NDArray[np.float32]]:
        """Return the outputs, as the graph itself does."""
        with self._lock:
            if self._graph is None:
                self._graph = self._open()
        return self._graph.run(feed)


class OpenVinoGraph:
    """A graph run by OpenVINO."""

    def __init__(self, path: Path, callers: int, cores: int) -> None:
        """Compile the graph at ``path`` for ``callers`` threads at a time that share ``cores``."""
        openvino = _import_openvino()
        settings = {
            "INFERENCE_NUM_THREADS": cores,
            "NUM_STREAMS": callers,
            "ENABLE_CPU_PINNING": False,  # several processes would all take the first cores
            "INFERENCE_PRECISION_HINT": "f32",  # the same numbers on CPUs with and without bfloat16
        }
        # The first calls make tables of types. Two threads that make one wait for each other for ever: one
        # holds the lock of the table, the other Python's.
        openvino.Type.u8.to_dtype()
        openvino.Tensor(np.zeros(1, np.uint8), shared_memory=True)
        self._compiled = openvino.Core().compile_model(str(path), "CPU", settings)
        self._thread = threading.local()

    def run(self, feed: Feed) -> list[NDArray[np.float32]]:
        """Return the outputs, in the order of the file; the next run of the thread overwrites them."""
        if not hasattr(self._thread, "request"):
            self._thread.request = self._compiled.create_infer_request()
        outputs = self._thread.request.infer(dict(feed), share_inputs=True, share_outputs=True)
        return [outputs[i] for i in range(len(outputs))]


class OnnxGraph:
    """A graph run by ONNX Runtime."""

    def __init__(self, path: Path, callers: int, cores: int) -> None:
        """Load the graph at ``path`` for ``callers`` threads at a time that share ``cores``."""
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, cores // callers)
        options.log_severity_level = 3  # errors alone
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def run(self, feed: Feed) -> list[NDArray[np.float32]]:
        """Return the outputs, in the order of the file."""
        outputs: list[NDArray[np.float32]] = self._session.run(None, feed)
        return outputs


def _import_openvino() -> ModuleType:
    """Import OpenVINO without what reports every import of it to its makers.

    That forks this process for it, too, and what comes of the fork may hang for ever.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # importing it fails then
    import openvino

    module: ModuleType = openvino
    return module


@dataclass(frozen=True, slots=True)
class Runtime:
    """A library that runs graphs."""

    name: str
    open: Callable[[Path, int, int], Graph]


_RUNTIMES = {
    "openvino": Runtime("OpenVINO", OpenVinoGraph),
    "onnx": Runtime("ONNX Runtime", OnnxGraph),
}
_PACKAGES = {"openvino": "openvino", "onnx": "onnxruntime"}


def find_runtime(engine: str) -> Runtime | None:
    """Return the runtime called ``engine``; for "auto" the fastest that is installed, None if none is.

    Raises:
        UsageError: it is not installed.
    """
    if engine == "auto":
        installed = (each for each, package in _PACKAGES.items() if importlib.util.find_spec(package))
        return next((_RUNTIMES[each] for each in installed), None)
    package = _PACKAGES[engine]
    if importlib.util.find_spec(package) is None:
        raise UsageError(f"--engine {engine} needs the package {package}: pip install {package}")
    return _RUNTIMES[engine]
