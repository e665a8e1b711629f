"""The torch engine: CUDA, training, and the reference that every other engine is compared with."""

from __future__ import annotations

import copy
import itertools
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils.fusion import fuse_conv_bn_eval

from stsearch.device_errors import raises_device_errors
from stsearch.engines.contract import Array, CropReadings, EncodedImages, RegionReadings
from stsearch.errors import OutOfDeviceMemoryError
from stsearch.models.recognizer import Recognizer
from stsearch.models.scene_text import SceneTextModel, freeze_prompts
from stsearch.worker_pool import usable_cores

Module = TypeVar("Module", bound=nn.Module)


class TorchSceneEngine:
    """Finds and embeds words with a copy of a network; fulfils ``contract.SceneEngine``."""

    def __init__(self, model: SceneTextModel) -> None:
        """Make a fast copy of ``model``, on its device."""
        self.config = model.config
        self.model = fold_batch_norms(model)
        freeze_prompts(self.model)
        make_fast(self.model)
        device = next(model.parameters()).device
        self.device, self.precision = str(device), precision_on(device)
        self.wants_batches = device.type == "cuda"
        recognizer = self.model.recognizer
        self.crops = TorchCropEngine(recognizer) if recognizer is not None else None
        self._cores = _CoresOfThread(1)

    @raises_device_errors
    @torch.inference_mode()
    def encode(self, images: NDArray[np.uint8]) -> EncodedImages:
        """Run the detection network on (B, H, W, 3) RGB images; H and W are multiples of 32."""
        self._cores.limit()
        levels = self.model.features(_channels_first(images, self.device)).levels
        maps = self.model.detect(levels)
        close_ups = None
        if self.config.close_ups is not None:
            close_ups = _array(self.model.map_close_ups(levels, maps).float().sigmoid())
        return EncodedImages(_array(maps.probability.float().sigmoid()), close_ups, levels)

    @raises_device_errors
    @torch.inference_mode()
    def read_regions(self, encoded: EncodedImages, edges: Array, owner: NDArray[np.int64]) -> RegionReadings:
        """Embed and read regions, as ``contract.SceneEngine`` says."""
        where = torch.from_numpy(edges).to(self.device), torch.from_numpy(owner).to(self.device)
        readings = self.model.read_regions(encoded.levels, *where)
        return RegionReadings(_array(readings.embeddings), _array(readings.logits))

    def for_callers(self, count: int) -> Self:
        """Return the same engine, each of ``count`` calling threads limited to its share of the cores."""
        shared = copy.copy(self)
        shared._cores = _CoresOfThread(count)
        return shared


class TorchCropEngine:
    """Reads word crops with a recognizer; fulfils ``contract.CropEngine``."""

    def __init__(self, recognizer: Recognizer) -> None:
        """Take a recognizer in evaluation mode, best one that :func:`make_fast` returned."""
        self.config = recognizer.config
        self._recognizer = recognizer
        device = recognizer.get_buffer("mean").device
        self.device, self.precision = str(device), precision_on(device)

    def read(self, crops: NDArray[np.uint8]) -> CropReadings:
        """Read (N, H, W, 3) RGB crops of the configured size, fewer at once where they do not fit."""
        try:
            return self._read(crops)
        except OutOfDeviceMemoryError:
            if len(crops) == 1:
                raise
        halves = [self.read(half) for half in np.array_split(crops, 2)]
        return CropReadings(
            np.concatenate([half.tables for half in halves]),
            np.concatenate([half.ctc_logits for half in halves]),
            np.concatenate([half.orientation for half in halves]),
        )

    @raises_device_errors
    @torch.inference_mode()
    def _read(self, crops: NDArray[np.uint8]) -> CropReadings:
        recognizer = self._recognizer
        features = recognizer.features(_channels_first(crops, self.device))
        return CropReadings(
            _array(recognizer.read(features)),
            _array(recognizer.ctc_logits(features)),
            _array(recognizer.orientation_logits(features)),
        )

    @raises_device_errors
    @torch.inference_mode()
    def log_probabilities(self, words: Sequence[str]) -> Array | None:
        """Return (N,) float32 of the character language model; None without one."""
        model = self._recognizer.character_lm
        return None if model is None else _array(model(words))


class _CoresOfThread:
    """Limits each of some calling threads to its share of the cores, from its first call on."""

    def __init__(self, callers: int) -> None:
        self._each = max(1, usable_cores() // callers) if callers > 1 else 0
        self._thread = threading.local()

    def limit(self) -> None:
        if self._each and not hasattr(self._thread, "is_limited"):
            torch.set_num_threads(self._each)
            self._thread.is_limited = True


def _channels_first(images: NDArray[np.uint8], device: str) -> Tensor:
    return torch.from_numpy(images).to(device).permute(0, 3, 1, 2)


def _array(values: Tensor) -> Array:
    return np.asarray(values.float().cpu().numpy())


def fold_batch_norms(model: Module) -> Module:
    """Return a copy of ``model`` with batch normalisations folded into the convolutions before them."""
    folded = copy.deepcopy(model).eval()
    for module in folded.modules():
        children = list(module.named_children())
        for (name, conv), (norm_name, norm) in itertools.pairwise(children):
            if isinstance(norm, nn.BatchNorm2d) and isinstance(conv, nn.Conv2d | nn.ConvTranspose2d):
                fused = fuse_conv_bn_eval(conv, norm, transpose=isinstance(conv, nn.ConvTranspose2d))
                setattr(module, name, fused)
                setattr(module, norm_name, nn.Identity())
    return folded


def fast_dtype(device: torch.device) -> torch.dtype:
    """Return the fastest dtype of ``device``: bfloat16, or float32 on a CPU without the instructions."""
    # torch has no public function for this.
    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    fast = device.type == "cuda" or (supported is not None and supported())
    return torch.bfloat16 if fast else torch.float32


def precision_on(device: torch.device) -> str:
    """Return the name of the dtype that networks have on ``device`` after :func:`make_fast`."""
    return str(fast_dtype(device)).removeprefix("torch.")


def make_fast(model: Module) -> Module:
    """Return ``model``, its weights in bfloat16 where that is faster, ready to compute.

    Buffers keep their precision. Autocast would convert every weight again at every call.
    """
    dtype = fast_dtype(next(model.parameters()).device)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    for module in model.modules():
        if isinstance(module, nn.RNNBase):
            module.flatten_parameters()  # else cuDNN would copy them together, with a warning, at every call
    return model


def attention_for_training(device: torch.device) -> AbstractContextManager[None]:
    """Return a context in which the gradients of attention are computed as ``device`` does it fastest.

    On a CPU the backward pass of torch's fused attention is slow at the lengths of words: for 128 crops of
    33 tokens a layer took 35 ms, and 4 ms as matrix products.
    """
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()
