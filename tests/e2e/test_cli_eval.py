"""``stsearch eval``: what it prints, refuses and exits with."""

from __future__ import annotations

import errno
import json
import os
import re
from pathlib import Path
from types import SimpleNamespace

import PIL.Image
import pytest
import typer
from dataset_fixtures import SVT, save_word_set, write
from eval_fixtures import FakeEncoder, FakeSpotter, box, instance, write_house_folder

from stsearch.cli.eval import evaluate
from stsearch.config import RecognizerConfig
from stsearch.errors import DataError, UsageError, WriteError
from stsearch.evaluation.baselines import Line, OcrSpotter
from stsearch.evaluation.predictions import Predictions
from stsearch.evaluation.recognition import WordReport


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder in the house format with one photograph that says EXIT."""
    return write_house_folder(tmp_path)


@pytest.fixture
def fake_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``stsearch eval`` find WIDE10 in the photograph of ``labelled``, whatever the weights."""
    monkeypatch.setattr("stsearch.spotting.load.load_spotter", lambda *_: FakeSpotter())
    monkeypatch.setattr("stsearch.search.query_encoder.load_query_encoder", lambda name: FakeEncoder())


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
def test_eval_of_partial_labels_counts_no_word_that_is_not_labelled_as_wrong(
    labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    PIL.Image.new("RGB", (30, 10)).save(labelled / "2.png")
    with (labelled / "annotations.jsonl").open("a") as file:
        file.write('\n{"image": "2.png", "instances": []}\n')
    precisions = []
    for named in (labelled, Path(f"{labelled}:partial")):
        evaluate([named], as_json=True)
        precisions.append(json.loads(capsys.readouterr().out)["precision"])
    assert precisions == [0.5, 1.0]


def test_eval_names_a_trust_in_labels_that_there_is_not(labelled: Path) -> None:
    with pytest.raises(DataError, match=r":most: labels are partial or weak, not 'most'"):
        evaluate([Path(f"{labelled}:most")])


@pytest.mark.usefixtures("fake_weights")
def test_eval_as_json_names_rule_weights_and_every_query(
    labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate([labelled], as_json=True)
    row = json.loads(capsys.readouterr().out)
    assert (row["type"], row["map"], row["queries"], row["weights_sha256"]) == ("eval", 1.0, 1, "5ha")
    assert row["average_precision"] == {"wide10": 1.0}
    assert "3 or more characters" in row["query_rule"]
    assert row["precision"] == 1.0
    assert "pixels on the longer side" in row["conditions"]["input_size"]
    assert row["conditions"]["precision"] in ("float32", "bfloat16")
    assert row["conditions"]["peak_memory_bytes"] > 1 << 20
    assert re.search(r", \d+ cores?$", row["conditions"]["hardware"])


@pytest.fixture
def fake_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``stsearch eval`` read half of any word crops right, whatever the weights."""
    reader = SimpleNamespace(device="cpu", precision="float32", config=RecognizerConfig(size=(32, 128)))
    monkeypatch.setattr("stsearch.spotting.load.load_recognizer_runner", lambda *_: reader)
    monkeypatch.setattr(
        "stsearch.evaluation.recognition.evaluate_words",
        lambda reader, items, progress, augment: WordReport(len(list(items)), 0.5, 0.75, 9.0, 0.6, 0.8),
    )


@pytest.mark.usefixtures("fake_reader")
def test_eval_of_words_reports_accuracy_and_edit_distance(
    crops: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate([crops, crops], "words", as_json=True)
    row = json.loads(capsys.readouterr().out)
    assert (row["type"], row["dataset"], row["words"]) == ("eval", "words", 4)
    assert (row["accuracy"], row["ned"], len(row["weights_sha256"])) == (0.5, 0.75, 64)
    evaluate([crops], "words")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:4] == [
        "words: 2 crops",
        "reading    accuracy 50.0%, 1-NED 75.0%; read once, as by index",
        "augmented  accuracy 60.0%, 1-NED 80.0%; test-time augmentation, as by search --like",
        "speed      9.0 words/s",
    ]
    assert lines[5].startswith("input      crops of 128 x 32 pixels, ")
    assert row["conditions"]["system"] == "stsearch tiny"


def test_eval_of_words_has_no_gallery_to_score_again(crops: Path) -> None:
    with pytest.raises(UsageError, match="--dataset words takes --data, --model"):
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
    monkeypatch.setattr("stsearch.search.query_encoder.load_query_encoder", lambda name: FakeEncoder())
    Predictions({labelled / "1.jpg": [instance("Wide1O")]}, "5ha", 0.5).save(labelled / "found.npz")
    evaluate([labelled], predictions=labelled / "found.npz", rescore=True)
    out = capsys.readouterr().out
    assert "reading    0.0% of" in out
    assert "speed      2.00 photos/s, " in out


@pytest.mark.usefixtures("fake_weights")
def test_eval_keeps_predictions_that_score_the_same_again(
    labelled: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate([labelled], predictions=labelled / "found.npz")
    first = capsys.readouterr().out
    evaluate([labelled], predictions=labelled / "found.npz", rescore=True)
    assert without_clock(capsys.readouterr().out) == without_clock(first)


def without_clock(report: str) -> str:
    return re.sub(r"[\d.]+ ms/query", "", report)


def test_eval_refuses_what_cannot_work_before_it_begins(folder: Path) -> None:
    with pytest.raises(UsageError, match="--rescore needs --predictions"):
        evaluate([folder], rescore=True)
    with pytest.raises(UsageError, match="there is no folder"):
        evaluate([folder], predictions=folder / "absent" / "found.npz")
    with pytest.raises(UsageError, match="no dataset 'tvs'; choose one of: ctr, ctw1500"):
        evaluate([folder], dataset="tvs")


def test_eval_names_the_rules_of_a_set_that_papers_ask_in_different_ways(folder: Path) -> None:
    with pytest.raises(UsageError, match="choose one of: icdar15-mstar, icdar15-tdsl"):
        evaluate([folder], dataset="icdar15")


def test_eval_leaves_published_rules_as_they_are(folder: Path) -> None:
    with pytest.raises(UsageError, match="the shortest query of svt is published"):
        evaluate([folder], dataset="svt", queries_min_length=2)
    with pytest.raises(UsageError, match="td500 measures no retrieval, which"):
        evaluate([folder], dataset="td500", min_map=1.0)


@pytest.mark.usefixtures("fake_weights")
def test_eval_of_a_published_set_says_what_differs_and_measures_what_it_can(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path, {"test.xml": SVT.replace("LIVING", "Wide10"), "img/14_03.jpg": ""})
    PIL.Image.new("RGB", (10, 10)).save(tmp_path / "img/14_03.jpg")
    evaluate([tmp_path], dataset="svt")
    out = capsys.readouterr().out
    assert out.startswith("svt: 1 photos, 2 queries\nretrieval  mAP 100.0%\nspeed")
    assert "hmean" not in out
    assert "\nwarning    this copy has 1 photographs and 2 queries" in out


@pytest.mark.usefixtures("fake_weights")
def test_eval_ends_with_3_when_a_photograph_cannot_be_read(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as exit_:
        evaluate([folder])
    assert exit_.value.exit_code == 3
    assert "retrieval  mAP 100.0%" in (out := capsys.readouterr()).out
    assert "could not be read, and counts as without text" in out.err


def test_eval_of_a_baseline_measures_retrieval_and_names_the_engine(
    labelled: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = OcrSpotter("Fake 1.0", lambda image: [Line("wide 10", box(0))])
    monkeypatch.setattr("stsearch.evaluation.baselines.BASELINES", {"tesseract": lambda: engine})
    evaluate([labelled], baseline="tesseract", predictions=labelled / "found.npz")
    out = capsys.readouterr().out
    assert out.startswith("folder: 1 photos, 1 queries\nretrieval  mAP 100.0%\nspeed")
    assert "\nsystem     Fake 1.0\n" in out
    assert "weights" not in out
    evaluate([labelled], baseline="tesseract", predictions=labelled / "found.npz", rescore=True)
    assert without_clock(capsys.readouterr().out) == without_clock(out)


@pytest.mark.usefixtures("fake_reader")
def test_eval_of_recognition_sets_reports_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [save_word_set(tmp_path / name, [(b"", "exit")]) for name in ("CUTE80", "mine")]
    evaluate(folders, "str")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "CUTE80: 1 crops (published figures are for 288)"
    assert "published  99.65% CLIP4STR-B, 3.3 M real (word accuracy" in "\n".join(lines)
    assert "mine: 1 crops" in lines
    evaluate(folders, "str", as_json=True)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["dataset"], row["accuracy"]) for row in rows] == [("CUTE80", 0.5), ("mine", 0.5)]


@pytest.mark.usefixtures("fake_weights")
def test_eval_writes_markdown_and_html(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate([labelled], markdown=labelled / "report.md", html=labelled / "report.html")
    assert (labelled / "report.md").read_text().startswith("# folder: 1 photos, 1 queries\n")
    assert (labelled / "report.html").read_text().startswith("<!doctype html>")
    assert capsys.readouterr().out.startswith("folder: 1 photos, 1 queries\n")


@pytest.mark.usefixtures("fake_weights")
def test_eval_names_the_report_it_cannot_write(labelled: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        evaluate([labelled], html=labelled / "absent" / "report.html")
    with pytest.raises(UsageError, match="is a folder: name a file in it"):
        evaluate([labelled], html=labelled)
    (labelled / "notes.html").write_text("mine")
    with pytest.raises(UsageError, match="no page of stsearch: name another file"):
        evaluate([labelled], html=labelled / "notes.html")


@pytest.mark.usefixtures("fake_weights")
def test_a_full_disk_leaves_the_report_of_before(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_up(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (labelled / "report.html").write_text(before := '<meta name="generator" content="stsearch">')
    monkeypatch.setattr("os.fsync", fill_up)
    with pytest.raises(WriteError, match="No space left on device"):
        evaluate([labelled], html=labelled / "report.html")
    assert (labelled / "report.html").read_text() == before
    assert [file.name for file in labelled.iterdir() if file.name.startswith(".report")] == []
