"""The inference path, with a network that knows nothing and one that is told where the word is."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from polygon_fixtures import polygon_iou
from torch import Tensor, nn

from stsearch.config import CloseUpConfig
from stsearch.engines.torch_engine import TorchSceneEngine
from stsearch.errors import DeviceError
from stsearch.geometry.polygons import box
from stsearch.models.detector import DetectionMaps
from stsearch.models.embedder import RegionReadings
from stsearch.models.layers import dtype_of
from stsearch.models.prompts import FrozenPrompt
from stsearch.models.recognizer import Recognizer
from stsearch.models.scene_text import SceneFeatures, SceneTextModel
from stsearch.spotting.postprocess import possible_readings
from stsearch.spotting.spotter import Spotter
from stsearch.text.ctc import CLASSES
from stsearch.types import Scene
from stsearch.weights.card import Card


class KnowingDetector(nn.Module):
    """Answers with the kernel of the word of ``word_scene``, as it lies in a picture enlarged twice."""

    def forward(self, finest: Tensor) -> DetectionMaps:
        probability = torch.full((len(finest), finest.shape[2] * 2, finest.shape[3] * 2), -9.0)
        probability[:, 28:44, 24:56] = 9.0
        return DetectionMaps(probability, None)


@pytest.fixture
def spotter(micro_model: SceneTextModel) -> Spotter:
    micro_model.detector = KnowingDetector()  # type: ignore[assignment]  # a stand-in for the trained head
    return Spotter(TorchSceneEngine(micro_model), Card(micro_model.config).info)


def test_a_word_comes_back_in_pixels_of_its_photograph(spotter: Spotter, word_scene: Scene) -> None:
    [[instance]] = spotter.spot([word_scene.image])
    assert polygon_iou(instance.polygon, word_scene.words[0].polygon) > 0.6
    assert instance.embedding.shape == (64,)
    assert np.linalg.norm(instance.embedding) == pytest.approx(1.0, abs=1e-5)
    assert 0 <= instance.confidence <= 1
    assert 0 < instance.score <= 1


def test_photographs_of_different_sizes_share_a_batch(spotter: Spotter, word_scene: Scene) -> None:
    wide = np.concatenate([word_scene.image, word_scene.image], axis=1)
    alone = spotter.spot([wide])[0]
    together = spotter.spot([word_scene.image, wide])
    assert [len(found) for found in together] == [1, 1]
    assert together[1][0].polygon == pytest.approx(alone[0].polygon, abs=1e-3)


class SeeingDetector(nn.Module):
    """Answers with what is bright in the first channel of the finest level, but for one size of input."""

    def __init__(self, blind_width: int) -> None:
        super().__init__()
        self.blind_width = blind_width

    def forward(self, finest: Tensor) -> DetectionMaps:
        bright = torch.where(finest[:, 0] > 128, 9.0, -9.0)
        if finest.shape[3] * 4 == self.blind_width:
            bright = torch.full_like(bright, -9.0)
        return DetectionMaps(bright.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2), None)


class KnowingMap(nn.Module):
    """Answers that one cell needs a close-up in the first two of three sizes."""

    prompt = FrozenPrompt(1)

    def forward(self, levels: list[Tensor], probability: Tensor) -> Tensor:
        logits = torch.full((len(probability), 3, *levels[-1].shape[2:]), -9.0)
        logits[:, :2, 1, 2] = 9.0
        return logits


def see_pixels(images: Tensor, dtype: torch.dtype) -> SceneFeatures:
    """Return the images themselves as features."""
    pooled = [nn.functional.avg_pool2d(images.float(), stride) for stride in (4, 8, 16, 32)]
    return SceneFeatures([level.repeat(1, 6, 1, 1)[:, :16].to(dtype) for level in pooled])


@pytest.mark.parametrize("width", [512, 480])
def test_a_word_that_only_a_close_up_shows_comes_back_in_its_place(
    micro_model: SceneTextModel, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    close_ups = CloseUpConfig(sizes=(256, 384, 512), sheet_widths=(320,), sheet_height=320, overlap=96)
    micro_model.config = dataclasses.replace(micro_model.config, scales=(0.5,), close_ups=close_ups)
    micro_model.detector = SeeingDetector(blind_width=128)  # type: ignore[assignment]  # stand-ins for trained ones
    micro_model.close_up_map = KnowingMap()  # type: ignore[assignment]
    engine = TorchSceneEngine(micro_model)
    spotter = Spotter(engine, Card(micro_model.config).info)
    dtype = dtype_of(engine.model)
    monkeypatch.setattr(engine.model, "features", lambda images: see_pixels(images, dtype))
    photo = np.zeros((512, width, 3), np.uint8)
    photo[160:200, 270:360] = 255
    empty = np.zeros((512, width, 3), np.uint8)
    [[instance], nothing] = spotter.spot([photo, empty])
    assert (
        polygon_iou(instance.polygon, box(270, 160, 360, 200)) > 0.3
    )  # what is seen is grown, as kernels are
    assert instance.polygon.mean(axis=0).tolist() == pytest.approx([315, 180], abs=4)
    assert nothing == []


def test_a_word_far_down_a_long_screenshot_comes_back_in_its_place(spotter: Spotter) -> None:
    # The detector sees its word at the same place of every window.
    [found] = spotter.spot([np.full((3000, 128, 3), 200, np.uint8)])
    assert len({round(float(each.polygon[:, 1].min())) for each in found}) > 3
    assert max(each.polygon[:, 1].max() for each in found) > 2000


def test_no_photographs_give_no_results(spotter: Spotter) -> None:
    assert spotter.spot([]) == []


def test_given_words_are_read_in_order(spotter: Spotter, word_scene: Scene) -> None:
    polygons = [word.polygon for word in word_scene.words]
    [found] = spotter.read([word_scene.image], [polygons])
    assert [instance.polygon.tolist() for instance in found] == [polygon.tolist() for polygon in polygons]


def test_only_a_tall_quad_is_read_in_three_directions() -> None:
    wide = np.array([[0, 0], [40, 0], [40, 10], [0, 10]], np.float32)
    tall = np.array([[0, 0], [10, 0], [10, 40], [0, 40]], np.float32)
    assert len(possible_readings(wide)) == 1
    assert [reading[0].tolist() for reading in possible_readings(tall)] == [[0, 0], [10, 0], [0, 40]]


def test_reading_at_two_sizes_gives_a_word_once(micro_model: SceneTextModel, word_scene: Scene) -> None:
    micro_model.detector = KnowingDetector()  # type: ignore[assignment]  # a stand-in for the trained head
    micro_model.config = dataclasses.replace(micro_model.config, scales=(1.0, 1.0))
    [found] = Spotter(TorchSceneEngine(micro_model), Card(micro_model.config).info).spot([word_scene.image])
    assert len(found) == 1


def test_a_recognizer_has_the_last_word_on_what_is_read(
    micro_model: SceneTextModel, micro_recognizer: Recognizer, word_scene: Scene
) -> None:
    micro_model.detector = KnowingDetector()  # type: ignore[assignment]  # a stand-in for the trained head
    [rough] = Spotter(TorchSceneEngine(micro_model), Card(micro_model.config).info).spot([word_scene.image])
    micro_model.recognizer = micro_recognizer
    spotter = Spotter(TorchSceneEngine(micro_model), Card(micro_model.config).info)
    [read] = spotter.spot([word_scene.image])
    assert spotter.recognizer is not None
    assert spotter.decode_side == 2 * 256  # crops are cut from more pixels than words are found in
    [again] = spotter.recognizer.read_instances([word_scene.image], [rough])
    assert [each.transcript for each in read] == [each.transcript for each in again]
    assert [each.confidence for each in read] != [each.confidence for each in rough]
    assert (read[0].embedding == rough[0].embedding).all()
    [unread] = Spotter(TorchSceneEngine(micro_model), Card(micro_model.config).info, reads=False).spot(
        [word_scene.image]
    )
    assert [each.transcript for each in unread] == [each.transcript for each in rough]
    assert [each.ctc_posteriors for each in read] == [each.ctc_posteriors for each in again]
    assert [each.ctc_posteriors for each in unread] == [
        each.ctc_posteriors for each in rough
    ]  # what the embedder saw
    for each in (read[0], unread[0]):
        assert each.ctc_posteriors
        assert len(each.ctc_posteriors) % CLASSES == 0
    assert read[0].ctc_posteriors != unread[0].ctc_posteriors


class FullDevice(KnowingDetector):
    """Says that memory ran out when it sees more than ``limit`` photographs at once."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.seen: list[int] = []

    def forward(self, finest: Tensor) -> DetectionMaps:
        self.seen.append(len(finest))
        if len(finest) > self.limit:
            raise torch.OutOfMemoryError("out of memory")
        return super().forward(finest)


