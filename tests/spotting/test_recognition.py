from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from stsearch.config import RecognizerConfig
from stsearch.engines.contract import CropReadings
from stsearch.engines.torch_engine import TorchCropEngine
from stsearch.models.recognizer import Recognizer
from stsearch.spotting.recognition import BATCH, RecognizerRunner
from stsearch.text.charset import Charset
from stsearch.types import Image, TextInstance


@pytest.fixture
def crops() -> list[Image]:
    random = np.random.default_rng(0)
    return list(random.integers(0, 256, (5, 32, 128, 3), dtype=np.uint8))


class HeadEngine:
    """Reads "up" where a crop is lighter at the top, and "dn" elsewhere, surely or not."""

    device, precision = "cpu", "none"

    def __init__(self) -> None:
        self.config = RecognizerConfig(character_lm_weight=0.16)
        self.charset = Charset(self.config.characters)
        self.priors: Callable[[Sequence[str]], list[float]] | None = None

    def read(self, crops: NDArray[np.uint8]) -> CropReadings:
        up = crops[:, :16].mean(axis=(1, 2, 3)) > crops[:, 16:].mean(axis=(1, 2, 3))
        tables = np.stack([self.table_of("up", 0.9) if each else self.table_of("dn", 0.6) for each in up])
        return CropReadings(tables, np.log(np.maximum(tables, 1e-9)), np.where(up, 1, -1).astype(np.float32))

    def table_of(self, text: str, sure: float) -> NDArray[np.float32]:
        table = np.zeros((4, len(self.charset)), np.float32)
        for place, c in enumerate([*self.charset.encode(text), 0]):
            table[place, c] = sure
        return table

    def log_probabilities(self, words: Sequence[str]) -> NDArray[np.float32] | None:
        return None if self.priors is None else np.array(self.priors(words), np.float32)


class ScriptedEngine(HeadEngine):
    """Reads what it is told to, crop after crop, each character as surely as is said."""

    def __init__(self, script: Sequence[tuple[str, float]]) -> None:
        super().__init__()
        self.tables = [self.table_of(*each) for each in script]
        self.crops: list[Image] = []

    def read(self, crops: NDArray[np.uint8]) -> CropReadings:
        self.crops += list(crops)
        tables = np.stack([self.tables.pop(0) for _ in crops])
        return CropReadings(tables, np.zeros_like(tables), np.ones(len(crops), np.float32))


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
    reader = RecognizerRunner(TorchCropEngine(micro_recognizer))
    together = list(reader.read(crops))
    [alone] = reader.read(crops[3:4])
    assert len(together) == 5
    assert together[3].best.text == alone.best.text
    assert together[3].best.confidence == pytest.approx(alone.best.confidence, rel=1e-3)


def test_more_crops_than_a_batch_come_back_in_order() -> None:
    crops = [light_at_top() if i % 3 else np.zeros((32, 128, 3), np.uint8) for i in range(BATCH + 10)]
    reader = RecognizerRunner(HeadEngine())
    assert [r.best.text for r in reader.read(crops)] == ["up" if i % 3 else "dn" for i in range(BATCH + 10)]


def test_nothing_to_read_is_no_error(micro_recognizer: Recognizer) -> None:
    assert list(RecognizerRunner(TorchCropEngine(micro_recognizer)).read([])) == []


def test_a_crop_on_its_head_is_turned_when_that_reads_better() -> None:
    reader = RecognizerRunner(HeadEngine())
    up, down = reader.read([light_at_top(), light_at_top()[::-1]])
    assert (up.best.text, up.upside_down) == ("up", False)
    assert (down.best.text, down.upside_down) == ("up", True)


def test_instances_are_read_from_their_own_pixels() -> None:
    reader = RecognizerRunner(HeadEngine())
    photo = np.concatenate([light_at_top(), light_at_top()[::-1]], axis=1)
    [[first, second], none] = reader.read_instances([photo, photo], [[instance(0), instance(128)], []])
    assert (first.transcript, first.score) == ("up", 0.7)
    assert first.confidence == pytest.approx(0.9**3, rel=1e-4)
    assert first.polygon[0].tolist() == [0, 0]
    assert second.polygon[0].tolist() == [256, 32]  # reading starts at the other end
    assert none == []


def test_a_picture_is_read_once_without_augmentation() -> None:
    scripted = ScriptedEngine([("up", 0.5)])
    [reading] = RecognizerRunner(scripted).read_pictures([light_at_top()])
    assert (reading.best.text, len(scripted.crops)) == ("up", 1)


def test_a_confident_reading_has_one_view() -> None:
    scripted = ScriptedEngine([("up", 0.99)])
    [reading] = RecognizerRunner(scripted).read_pictures([light_at_top()], augment=True)
    assert reading.best.text == "up"
    assert len(scripted.crops) == 1


def test_a_low_confidence_reading_is_decided_by_all_views() -> None:
    first = [("no", 0.8), ("up", 0.6), ("so", 0.999)]
    others = [
        [("no", 0.7), ("on", 0.9), ("NO", 0.9), ("zz", 0.3), ("zz", 0.3), ("zz", 0.3)],
        [("up", 0.5), ("dn", 0.8), ("dn", 0.9), ("up", 0.8), ("zz", 0.3), ("zz", 0.3)],
    ]
    scripted = ScriptedEngine([*first, *others[0], *others[1]])
    agreed = list(RecognizerRunner(scripted).read_pictures([light_at_top()] * 3, augment=True))
    assert [reading.best.text for reading in agreed] == ["NO", "dn", "so"]
    assert agreed[0].best.confidence == pytest.approx(0.9**3)  # of the most confident view


