"""What makes networks fast to use changes what they compute by no more than rounding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from stsearch.engines import torch_engine as inference
from stsearch.engines.torch_engine import (
    TorchCropEngine,
    attention_for_training,
    fold_batch_norms,
    make_fast,
)
from stsearch.errors import OutOfDeviceMemoryError
from stsearch.models.recognizer import Recognizer
from stsearch.models.scene_text import SceneTextModel


def test_folding_norms_changes_no_output(micro_model: SceneTextModel) -> None:
    for module in micro_model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)  # type: ignore[arg-type]  # it is a tensor here
            nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
            nn.init.uniform_(module.weight, 0.5, 1.5)
    images = torch.randint(0, 256, (1, 3, 64, 64)).float()
    folded = fold_batch_norms(micro_model)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    with torch.inference_mode():
        for before, after in zip(
            micro_model.features(images).levels, folded.features(images).levels, strict=True
        ):
            assert torch.allclose(before, after, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_weights_take_the_fast_precision_and_buffers_keep_theirs(
    micro_model: SceneTextModel, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "fast_dtype", lambda device: dtype)
    images = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    folded = fold_batch_norms(micro_model)
    with torch.inference_mode():
        before = folded.detect(folded.features(images).levels).probability.sigmoid()
        ready = make_fast(folded)
        after = ready.detect(ready.features(images).levels).probability.sigmoid()
    assert {parameter.dtype for parameter in ready.parameters()} == {dtype}
    assert {buffer.dtype for buffer in ready.buffers() if buffer.is_floating_point()} == {torch.float32}
    assert after.dtype == dtype
    assert torch.allclose(before, after.float(), atol=0.02)


def test_crops_that_do_not_fit_at_once_are_read_in_halves(
    micro_recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    crops = np.random.default_rng(0).integers(0, 256, (5, 32, 128, 3), dtype=np.uint8)
    engine = TorchCropEngine(micro_recognizer)
    whole = engine.read(crops)
    seen: list[int] = []
    features = Recognizer.features

    def read_few(recognizer: Recognizer, images: Tensor) -> Tensor:
        seen.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return features(recognizer, images)

    monkeypatch.setattr(Recognizer, "features", read_few)
    parts = engine.read(crops)
    assert seen == [5, 3, 2, 1, 2]
    assert np.allclose(parts.tables, whole.tables, atol=1e-4)
    assert np.allclose(parts.ctc_logits, whole.ctc_logits, atol=1e-3)
    assert np.allclose(parts.orientation, whole.orientation, atol=1e-3)


def test_a_crop_that_does_not_fit_alone_is_an_error(
    micro_recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(Recognizer, "features", fail)
    with pytest.raises(OutOfDeviceMemoryError, match="cpu has too little free memory"):
        TorchCropEngine(micro_recognizer).read(np.zeros((3, 32, 128, 3), np.uint8))


def test_attention_for_training_has_the_gradients_of_the_fused_kernel_without_it() -> None:
    tokens = torch.randn(2, 2, 5, 8, requires_grad=True)

    def attend() -> tuple[str, Tensor]:
        mixed = F.scaled_dot_product_attention(tokens, tokens, tokens)
        (gradient,) = torch.autograd.grad(mixed.square().sum(), tokens)
        return type(mixed.grad_fn).__name__, gradient

    fused, expected = attend()
    with attention_for_training(torch.device("cpu")):
        in_steps, gradient = attend()
    assert "Flash" in fused
    assert "Flash" not in in_steps
    assert torch.allclose(gradient, expected, atol=1e-5)
