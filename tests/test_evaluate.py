"""What a benchmark asks, what it counts, and that predictions survive a file."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import typer
from numpy.typing import NDArray

from stsearch.charset import ALPHANUMERIC
from stsearch.cli.eval import evaluate
from stsearch.errors import DataError, ImageError, UsageError, WriteError
from stsearch.evaluate import (
    BENCHMARKS,
    Predictions,
    predict,
    rank,
    read_gallery,
    relevance,
    retrieval_queries,
    score,
)
from stsearch.evaluate_words import WordReport
from stsearch.index.gallery import Gallery
from stsearch.index.records import Failed, Linked, PhotoFile, Spotted
from stsearch.metrics import DetectionCounts
from stsearch.query import Query
from stsearch.search import SearchOptions, search
from stsearch.types import Embedding, Image, ModelInfo, Polygon, Sample, TextInstance, WordLabel

INFO = ModelInfo("fake", "5ha", ALPHANUMERIC, dim=36, longer_side=64)


def box(x: float) -> Polygon:
    return np.array([[x, 0], [x + 10, 0], [x + 10, 10], [x, 10]], np.float32)


def embed(word: str) -> Embedding:
    """Count characters: words that share letters are similar."""
    counts = np.array([word.lower().count(c) for c in ALPHANUMERIC], np.float32)
    return (counts / max(float(np.linalg.norm(counts)), 1e-6)).astype(np.float32)


def label(transcript: str, x: float = 0, legible: bool = True) -> WordLabel:
    return WordLabel(box(x), transcript, legible)


def instance(transcript: str, x: float = 0) -> TextInstance:
    return TextInstance(box(x), 0.75, transcript, 0.5, embed(transcript))


class FakeEncoder:
    info = INFO

    def __call__(self, words: Sequence[str]) -> NDArray[np.float32]:
        return np.array([embed(word) for word in words])


class FakeSpotter:
    """Finds one word in an image, named by the image's width."""

    info = INFO
    decode_side = INFO.longer_side

    def spot(self, images: Sequence[Image]) -> list[list[TextInstance]]:
        return [[instance(f"wide{image.shape[1]}")] for image in images]


SAMPLES = [
    Sample(Path("a/1.jpg"), (label("Open 24"), label("EXIT", 50))),
    Sample(Path("b/1.jpg"), (label("exit!"), label("hidden", 50, legible=False), label("&", 80))),
    Sample(Path("b/2.jpg"), ()),
]
FOUND = Predictions(
    {
        Path("a/1.jpg"): [instance("open24"), instance("EXIT", 50)],
        Path("b/1.jpg"): [instance("exif"), instance("hidden", 50), instance("and", 80)],
        Path("b/2.jpg"): [],
    },
    weights_sha256="5ha",
    seconds=1.5,
)


def test_queries_are_the_distinct_folded_readable_words_of_three_or_more_characters() -> None:
    assert retrieval_queries(SAMPLES) == ["exit", "open"]


def test_shorter_queries_can_be_asked_for() -> None:
    assert retrieval_queries(SAMPLES, min_length=2) == ["24", "exit", "open"]


def test_a_photograph_is_relevant_when_it_carries_every_word_of_the_query() -> None:
    expected = [[True, True, False], [True, False, False], [False, False, False]]
    assert relevance(SAMPLES, ["exit", "exit open", "hidden"]).tolist() == expected


def test_a_word_within_a_longer_word_is_not_relevant() -> None:
    assert not relevance([Sample(Path("a.jpg"), (label("exited"),))], ["exit"]).any()


def test_a_photograph_scores_as_its_best_instance_and_zero_without_any() -> None:
    found = [[instance("abcd"), instance("exit")], [instance("exif")], []]
    assert rank(["exit"], found, FakeEncoder(), fusion=1.0).tolist() == [[1.0, 0.75, 0.0]]


def test_a_query_of_two_words_scores_as_their_mean() -> None:
    found = [[instance("exit"), instance("open")], [instance("exit")]]
    assert rank(["exit open"], found, FakeEncoder(), fusion=1.0).tolist() == [[1.0, 0.5]]


def test_rank_without_any_instance_is_zero() -> None:
    assert rank(["exit"], [[], []], FakeEncoder(), fusion=0.5).tolist() == [[0.0, 0.0]]


