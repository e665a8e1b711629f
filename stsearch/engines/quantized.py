"""The image tower in 8 bits, for CPUs that multiply bytes: twice as fast there as in bfloat16.

Post-training quantization (Jacob et al. 2018, Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference): weights are signed bytes with a scale for each channel that they compute,
activations unsigned bytes with one scale, since all of them follow a ReLU. The stem is not quantized: its
rounding errors would reach every other layer.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterable

import torch
from open_clip.modified_resnet import Bottleneck, ModifiedResNet
from torch import Tensor, nn

from stsearch.models.scene_text import SceneTextModel

_LEVELS = 255  # steps above zero of an unsigned byte
_SAMPLES = 5_000  # values of an activation that are recorded for each image
_TYPICAL_SIDE = 64  # of the inputs that weights are packed for; others are about as fast


def supports_int8(device: torch.device) -> bool:
    """Return whether ``device`` is a CPU that is faster, and as exact, in 8 bits (VNNI)."""
    # torch has no public function for this. Without the instructions sums of products may overflow.
    supported = getattr(torch.cpu, "_is_vnni_supported", None)
    return device.type == "cpu" and supported is not None and supported() and _has_int8_operators()


@functools.cache
def _has_int8_operators() -> bool:
    """Return whether torch has 8-bit convolutions with this interface, which is not public and may change."""
    try:
        cell = torch.zeros(1, 1, 1, 1, dtype=torch.uint8)
        QuantizedConv(nn.Conv2d(1, 1, 1), 1.0).add_to(cell, 1.0, QuantizedConv(nn.Conv2d(1, 1, 1), 1.0)(cell))
    except (AttributeError, RuntimeError, TypeError):
        return False
    return True


def calibrate_activations(model: SceneTextModel, images: Iterable[Tensor]) -> tuple[float, ...]:
    """Return the value of the highest byte for every activation that :func:`quantize` needs.

    Each is the one that rounds the activation with the least squared error; a few values lie above it.

    Args:
        model: in evaluation mode.
        images: (B, 3, H, W) RGB in [0, 255], typical ones; H and W are multiples of 32.
    """
    recorded: dict[nn.Module, list[Tensor]] = {module: [] for module in _activations(model.backbone.trunk)}

    def record(module: nn.Module, _: object, output: Tensor) -> None:
        values = output.flatten()
        recorded[module].append(values[:: -(-len(values) // _SAMPLES)].float().cpu().clone())

    hooks = [module.register_forward_hook(record) for module in recorded]
    try:
        with torch.inference_mode():
            for batch in images:
                model.stages(batch)
    finally:
        for hook in hooks:
            hook.remove()
    return tuple(_best_max(torch.cat(values)) for values in recorded.values())


def quantize(model: SceneTextModel, activation_max: tuple[float, ...], dtype: torch.dtype) -> None:
    """Replace the residual blocks of ``model`` by 8-bit ones, in place.

    C2..C5 are bytes from then on, which only the neck's first layers take.

    Args:
        model: on a CPU, its norms folded, without prompts.
        activation_max: what :func:`calibrate_activations` returned, in its order.
        dtype: of what the neck's first layers compute.
    """
    trunk = model.backbone.trunk
    scales = iter([maximum / _LEVELS for maximum in activation_max])
    scale = next(scales)
    to_bytes = _ToBytes(scale)
    for level, layer in enumerate(_layers(trunk)):
        for index, block in enumerate(layer):
            output_scales = next(scales), next(scales), next(scales), next(scales)
            layer[index] = QuantizedBlock(block, scale, output_scales)
            scale = output_scales[-1]
        lateral = typing.cast("nn.Conv2d", model.neck.lateral[level])
        model.neck.lateral[level] = QuantizedConv(lateral, scale, dtype=dtype)
    trunk.layer1 = nn.Sequential(to_bytes, *trunk.layer1)


def _layers(trunk: ModifiedResNet) -> list[nn.Sequential]:
    return [trunk.layer1, trunk.layer2, trunk.layer3, trunk.layer4]


def _activations(trunk: ModifiedResNet) -> list[nn.Module]:
    """Return the modules whose outputs become bytes: the stem, then four of every block."""
    blocks = [block for layer in _layers(trunk) for block in layer]
    inner = [module for b in blocks for module in (b.act1, b.act2, b.avgpool, b.act3)]
    return [trunk.avgpool, *inner]


def _best_max(values: Tensor) -> float:
    highest = max(values.max().item(), 1e-6)
    candidates = [highest * share / 40 for share in range(4, 41)]
    steps = [maximum / _LEVELS for maximum in candidates]
    errors = [(values - _as_bytes(values, step) * step).square().mean().item() for step in steps]
    return candidates[errors.index(min(errors))]


def _as_bytes(values: Tensor, scale: float) -> Tensor:
    return (values / scale).round_().clamp_(0, _LEVELS).to(torch.uint8)


class _ToBytes(nn.Module):
    """Activations, none below zero, as bytes."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, values: Tensor) -> Tensor:
        return _as_bytes(values, self.scale)


