"""likeness.py: a picture of a word finds what looks like it, and what reads like it as far as it was read."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from gallery_fixtures import MODEL, embed, instance, make_gallery

from stsearch.engines.torch_engine import TorchSceneEngine
from stsearch.images import read_image
from stsearch.models.scene_text import SceneTextModel
from stsearch.search.engine import search
from stsearch.search.hits import Hit
from stsearch.search.query_by_image import query_by_image, query_by_word
from stsearch.spotting.spotter import Spotter
from stsearch.types import Image, ModelInfo, Polygon, TextInstance


class FixedReader:
    """Reads what it is told to, whatever it sees, and keeps what it saw."""

    info = MODEL

    def __init__(self, *readings: tuple[str, float], looks: str = "") -> None:
        self.readings = readings
        self.looks = looks
        self.seen: list[tuple[tuple[int, ...], Polygon]] = []

    def read(
        self, images: Sequence[Image], polygons: Sequence[Sequence[Polygon]], augment: bool = False
    ) -> list[list[TextInstance]]:
        assert augment  # one crop has the time
        self.seen = [(image.shape, quad) for image, [quad] in zip(images, polygons, strict=True)]
        return [
            [TextInstance(quad, 1.0, text, confidence, embed(self.looks or text))]
            for (_, quad), (text, confidence) in zip(self.seen, self.readings, strict=True)
        ]


def blank(height: int, width: int) -> Image:
    return np.zeros((height, width, 3), np.uint8)


def find(folder: Path, reader: FixedReader, picture: Image) -> list[Hit]:
    query, encoder = query_by_image(reader, picture, "crop.png")
    with make_gallery(folder, {"a.jpg": ["Coffee"], "b.jpg": ["bakery"]}) as gallery:
        return search(gallery, query, encoder)


def test_a_word_that_was_read_is_found_by_its_looks_and_its_transcript(tmp_path: Path) -> None:
    best, _ = find(tmp_path, FixedReader(("COFFEE", 1.0)), blank(20, 80))
    assert (best.path.name, best.query) == ("a.jpg", "crop.png")
    assert best.score == pytest.approx(1.0, abs=1e-3)
    assert [(match.word, match.edits) for match in best.matches] == [("coffee", 0)]


def test_where_nothing_was_read_the_looks_alone_decide(tmp_path: Path) -> None:
    best, other = find(tmp_path, FixedReader(("", 0.9), looks="bakery"), blank(20, 80))
    assert best.path.name == "b.jpg"
    assert best.score == pytest.approx(1.0, abs=1e-3)
    assert other.score == pytest.approx(other.similarity, abs=1e-3)


@pytest.mark.parametrize(("confidence", "first"), [(1.0, "a.jpg"), (0.0, "b.jpg")])
def test_the_transcript_counts_as_far_as_it_can_be_trusted(
    tmp_path: Path, confidence: float, first: str
) -> None:
    looks = "bakerycoffee"  # like both words, and a little more like "bakery"
    hits = find(tmp_path, FixedReader(("coffee", confidence), looks=looks + "bk"), blank(20, 80))
    assert hits[0].path.name == first


@pytest.mark.parametrize("size", [(100, 400), (10, 40)])
def test_a_picture_is_seen_at_one_size_over_its_whole_extent(size: tuple[int, int]) -> None:
    reader = FixedReader(("word", 0.5))
    query_by_image(reader, blank(*size), "crop.png")
    ((shape, quad),) = reader.seen
    assert shape == (32, 128, 3)
    assert quad.tolist() == [[0, 0], [128, 0], [128, 32], [0, 32]]


def test_a_tall_picture_is_turned_to_where_it_is_read_surest_a_character() -> None:
    reader = FixedReader(("il", 0.4), ("coffee", 0.3), ("eeffoc", 0.1))
    query, _ = query_by_image(reader, blank(80, 20), "crop.png")
    assert query.words == ("coffee",)
    assert [shape for shape, _ in reader.seen] == [(128, 32, 3), (32, 128, 3), (32, 128, 3)]


def test_the_network_embeds_a_picture_of_a_word(micro_model: SceneTextModel) -> None:
    info = ModelInfo("micro", "0" * 64, micro_model.config.embedder.characters, 64, 256)
    query, encoder = query_by_image(Spotter(TorchSceneEngine(micro_model), info), blank(30, 90), "crop.png")
    (embedding,) = encoder(query.words)
    assert embedding.shape == (64,)
    assert float(np.linalg.norm(embedding)) == pytest.approx(1.0, abs=1e-4)


@pytest.mark.slow
def test_the_shipped_weights_find_the_word_a_crop_was_cut_from(
    tiny_weights: Path, rendered_gallery: Path
) -> None:
    from stsearch.spotting.load import load_spotter

    photo = read_image(rendered_gallery / "street-03.jpg")
    query, _ = query_by_image(load_spotter(str(tiny_weights), "cpu"), photo[462:515, 45:255], "crop.png")
    assert query.words == ("garden",)


def test_a_word_of_a_photograph_finds_what_looks_and_reads_like_it(tmp_path: Path) -> None:
    word = instance("coffee")
    query, encoder = query_by_word(word, MODEL, "coffee")
    with make_gallery(tmp_path, {"a.png": ["milk"], "b.png": ["coffee"], "c.png": ["toffee"]}) as gallery:
        hits = search(gallery, query, encoder)
    assert [hit.transcript for hit in hits[:2]] == ["coffee", "toffee"]
    assert (query.words, query.is_typed) == (("coffee",), False)
    assert (encoder(["anything"])[0] == word.embedding).all()
