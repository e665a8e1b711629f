from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from stsearch.models.recognizer import Recognizer
from stsearch.spotting.recognition import BATCH, TILTS, RecognizerRunner
from stsearch.types import Image, TextInstance


@pytest.fixture
def crops() -> list[Image]:
    random = np.random.default_rng(0)
    return list(random.integers(0, 256, (5, 32, 128, 3), dtype=np.uint8))


class HeadReader(torch.nn.Module):
    """A recognizer that reads "up" where a crop is lighter at the top, and "dn" elsewhere, surely or not."""

    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__()
        self.config, self.charset = recognizer.config, recognizer.charset
        self.character_lm: Callable[[list[str]], torch.Tensor] | None = None
        self.register_buffer("mean", torch.zeros(1))

    def features(self, images: torch.Tensor) -> torch.Tensor:
        upper, lower = (half.float().mean(dim=(1, 2, 3)) for half in images.split(16, dim=2))
        return torch.where(upper > lower, 1.0, -1.0)

    def orientation_logits(self, features: torch.Tensor) -> torch.Tensor:
        return features

    def ctc_logits(self, features: torch.Tensor) -> torch.Tensor:
        return self.read(features).log()

    def read(self, features: torch.Tensor) -> torch.Tensor:
        tables = torch.zeros(len(features), 3, 95)
        for table, up in zip(tables, (features > 0).tolist(), strict=True):
            for place, c in enumerate([*self.charset.encode("up" if up else "dn"), 0]):
                table[place, c] = 0.9 if up else 0.6
        return tables


UNSEEN = [("", 1.0)]
"""Batches are filled up to a multiple of 8."""


class ScriptedReader(HeadReader):
    """A recognizer that reads what it is told to, crop after crop, each character as surely as is said."""

    def __init__(self, recognizer: Recognizer, script: list[tuple[str, float]]) -> None:
        super().__init__(recognizer)
        self.tables = [self.table_of(*each) for each in script]
        self.crops: list[torch.Tensor] = []

    def table_of(self, text: str, sure: float) -> torch.Tensor:
        table = torch.zeros(4, 95)
        for place, c in enumerate([*self.charset.encode(text), 0]):
            table[place, c] = sure
        return table

    def features(self, images: torch.Tensor) -> torch.Tensor:
        self.crops += list(images[:, 0].float())
        return torch.ones(len(images))

    def ctc_logits(self, features: torch.Tensor) -> torch.Tensor:
        return torch.zeros(len(features), 4, 95)

    def read(self, features: torch.Tensor) -> torch.Tensor:
        return torch.stack([self.tables.pop(0) for _ in features])


def light_at_top() -> Image:
    crop = np.zeros((32, 128, 3), np.uint8)
    crop[:16] = 200
    return crop


def instance(x: float) -> TextInstance:
    polygon = np.array([[x, 0], [x + 128, 0], [x + 128, 32], [x, 32]], np.float32)
    return TextInstance(polygon, 0.7, "rough", 0.1, np.zeros(4, np.float32))


def test_a_crop_reads_the_same_alone_and_among_others(
    micro_recognizer: Recognizer, crops: list[Image]
) -> None:
    reader = RecognizerRunner(micro_recognizer)
    together = list(reader.read(crops))
    [alone] = reader.read(crops[3:4])
    assert len(together) == 5
    assert together[3].best.text == alone.best.text
    assert together[3].best.confidence == pytest.approx(alone.best.confidence, rel=1e-3)


def test_more_crops_than_a_batch_come_back_in_order(micro_recognizer: Recognizer) -> None:
    crops = [light_at_top() if i % 3 else np.zeros((32, 128, 3), np.uint8) for i in range(BATCH + 10)]
    reader = RecognizerRunner(HeadReader(micro_recognizer))  # type: ignore[arg-type]  # a stand-in
    assert [r.best.text for r in reader.read(crops)] == ["up" if i % 3 else "dn" for i in range(BATCH + 10)]


def test_nothing_to_read_is_no_error(micro_recognizer: Recognizer) -> None:
    assert list(RecognizerRunner(micro_recognizer).read([])) == []


def test_a_crop_on_its_head_is_turned_when_that_reads_better(micro_recognizer: Recognizer) -> None:
    reader = RecognizerRunner(HeadReader(micro_recognizer))  # type: ignore[arg-type]  # a stand-in
    up, down = reader.read([light_at_top(), light_at_top()[::-1]])
    assert (up.best.text, up.upside_down) == ("up", False)
    assert (down.best.text, down.upside_down) == ("up", True)


def test_instances_are_read_from_their_own_pixels(micro_recognizer: Recognizer) -> None:
    reader = RecognizerRunner(HeadReader(micro_recognizer))  # type: ignore[arg-type]  # a stand-in
    photo = np.concatenate([light_at_top(), light_at_top()[::-1]], axis=1)
    [[first, second], none] = reader.read_instances([photo, photo], [[instance(0), instance(128)], []])
    assert (first.transcript, first.score) == ("up", 0.7)
    assert first.confidence == pytest.approx(0.9**3, rel=1e-4)
    assert first.polygon[0].tolist() == [0, 0]
    assert second.polygon[0].tolist() == [256, 32]  # reading starts at the other end
    assert none == []


