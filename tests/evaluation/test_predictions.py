"""What is found in photographs comes back from a gallery and from a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from eval_fixtures import FOUND, INFO, FakeEncoder, FakeSpotter, box

from stsearch.errors import DataError, ImageError, WriteError
from stsearch.evaluation.predictions import (
    Conditions,
    Predictions,
    predict,
    predict_by_indexing,
    read_gallery,
)
from stsearch.evaluation.scoring import photo_scores
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.records import Failed, Linked, PhotoFile, Spotted
from stsearch.search.engine import SearchOptions, search
from stsearch.search.query import Query
from stsearch.types import Sample


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    """Yield a gallery of ``FOUND``, in which b/2.jpg is without words and c.jpg could not be read."""
    with Gallery.create(tmp_path / "gallery", tmp_path / "photos", INFO) as gallery:
        gallery.add(
            Spotted(PhotoFile(str(photo), 1, 1), sha256=str(photo), height=20, width=100, instances=instances)
            for photo, instances in FOUND.instances.items()
        )
        gallery.add(
            [Linked(PhotoFile("copy.jpg", 1, 1), "b/1.jpg"), Failed(PhotoFile("c.jpg", 1, 1), "damaged")]
        )
        yield gallery


def test_a_gallery_gives_back_what_was_found_in_every_photograph(gallery: Gallery) -> None:
    found = read_gallery(gallery, Path("here"))
    transcripts = {str(photo): [i.transcript for i in instances] for photo, instances in found.items()}
    assert transcripts == {
        "here/a/1.jpg": ["open24", "EXIT"],
        "here/b/1.jpg": ["exif", "hidden", "and"],
        "here/b/2.jpg": [],
        "here/copy.jpg": ["exif", "hidden", "and"],
    }
    kept, original = found[Path("here/a/1.jpg")][1], FOUND.instances[Path("a/1.jpg")][1]
    np.testing.assert_array_equal(kept.polygon, box(50))
    assert (kept.score, kept.confidence) == (original.score, original.confidence)


@pytest.mark.parametrize("query", ["exit", "hide", "exit open", '"hid den"', "zzz"])
def test_photographs_rank_as_a_search_ranks_them(gallery: Gallery, query: str) -> None:
    options = SearchOptions(top=100, group="photo")
    hits = search(gallery, Query(query), FakeEncoder(), options)
    root = gallery.photos
    assert isinstance(root, Path)
    found = read_gallery(gallery, root)
    scores = photo_scores([Query(query)], list(found.values()), FakeEncoder())[0]
    scored = {hit.path: hit.score for hit in hits}
    assert scored  # a photograph without an answer is no hit and scores 0
    assert scores.tolist() == pytest.approx([scored.get(photo, 0.0) for photo in found])


def test_predict_keeps_photographs_and_reports_progress(tmp_path: Path) -> None:
    samples = []
    for width in range(20, 25):
        samples.append(Sample(tmp_path / f"{width}.png", ()))
        PIL.Image.new("RGB", (width, 8)).save(samples[-1].image)
    done: list[int] = []
    predictions = predict(FakeSpotter(), samples, done.append)
    assert [predictions.of(sample)[0].transcript for sample in samples] == [f"wide{w}" for w in range(20, 25)]
    assert done == [4, 5]
    assert predictions.weights_sha256 == "5ha"


def test_predict_names_a_photograph_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="absent"):
        predict(FakeSpotter(), [Sample(tmp_path / "absent.jpg", ())])


def test_predictions_survive_a_file(tmp_path: Path) -> None:
    FOUND.save(tmp_path / "found.npz")
    loaded = Predictions.load(tmp_path / "found.npz")
    assert (loaded.weights_sha256, loaded.seconds) == ("5ha", 1.5)
    assert list(loaded.instances) == list(FOUND.instances)
    for photo, instances in FOUND.instances.items():
        assert [i.transcript for i in loaded.instances[photo]] == [i.transcript for i in instances]
        for kept, original in zip(loaded.instances[photo], instances, strict=True):
            assert (kept.score, kept.confidence) == (original.score, original.confidence)
            np.testing.assert_array_equal(kept.polygon, original.polygon)
            np.testing.assert_array_equal(kept.embedding, original.embedding)


def test_predictions_without_any_instance_survive_a_file(tmp_path: Path) -> None:
    Predictions({Path("a.jpg"): []}, "5ha", 0.0).save(tmp_path / "none.npz")
    assert Predictions.load(tmp_path / "none.npz").instances == {Path("a.jpg"): []}


def test_a_file_that_holds_no_predictions_is_named(tmp_path: Path) -> None:
    (tmp_path / "junk.npz").write_bytes(b"PK junk")
    with pytest.raises(DataError, match=r"junk\.npz holds no predictions"):
        Predictions.load(tmp_path / "junk.npz")
    np.savez(tmp_path / "other.npz", points=np.zeros(3))
    with pytest.raises(DataError, match=r"other\.npz holds no predictions"):
        Predictions.load(tmp_path / "other.npz")


def test_predictions_that_cannot_be_written_are_reported(tmp_path: Path) -> None:
    with pytest.raises(WriteError, match="cannot write"):
        FOUND.save(tmp_path / "absent" / "found.npz")


def test_predictions_keep_their_conditions_and_what_could_not_be_read(tmp_path: Path) -> None:
    conditions = Conditions("tiny", "a machine, 2 cores", "float32", "64 pixels", 5, 6)
    unreadable = (Path("a.jpg"),)
    Predictions({Path("a.jpg"): []}, "5ha", 0.0, conditions, unreadable).save(tmp_path / "found.npz")
    loaded = Predictions.load(tmp_path / "found.npz")
    assert (loaded.conditions, loaded.unreadable) == (conditions, unreadable)


def test_only_photographs_of_the_benchmark_are_read_and_broken_ones_count_as_empty(tmp_path: Path) -> None:
    for name in ("a.png", "not-labelled.png"):
        PIL.Image.new("RGB", (20, 8)).save(tmp_path / name)
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    samples = [Sample(tmp_path / "a.png", ()), Sample(tmp_path / "broken.jpg", ())]
    found = predict_by_indexing(FakeSpotter(), [tmp_path], samples)
    assert {photo.name: len(instances) for photo, instances in found.instances.items()} == {
        "a.png": 1,
        "broken.jpg": 0,
    }
    assert found.unreadable == (tmp_path / "broken.jpg",)


def test_a_photograph_whose_ending_lies_is_read(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (20, 8)).save(tmp_path / "really-a-png.jpg", format="PNG")
    found = predict_by_indexing(FakeSpotter(), [tmp_path], [Sample(tmp_path / "really-a-png.jpg", ())])
    assert found.instances[tmp_path / "really-a-png.jpg"][0].transcript == "wide20"
