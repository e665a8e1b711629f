"""A report as Markdown and as a page: figures, published results, plots, and pictures of what was missed."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from eval_fixtures import FakeEncoder, box, instance, label

from stsearch.evaluation.catalogue import BENCHMARKS
from stsearch.evaluation.predictions import Conditions, Predictions
from stsearch.evaluation.published import published_detection, published_recognition, published_retrieval
from stsearch.evaluation.reports.comparison import comparisons_of
from stsearch.evaluation.reports.curve import precision_at_recalls
from stsearch.evaluation.reports.figures import data_set_of, figures_of
from stsearch.evaluation.reports.html import to_html
from stsearch.evaluation.reports.markdown import to_markdown
from stsearch.evaluation.reports.misses import PICTURE, Miss, picture_of, worst_misses
from stsearch.evaluation.scoring import Report, score
from stsearch.types import Sample

CONDITIONS = Conditions("stsearch tiny", "a machine, 2 cores", "float32", "1280 pixels", 3 << 20, 5 << 20)


def report_on(folder: Path, benchmark: str = "svt") -> Report:
    """Return a report in which "<b>" is found, "coffee" is missed below one photograph, and "tea" found."""
    words = {"a": ("<b>", "tea"), "b": ("coffee",), "c": ("exit",)}
    read = {"a": ("b", "tea"), "b": ("xyz",), "c": ("cofexit",)}
    folder.mkdir(exist_ok=True)
    samples, found = [], {}
    for name, texts in words.items():
        photo = folder / f"{name}.png"
        PIL.Image.new("RGB", (400, 300), (10, 20, 30)).save(photo)
        samples.append(Sample(photo, tuple(map(label, texts, (0.0, 50.0)))))
        found[photo] = [instance(text) for text in read[name]]
    predictions = Predictions(found, "5ha", 1.5, CONDITIONS)
    return score(BENCHMARKS[benchmark].truth(samples), predictions, FakeEncoder(1.0))


def test_figures_carry_speed_hardware_input_and_weights(tmp_path: Path) -> None:
    figures = dict(figures_of(report_on(tmp_path)))
    assert re.fullmatch(r"2\.00 photos/s, [\d.]+ ms/query", figures["speed"])
    assert figures["hardware"] == "a machine, 2 cores"
    assert figures["input"] == "1280 pixels, float32; peak memory 3 MiB, 5 MiB on the GPU"
    assert (figures["system"], figures["weights"]) == ("stsearch tiny", "sha256 5ha")
    assert figures["queries"].startswith("every distinct tag of test.xml")


def test_published_results_stand_beside_ours_in_order(tmp_path: Path) -> None:
    (comparison,) = comparisons_of(report_on(tmp_path))
    figures = [row.figure for row in comparison.rows]
    assert figures == sorted(figures)
    assert comparison.ours in comparison.rows
    assert comparison.ours.speed == "2, a machine, 2 cores"
    assert "published figures are for 249 and 427" in comparison.ours.remark


def test_detection_is_compared_whatever_the_query_rule(tmp_path: Path) -> None:
    titles = [each.title for each in comparisons_of(report_on(tmp_path, "icdar15-mstar"))]
    assert titles == ["mAP %", "F-measure %"]


def test_rules_that_no_paper_reports_are_compared_with_none(tmp_path: Path) -> None:
    assert published_retrieval("total-text-pstr") == []
    assert list(comparisons_of(report_on(tmp_path, "folder"))) == []


@pytest.mark.parametrize(
    ("benchmark", "method", "figure"),
    [
        ("svt", "TDSL 2021", 89.38),
        ("iiit-str", "FDP-RN50x16 2024", 89.46),
        ("ctr", "PSTR 2024", 72.95),
        ("total-text-mstar", "TG-Bridge + edit distance", 87.11),
        ("ctw1500", "MSTAR 2025 with re-ranking", 92.95),
        ("icdar15-mstar", "MSTAR 2025", 81.21),
        ("fdp-phrases", "MSTAR 2025", 95.71),
    ],
)
def test_published_retrieval_results_stand_under_their_benchmark(
    benchmark: str, method: str, figure: float
) -> None:
    assert {row.method: row.figure for row in published_retrieval(benchmark)}[method] == figure


def test_figures_tuned_on_the_training_split_say_so() -> None:
    remarks = {row.method: row.remark for row in published_retrieval("ctw1500")}
    assert remarks["DeepSolo + edit distance"] == "tuned on the training split of the set"
    assert remarks["MSTAR 2025"] == ""


def test_published_detection_and_recognition_results() -> None:
    assert {row.method: row.figure for row in published_detection("icdar15-tdsl")}["TCM-DBNet"] == 88.8
    assert published_detection("svt") == ()
    figures = {row.method: row.figure for row in published_recognition("IC15_1811")}
    assert figures["CLIP4STR-L, 3.3 M real"] == 91.66
    assert "PARSeq-S, real" not in figures
    assert published_recognition("mine") == []


def test_markdown_lists_queries_worst_first_and_escapes_bars(tmp_path: Path) -> None:
    report = report_on(tmp_path)
    report = dataclasses.replace(report, conditions=dataclasses.replace(CONDITIONS, hardware="a|b"))
    text = to_markdown(report)
    assert text.startswith("# svt: 3 photos, 4 queries\n\n| | |\n|---|---|\n| retrieval | mAP ")
    assert "| hardware | a\\|b |" in text
    assert "\n| **stsearch tiny** | " in text
    queries = re.findall(r"^\| (\S+) \| [\d.]+ \| \d \|$", text, re.MULTILINE)
    assert queries == ["coffee", "<b>", "exit", "tea"]


def test_the_page_needs_nothing_else_and_shows_text_as_text(tmp_path: Path) -> None:
    page = to_html(report_on(tmp_path))
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "<p>&lt;b&gt;, " in page
    assert "<p><b>" not in page
    assert page.count("<img ") == 1
    assert "<b>coffee</b> in b.png: score 0.00, 2 without it" in page
    assert '<tr class="ours">' in page


def test_the_page_begins_with_the_name_and_the_figures(tmp_path: Path) -> None:
    report = report_on(tmp_path / "signs", "folder")
    assert data_set_of(report) == "signs"
    header = to_html(report).partition("</header>")[0].partition("<header>")[2]
    text = " ".join(re.sub(r"<[^>]+>", " ", header).split())
    figure = f"{report.mean_average_precision:.1%}"
    assert text.startswith(f"signs folder: 3 photos, 3 queries Retrieval (mAP) {figure} mean over 3 queries")


def test_bars_are_as_long_as_their_figures_and_perfect_queries_are_listed_apart(tmp_path: Path) -> None:
    report = report_on(tmp_path)
    precisions = dict(report.average_precision) | {"coffee": 0.25, "exit": 0.5, "<b>": 1.0, "tea": 1.0}
    page = to_html(dataclasses.replace(report, average_precision=precisions))
    bars = page.partition("<h2>Average precision</h2>")[2]
    assert re.findall(r'class="part" width="([\d.]+)"', bars) == ["25.0", "50.0"]
    assert "2 of 4 queries rank every photograph that answers above all others" in bars
    assert "<p>&lt;b&gt;, tea</p>" in bars


def test_a_curve_is_drawn_only_where_there_is_something_to_see(tmp_path: Path) -> None:
    report = report_on(tmp_path)
    [points] = re.findall(r'<polyline points="(.*?)"', to_html(report))
    assert len(points.split()) == 101
    perfect = dict.fromkeys(report.average_precision, 1.0)
    assert "<polyline" not in to_html(dataclasses.replace(report, average_precision=perfect))


def test_names_that_are_not_utf_8_are_spelled_out(tmp_path: Path) -> None:
    report = report_on(tmp_path / "caf\udce9")
    (missed,) = [sample for sample in report.truth.samples if sample.image.name == "b.png"]
    renamed = missed.image.rename(missed.image.with_name("caf\udce9.png"))
    samples = [
        dataclasses.replace(sample, image=renamed) if sample is missed else sample
        for sample in report.truth.samples
    ]
    relevant = {
        query: frozenset(renamed if photo == missed.image else photo for photo in answers)
        for query, answers in report.truth.relevant.items()
    }
    truth = dataclasses.replace(report.truth, samples=samples, relevant=relevant)
    page = to_html(dataclasses.replace(report, truth=truth))
    assert page.encode("utf-8")
    assert "in caf\\udce9.png: score" in page
    assert page.count("<img ") == 1


def test_a_page_without_retrieval_has_neither_a_curve_nor_queries(tmp_path: Path) -> None:
    page = to_html(report_on(tmp_path, "td500"))
    assert "<polyline" not in page
    assert "Average precision" not in page
    assert "hmean" in page


def test_misses_are_one_a_query_with_those_most_buried_first(tmp_path: Path) -> None:
    report = report_on(tmp_path)
    scores = np.array([[1, 0, 0], [0.2, 0.1, 0.3], [0.4, 0.3, 0.2], [0, 0.9, 0.9]], np.float32)
    misses = worst_misses(dataclasses.replace(report, scores=scores), 5)
    assert report.truth.queries == ["<b>", "coffee", "exit", "tea"]
    assert [(miss.query, miss.above) for miss in misses] == [("coffee", 2), ("exit", 2), ("tea", 2)]
    assert misses[0].polygon is not None
    assert [miss.query for miss in worst_misses(dataclasses.replace(report, scores=scores), 1)] == ["coffee"]


def pixels_of(miss: Miss) -> np.ndarray:
    picture = picture_of(miss)
    assert picture is not None
    data = base64.b64decode(picture.source.removeprefix("data:image/jpeg;base64,"))
    pixels = np.asarray(PIL.Image.open(io.BytesIO(data)))
    assert pixels.shape == (picture.height, picture.width, 3)
    return pixels


def test_a_picture_shows_the_word_with_its_outline(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (400, 300)).save(tmp_path / "a.png")
    picture = pixels_of(Miss("exit", tmp_path / "a.png", 1, 0.0, box(100)))
    assert picture.shape == (20, 30, 3)
    assert picture[:12, 8:22].max() > 150


def test_a_picture_of_a_whole_photograph_is_shrunk(tmp_path: Path) -> None:
    PIL.Image.new("RGB", (2 * PICTURE, PICTURE)).save(tmp_path / "a.png")
    assert pixels_of(Miss("exit", tmp_path / "a.png", 1, 0.0, None)).shape == (PICTURE // 2, PICTURE, 3)


def test_a_photograph_that_cannot_be_read_leaves_no_picture(tmp_path: Path) -> None:
    assert picture_of(Miss("exit", tmp_path / "absent.png", 1, 0.0, None)) is None


def test_precision_is_interpolated_for_plots() -> None:
    curve = precision_at_recalls(np.array([0, 1, 1], bool), np.array([3.0, 2.0, 1.0]))
    assert (curve[0], curve[50], curve[100]) == (2 / 3, 2 / 3, 2 / 3)
    half = precision_at_recalls(np.array([1, 0, 1], bool), np.array([3.0, 2.0, 1.0]))
    assert (half[50], half[51]) == (1.0, 2 / 3)
    assert not precision_at_recalls(np.array([0, 0], bool), np.array([1.0, 2.0])).any()