def test_report_counts_retrieval_detection_and_reading() -> None:
    report = score(SAMPLES, FOUND, FakeEncoder(), fusion=0.5)
    assert report.average_precision == {"exit": 1.0, "open": 1.0}
    assert report.mean_average_precision == 1.0
    assert report.detection == DetectionCounts(matched=4, labels=4, detections=4)
    assert report.spotting == DetectionCounts(matched=2, labels=3, detections=4)
    assert (report.photos, report.photos_per_s, report.weights_sha256) == (3, 2.0, "5ha")


def test_report_states_the_query_rule() -> None:
    benchmark = dataclasses.replace(BENCHMARKS["folder"], min_length=2)
    report = score(SAMPLES, FOUND, FakeEncoder(), 0.5, benchmark)
    assert report.query_rule.startswith("every distinct readable word of 2 or more characters")
    assert list(report.average_precision) == ["24", "exit", "open"]


def test_photographs_of_one_name_in_two_folders_are_told_apart() -> None:
    swapped = dataclasses.replace(FOUND, instances=dict(reversed(list(FOUND.instances.items()))))
    assert score(SAMPLES, swapped, FakeEncoder(), 0.5).mean_average_precision == 1.0


def test_false_alarms_of_partly_labelled_photographs_are_not_counted() -> None:
    samples = [dataclasses.replace(SAMPLES[0], partial=True)]
    found = {samples[0].image: [instance("EXIT", 50), instance("MORE", 90)]}
    report = score(samples, dataclasses.replace(FOUND, instances=found), FakeEncoder(), 0.5)
    assert report.detection == DetectionCounts(matched=1, labels=2, detections=1)


def test_predictions_of_other_weights_are_refused() -> None:
    with pytest.raises(DataError, match="made with weights 0ld"):
        score(SAMPLES, dataclasses.replace(FOUND, weights_sha256="0ld"), FakeEncoder(), 0.5)