def test_where_views_disagree_the_character_model_decides() -> None:
    views = [("hxt", 0.9), ("hxt", 0.9), ("hot", 0.9), ("hot", 0.88), ("zz", 0.3), ("zz", 0.3)]
    scripted = ScriptedEngine([])

    def read() -> str:
        script = [("zz", 0.3), *views]
        scripted.tables = [scripted.table_of(*each) for each in script]
        [reading] = RecognizerRunner(scripted).read_pictures([light_at_top()], augment=True)
        return reading.best.text

    assert read() == "hxt"
    scripted.priors = lambda words: [-20.0 if word == "hxt" else -8.0 for word in words]
    assert read() == "hot"


def test_a_low_confidence_word_of_a_photograph_is_rescored_with_the_character_model() -> None:
    scripted = ScriptedEngine([])
    unsure, sure = scripted.table_of("hxt", 0.6), scripted.table_of("hxt", 0.98)
    unsure[1, scripted.charset.encode("o")[0]] = 0.3

    def read() -> list[str | None]:
        scripted.tables = [unsure, sure]
        [found] = RecognizerRunner(scripted).read_instances([light_at_top()], [[instance(0), instance(0)]])
        return [each.transcript for each in found]

    assert read() == ["hxt", "hxt"]
    scripted.priors = lambda words: [-20.0 if word == "hxt" else -8.0 for word in words]
    assert read() == ["hot", "hxt"]


def test_what_nobody_will_use_is_not_rescored() -> None:
    scripted = ScriptedEngine([])
    unsure = scripted.table_of("hxt", 0.6)
    unsure[1, scripted.charset.encode("o")[0]] = 0.3
    scripted.priors = lambda words: [-20.0 if word == "hxt" else -8.0 for word in words]

    def read(min_confidence: float) -> str:
        scripted.tables = [unsure]
        reader = RecognizerRunner(scripted)
        [[found]] = reader.read_instances([light_at_top()], [[instance(0)]], min_confidence=min_confidence)
        return found.transcript

    assert (read(0.5), read(0.7)) == ("hot", "hxt")


def test_words_in_photographs_are_read_once() -> None:
    scripted = ScriptedEngine([("up", 0.7), ("dn", 0.1)])
    reader = RecognizerRunner(scripted)
    [[first, second]] = reader.read_instances([light_at_top()], [[instance(0), instance(0)]])
    assert (first.transcript, second.transcript) == ("up", "dn")


def test_augmentation_tilts_a_low_confidence_word_both_ways() -> None:
    scripted = ScriptedEngine([("up", 0.5)] * 7)
    list(RecognizerRunner(scripted).read_pictures([light_at_top()], augment=True))
    first, *tilted = scripted.crops
    assert (first[:, 0] == first[:, -1]).all()
    falls = [float(crop[:, -1].sum()) - float(crop[:, 0].sum()) for crop in tilted]
    assert falls == sorted(falls, reverse=True)
    assert falls[2] > 0 > falls[3]


def test_pictures_of_any_size_are_stretched() -> None:
    reader = RecognizerRunner(HeadEngine())
    picture = np.repeat(np.repeat(light_at_top(), 3, axis=0), 2, axis=1)
    assert [crop.best.text for crop in reader.read_pictures([picture])] == ["up"]


class SpellingEngine(HeadEngine):
    """The decoder reads "no"; CTC spells two letters in every crop, 16 frames apart."""

    def __init__(self, sure: float) -> None:
        super().__init__()
        self.sure = sure
        self.seen = 0

    def read(self, crops: NDArray[np.uint8]) -> CropReadings:
        self.seen += len(crops)
        logits = np.full((len(crops), 32, len(self.charset)), -9.0, np.float32)
        logits[:, :, 0] = 9
        for frame, character in ((8, "l"), (24, "o")):
            logits[:, frame, [0, self.charset.encode(character)[0]]] = -9, 9
        tables = np.stack([self.table_of("no", self.sure)] * len(crops))
        return CropReadings(tables, logits, np.ones(len(crops), np.float32))


def test_a_long_word_that_is_read_with_doubt_is_read_in_parts() -> None:
    engine = SpellingEngine(sure=0.6)
    long, short = np.zeros((20, 200, 3), np.uint8), np.zeros((20, 90, 3), np.uint8)
    in_parts, whole = RecognizerRunner(engine).read_pictures([long, short])
    assert whole.best.text == "no"
    assert set(in_parts.best.text) == {"l", "o"}
    assert len(in_parts.best.text) > 2
    assert len(in_parts.ctc_posteriors) > len(whole.ctc_posteriors)


def test_a_long_word_that_is_read_surely_is_read_once() -> None:
    engine = SpellingEngine(sure=0.99)
    [reading] = RecognizerRunner(engine).read_pictures([np.zeros((20, 200, 3), np.uint8)])
    assert (reading.best.text, engine.seen) == ("no", 1)