def test_a_picture_is_read_once_without_augmentation(micro_recognizer: Recognizer) -> None:
    scripted = ScriptedReader(micro_recognizer, [("up", 0.5)] * 8)
    [reading] = RecognizerRunner(scripted).read_pictures([light_at_top()])  # type: ignore[arg-type]  # a stand-in
    assert (reading.best.text, len(scripted.crops)) == ("up", 8)  # one, padded to a step


def test_a_confident_reading_has_one_view(micro_recognizer: Recognizer) -> None:
    scripted = ScriptedReader(micro_recognizer, [("up", 0.99)] * 8)
    [reading] = RecognizerRunner(scripted).read_pictures([light_at_top()], augment=True)  # type: ignore[arg-type]  # a stand-in
    assert reading.best.text == "up"
    assert len(scripted.crops) == 8  # one, padded to a step


def test_a_low_confidence_reading_is_decided_by_all_views(micro_recognizer: Recognizer) -> None:
    first = [("no", 0.8), ("up", 0.6), ("so", 0.999), *UNSEEN * 5]
    others = [
        [("no", 0.7), ("on", 0.9), ("NO", 0.9), ("zz", 0.3), ("zz", 0.3), ("zz", 0.3)],
        [("up", 0.5), ("dn", 0.8), ("dn", 0.9), ("up", 0.8), ("zz", 0.3), ("zz", 0.3)],
    ]
    scripted = ScriptedReader(micro_recognizer, [*first, *others[0], *others[1], *UNSEEN * 4])
    agreed = list(RecognizerRunner(scripted).read_pictures([light_at_top()] * 3, augment=True))  # type: ignore[arg-type]  # a stand-in
    assert [reading.best.text for reading in agreed] == ["NO", "dn", "so"]
    assert agreed[0].best.confidence == pytest.approx(0.9**3)  # of the most confident view


def test_where_views_disagree_the_character_model_decides(micro_recognizer: Recognizer) -> None:
    views = [("hxt", 0.9), ("hxt", 0.9), ("hot", 0.9), ("hot", 0.88), ("zz", 0.3), ("zz", 0.3)]
    scripted = ScriptedReader(micro_recognizer, [])

    def read() -> str:
        script = [("zz", 0.3), *UNSEEN * 7, *views, *UNSEEN * 2]
        scripted.tables = [scripted.table_of(*each) for each in script]
        [reading] = RecognizerRunner(scripted).read_pictures([light_at_top()], augment=True)  # type: ignore[arg-type]  # a stand-in
        return reading.best.text

    assert read() == "hxt"
    scripted.character_lm = lambda words: torch.tensor([-20.0 if word == "hxt" else -8.0 for word in words])
    assert read() == "hot"


def test_a_low_confidence_word_of_a_photograph_is_rescored_with_the_character_model(
    micro_recognizer: Recognizer,
) -> None:
    scripted = ScriptedReader(micro_recognizer, [])
    unsure, sure = scripted.table_of("hxt", 0.6), scripted.table_of("hxt", 0.98)
    unsure[1, scripted.charset.encode("o")[0]] = 0.3

    def read() -> list[str | None]:
        scripted.tables = [unsure, sure, *[sure] * 6]
        [found] = RecognizerRunner(scripted).read_instances(  # type: ignore[arg-type]  # a stand-in
            [light_at_top()], [[instance(0), instance(0)]]
        )
        return [each.transcript for each in found]

    assert read() == ["hxt", "hxt"]
    scripted.character_lm = lambda words: torch.tensor([-20.0 if word == "hxt" else -8.0 for word in words])
    assert read() == ["hot", "hxt"]


def test_words_in_photographs_are_read_once(micro_recognizer: Recognizer) -> None:
    scripted = ScriptedReader(micro_recognizer, [("up", 0.7), ("dn", 0.1), *UNSEEN * 6])
    reader = RecognizerRunner(scripted)  # type: ignore[arg-type]  # a stand-in
    [[first, second]] = reader.read_instances([light_at_top()], [[instance(0), instance(0)]])
    assert (first.transcript, second.transcript) == ("up", "dn")


def test_augmentation_tilts_a_low_confidence_word_both_ways(micro_recognizer: Recognizer) -> None:
    scripted = ScriptedReader(micro_recognizer, [("up", 0.5)] * 16)
    list(RecognizerRunner(scripted).read_pictures([light_at_top()], augment=True))  # type: ignore[arg-type]  # a stand-in
    first, *tilted = scripted.crops[0], *scripted.crops[8 : 8 + len(TILTS)]
    assert (first[:, 0] == first[:, -1]).all()
    falls = [float(crop[:, -1].sum() - crop[:, 0].sum()) for crop in tilted]
    assert falls == sorted(falls, reverse=True)
    assert falls[2] > 0 > falls[3]


def test_pictures_of_any_size_are_stretched(micro_recognizer: Recognizer) -> None:
    reader = RecognizerRunner(HeadReader(micro_recognizer))  # type: ignore[arg-type]  # a stand-in
    picture = np.repeat(np.repeat(light_at_top(), 3, axis=0), 2, axis=1)
    assert [crop.best.text for crop in reader.read_pictures([picture])] == ["up"]