def full_spotter(model: SceneTextModel, limit: int) -> tuple[Spotter, FullDevice]:
    model.detector = FullDevice(limit)  # type: ignore[assignment]
    spotter = Spotter(TorchSceneEngine(model), Card(model.config).info)
    spotter._batch_size = 8  # as on a device that takes what it is given
    engine = spotter._engine
    assert isinstance(engine, TorchSceneEngine)
    device = engine.model.detector
    assert isinstance(device, FullDevice)
    return spotter, device


def test_a_batch_that_does_not_fit_is_halved_and_stays_so(
    micro_model: SceneTextModel, word_scene: Scene
) -> None:
    spotter, device = full_spotter(micro_model, 2)
    found = spotter.spot([word_scene.image] * 5)
    assert [len(words) for words in found] == [1] * 5
    assert device.seen == [5, 2, 2, 1]
    spotter.spot([word_scene.image] * 4)
    assert device.seen[4:] == [2, 2]


def test_a_photograph_that_does_not_fit_alone_is_an_error(
    micro_model: SceneTextModel, word_scene: Scene
) -> None:
    spotter, _ = full_spotter(micro_model, 0)
    with pytest.raises(DeviceError, match=r"one photograph of 128 x 64: .*--device cpu"):
        spotter.spot([word_scene.image] * 2)


def test_regions_that_do_not_fit_halve_the_batch_too(
    micro_model: SceneTextModel, word_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    spotter, device = full_spotter(micro_model, 8)
    read = SceneTextModel.read_regions

    def read_few(model: SceneTextModel, levels: list[Tensor], edges: Tensor, owner: Tensor) -> RegionReadings:
        if int(owner.max()) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return read(model, levels, edges, owner)

    monkeypatch.setattr(SceneTextModel, "read_regions", read_few)
    found = spotter.spot([word_scene.image] * 4)
    assert [len(words) for words in found] == [1] * 4
    assert device.seen == [4, 2, 2]