def test_a_photograph_without_predictions_is_named() -> None:
    other = Sample(Path("c/9.jpg"), (label("exit"),))
    with pytest.raises(DataError, match=r"do not cover c/9\.jpg"):
        score([other], FOUND, FakeEncoder(), 0.5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder in the house format with one photograph that says EXIT."""
    instance = {"polygon": box(0).tolist(), "transcript": "EXIT", "legible": True}
    row = {"image": "1.jpg", "height": 10, "width": 10, "instances": [instance]}
    (tmp_path / "annotations.jsonl").write_text(json.dumps(row))
    (tmp_path / "1.jpg").touch()
    return tmp_path


def test_read_all_joins_folders(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    shutil.copytree(folder, other, dirs_exist_ok=True)
    samples = BENCHMARKS["folder"].read_all([folder, other])
    assert [sample.image for sample in samples] == [folder / "1.jpg", other / "1.jpg"]


def test_a_folder_named_twice_is_refused(folder: Path) -> None:
    with pytest.raises(DataError, match="listed twice"):
        BENCHMARKS["folder"].read_all([folder, folder / ".." / folder.name])


def test_read_all_refuses_folders_without_a_query(folder: Path) -> None:
    with pytest.raises(DataError, match="no readable word of 5 or more"):
        dataclasses.replace(BENCHMARKS["folder"], min_length=5).read_all([folder])


def test_labels_without_a_query_are_refused() -> None:
    with pytest.raises(DataError, match="no query"):
        score(SAMPLES[2:], FOUND, FakeEncoder(), 0.5)


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
    np.testing.assert_array_equal(found[Path("here/a/1.jpg")][1].polygon, box(50))


@pytest.mark.parametrize("query", ["exit", "hide", "exit open", "zzz"])
def test_photographs_rank_as_a_search_ranks_them(gallery: Gallery, query: str) -> None:
    options = SearchOptions(top=100, group="photo")
    hits = search(gallery, Query(query), FakeEncoder(), options)
    found = read_gallery(gallery, gallery.photos)
    scores = rank([query], list(found.values()), FakeEncoder(), INFO.fusion)[0]
    expected = {photo: score for photo, score in zip(found, scores.tolist(), strict=True) if found[photo]}
    assert {hit.path: hit.score for hit in hits} == pytest.approx(expected)


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


@pytest.fixture
def fake_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``stsearch eval`` find WIDE10 in the photograph of ``labelled``, whatever the weights."""
    monkeypatch.setattr("stsearch.weights.load_spotter", lambda name, device, reads=True: FakeSpotter())
    monkeypatch.setattr("stsearch.query_encoder.load_query_encoder", lambda name: FakeEncoder())


@pytest.fixture
def crops(tmp_path: Path) -> Path:
    """Return a folder of two crops with labels."""
    for name in ("a.png", "b.png"):
        PIL.Image.new("RGB", (30, 10)).save(tmp_path / name)
    (tmp_path / "labels.tsv").write_text("a.png\tup\nb.png\tdown\n")
    return tmp_path


@pytest.fixture
def labelled(folder: Path) -> Path:
    """Return ``folder`` with a photograph 10 pixels wide and the label of what is found in it."""
    PIL.Image.new("RGB", (10, 10)).save(folder / "1.jpg")
    text = (folder / "annotations.jsonl").read_text()
    (folder / "annotations.jsonl").write_text(text.replace("EXIT", "Wide10"))
    return folder


@pytest.mark.usefixtures("fake_weights")
def test_eval_reports_through_a_gallery_and_leaves_nothing_behind(
    labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate([labelled])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "folder: 1 photos, 1 queries",
        "retrieval  mAP 100.0%",
        "detection  hmean 100.0%, precision 100.0%, recall 100.0%",
        "reading    100.0% of the readable words spotted",
    ]
    assert "weights    sha256 5ha" in lines
    assert sorted(path.name for path in labelled.iterdir()) == ["1.jpg", "annotations.jsonl"]


@pytest.mark.usefixtures("fake_weights")
def test_eval_as_json_names_rule_weights_and_every_query(
    labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate([labelled], as_json=True)
    row = json.loads(capsys.readouterr().out)
    assert (row["type"], row["map"], row["queries"], row["weights_sha256"]) == ("eval", 1.0, 1, "5ha")
    assert row["average_precision"] == {"wide10": 1.0}
    assert "3 or more characters" in row["query_rule"]


def test_eval_of_words_reports_accuracy_and_edit_distance(
    crops: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stsearch.weights.load_reader", lambda name, device: object())
    monkeypatch.setattr(
        "stsearch.evaluate_words.evaluate_words",
        lambda reader, items: WordReport(len(items), 0.5, 0.75, 9.0),
    )
    evaluate([crops, crops], "words", as_json=True)
    row = json.loads(capsys.readouterr().out)
    assert (row["type"], row["dataset"], row["words"]) == ("eval", "words", 4)
    assert (row["accuracy"], row["ned"], len(row["weights_sha256"])) == (0.5, 0.75, 64)
    evaluate([crops], "words")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["words: 2 crops", "reading    accuracy 50.0%, 1-NED 75.0%"]


def test_eval_of_words_has_no_gallery_to_score_again(crops: Path) -> None:
    with pytest.raises(UsageError, match="--dataset words takes none of"):
        evaluate([crops], "words", min_map=50.0)


@pytest.mark.usefixtures("fake_weights")
def test_eval_below_the_gate_exits_with_1(labelled: Path) -> None:
    evaluate([labelled], min_map=100.0)
    with pytest.raises(typer.Exit) as exit_:
        evaluate([labelled], min_map=100.1)
    assert exit_.value.exit_code == 1


def test_eval_rescores_predictions_without_the_network(
    labelled: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("stsearch.query_encoder.load_query_encoder", lambda name: FakeEncoder())
    Predictions({labelled / "1.jpg": [instance("Wide1O")]}, "5ha", 0.5).save(labelled / "found.npz")
    evaluate([labelled], predictions=labelled / "found.npz", rescore=True)
    out = capsys.readouterr().out
    assert "reading    0.0% of" in out
    assert "speed      2.00 photos/s" in out


@pytest.mark.usefixtures("fake_weights")
def test_eval_keeps_predictions_that_score_the_same_again(
    labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate([labelled], predictions=labelled / "found.npz")
    first = capsys.readouterr().out
    evaluate([labelled], predictions=labelled / "found.npz", rescore=True)
    assert capsys.readouterr().out == first


def test_eval_refuses_what_cannot_work_before_it_begins(folder: Path) -> None:
    with pytest.raises(UsageError, match="--rescore needs --predictions"):
        evaluate([folder], rescore=True)
    with pytest.raises(UsageError, match="there is no folder"):
        evaluate([folder], predictions=folder / "absent" / "found.npz")
    with pytest.raises(UsageError, match="no dataset 'svt'; choose one of: folder"):
        evaluate([folder], dataset="svt")