class QuantizedConv(nn.Module):
    """A convolution of bytes (oneDNN)."""

    def __init__(
        self,
        conv: nn.Conv2d,
        scale: float,
        output_scale: float = 1.0,
        relu: bool = False,
        dtype: torch.dtype = torch.uint8,
    ) -> None:
        """Take a convolution.

        Args:
            conv: in float32.
            scale: the value of one step of the input byte.
            output_scale: the same of the output; 1 unless ``dtype`` is a byte.
            relu: whether a ReLU follows.
            dtype: of the output.
        """
        super().__init__()
        self.scale, self.output_scale, self.dtype = scale, output_scale, dtype
        self.post_op = "relu" if relu else "none"
        self.shape = list(conv.stride), list(conv.padding), list(conv.dilation), conv.groups
        weight = conv.weight.detach()
        self.weight_scales = weight.abs().amax(dim=(1, 2, 3)).clamp(min=1e-8) / 127
        int_weight = (weight / self.weight_scales[:, None, None, None]).round().to(torch.int8)
        self.weight_zeros = torch.zeros(len(weight), dtype=torch.int32)
        typical_shape = [1, conv.in_channels, _TYPICAL_SIDE, _TYPICAL_SIDE]
        self.packed = torch.ops.onednn.qconv_prepack(
            int_weight, self.weight_scales, scale, 0, *self.shape, typical_shape
        )
        self.bias = None if conv.bias is None else conv.bias.detach()

    def forward(self, values: Tensor) -> Tensor:
        """Return the convolution of (B, C, H, W) bytes."""
        inputs = values, self.scale, 0, self.packed, self.weight_scales, self.weight_zeros, self.bias
        result: Tensor = torch.ops.onednn.qconv2d_pointwise(
            *inputs, *self.shape, self.output_scale, 0, self.dtype, self.post_op, [], ""
        )
        return result

    def add_to(self, total: Tensor, scale: float, values: Tensor) -> Tensor:
        """Return the ReLU of the convolution plus ``total``, bytes of ``scale``, which are overwritten."""
        inputs = values, self.scale, 0, self.packed, self.weight_scales, self.weight_zeros, total, self.bias
        result: Tensor = torch.ops.onednn.qconv2d_pointwise.binary(
            *inputs, *self.shape, self.output_scale, 0, self.dtype, scale, 0, "sum", 1.0, "relu", [], ""
        )
        return result


class QuantizedBlock(nn.Module):
    """A bottleneck of CLIP's ModifiedResNet, from bytes to bytes.

    Where its input is projected as well, the last convolution and the projection are fused into one over the
    channels of both, so that their sum is not rounded in between.
    """

    def __init__(
        self, block: Bottleneck, scale: float, output_scales: tuple[float, float, float, float]
    ) -> None:
        """Take a block whose norms are folded.

        Args:
            block: what to compute.
            scale: of the input bytes.
            output_scales: scales after the two first convolutions, the pooling and the block.
        """
        super().__init__()
        first, second, pooled, last = output_scales
        self.scale = scale
        self.has_pooling = block.stride > 1
        self.has_projection = block.downsample is not None
        self.conv1 = QuantizedConv(block.conv1, scale, first, relu=True)
        self.conv2 = QuantizedConv(block.conv2, first, second, relu=True)
        if self.has_pooling:
            self.pool = QuantizedConv(_average_pooling_conv(block.conv2.out_channels), second, pooled)
            self.pool_input = QuantizedConv(_average_pooling_conv(block.conv1.in_channels), scale, scale)
        inner = pooled if self.has_pooling else second
        conv = (
            block.conv3
            if block.downsample is None
            else _join_convs(block.conv3, block.downsample[1], scale / inner)
        )
        self.conv3 = QuantizedConv(conv, inner, last, relu=True)

    def forward(self, values: Tensor) -> Tensor:
        """Return (B, 4C, H', W') bytes for (B, C', H, W) ones, which may be overwritten."""
        inner = self.conv2(self.conv1(values))
        if not self.has_projection:
            return self.conv3.add_to(values, self.scale, inner)
        if self.has_pooling:
            inner, values = self.pool(inner), self.pool_input(values)
        out: Tensor = self.conv3(torch.cat([inner, values], dim=1))
        return out


def _average_pooling_conv(channels: int) -> nn.Conv2d:
    """Return the average of 2 x 2 cells as a convolution."""
    conv = nn.Conv2d(channels, channels, 2, 2, groups=channels, bias=False)
    nn.init.constant_(conv.weight, 0.25)
    return conv


def _join_convs(one: nn.Conv2d, other: nn.Conv2d, ratio: float) -> nn.Conv2d:
    """Return the sum of two 1x1 convolutions as one, a step of the other's input ``ratio`` times as large."""
    conv = nn.Conv2d(one.in_channels + other.in_channels, one.out_channels, 1)
    conv.weight = nn.Parameter(torch.cat([one.weight, other.weight * ratio], dim=1))
    conv.bias = nn.Parameter(one.get_parameter("bias") + other.get_parameter("bias"))
    return conv
