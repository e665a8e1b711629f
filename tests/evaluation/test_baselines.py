"""OCR engines as spotters: what becomes of their lines, and what is said when they are not there."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import PIL.Image
import pytest
from eval_fixtures import box, label

from stsearch.errors import ImageError, UsageError
from stsearch.evaluation.baselines import EditSimilarity, Line, OcrSpotter, as_instances, load_baseline
from stsearch.evaluation.catalogue import BENCHMARKS
from stsearch.evaluation.predictions import predict_by_indexing
from stsearch.evaluation.scoring import score
from stsearch.types import Image, Sample

PICTURE = np.zeros((10, 20, 3), np.uint8)
PICTURE[..., 0] = 255
TABLE = """level\tpage_num\tblock_num\tpar_num\tline_num\tword_num\tleft\ttop\twidth\theight\tconf\ttext
1\t1\t0\t0\t0\t0\t0\t0\t20\t10\t-1\t
5\t1\t1\t1\t1\t1\t1\t2\t5\t4\t96\t"Open
5\t1\t1\t1\t1\t2\t7\t1\t6\t5\t96\t24
5\t1\t1\t1\t2\t1\t1\t8\t3\t2\t96\tBar
"""


def test_a_line_counts_as_its_words_and_as_a_whole_and_each_word_once() -> None:
    lines = [Line("Open 24/7", box(0)), Line("24/7", box(50)), Line("&", box(80))]
    found = list(as_instances(lines))
    assert [each.transcript for each in found] == ["open", "247", "open247"]
    assert [each.polygon[0, 0] for each in found] == [0, 0, 0]


def test_an_engine_goes_through_the_gallery_and_ranks_by_edit_similarity(tmp_path: Path) -> None:
    texts = {20: "Exit now", 30: "Exist", 40: ""}
    samples = []
    for width in texts:
        PIL.Image.new("RGB", (width, 8)).save(tmp_path / f"{width}.png")
        words = (label("exit"),) if width == 20 else ()
        samples.append(Sample(tmp_path / f"{width}.png", words))

    def read(image: Image) -> list[Line]:
        return [Line(texts[image.shape[1]], box(0))] if texts[image.shape[1]] else []

    engine = OcrSpotter("fake 1.0", read)
    truth = BENCHMARKS["folder"].truth(samples).for_retrieval()
    found = predict_by_indexing(engine, [tmp_path], samples)
    report = score(truth, found, EditSimilarity(engine.info))
    np.testing.assert_allclose(report.scores, [[1.0, 0.8, 0.0]])
    assert report.measures == {"retrieval"}
    assert report.average_precision == {"exit": 1.0}


def test_an_unknown_engine_is_answered_with_those_there_are() -> None:
    with pytest.raises(UsageError, match="no baseline 'ocrad'; choose one of: rapidocr, tesseract"):
        load_baseline("ocrad")


def test_a_missing_engine_is_answered_with_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rapidocr", None)
    with pytest.raises(UsageError, match=r"pip install 'stsearch\[peers\]'"):
        load_baseline("rapidocr")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UsageError, match="apt-get install tesseract-ocr"):
        load_baseline("tesseract")


def test_rapidocr_gets_blue_first_and_may_find_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [SimpleNamespace(txts=("Exit",), boxes=box(3)[None]), SimpleNamespace(txts=None, boxes=None)]
    seen: list[Image] = []

    def engine(image: Image) -> SimpleNamespace:
        seen.append(image)
        return found.pop(0)

    module = ModuleType("rapidocr")
    module.RapidOCR = lambda: engine  # type: ignore[attr-defined]  # a stand-in for the module
    monkeypatch.setitem(sys.modules, "rapidocr", module)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "3.1")
    spotter = load_baseline("rapidocr")
    (first,), second = spotter.spot([PICTURE, PICTURE])
    assert (spotter.name, first.transcript, second) == ("RapidOCR 3.1", "exit", [])
    assert first.polygon.tolist() == box(3).tolist()
    assert seen[0][0, 0].tolist() == [0, 0, 255]


@pytest.fixture
def tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program on the path that keeps the picture it gets and prints a table; return where."""
    (tmp_path / "table.tsv").write_text(TABLE)
    program = tmp_path / "tesseract"
    program.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = --version ]; then echo "tesseract 5.3.0"; exit; fi\n'
        f"cat > {tmp_path}/seen.ppm; cat {tmp_path}/table.tsv\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path / "seen.ppm"


def test_tesseract_gets_the_picture_and_its_words_become_lines(tesseract: Path) -> None:
    spotter = load_baseline("tesseract")
    (found,) = spotter.spot([PICTURE])
    assert spotter.name == "Tesseract 5.3.0"
    assert [each.transcript for each in found] == ["open", "24", "open24", "bar"]
    assert found[0].polygon.tolist() == [[1, 1], [13, 1], [13, 6], [1, 6]]
    np.testing.assert_array_equal(np.asarray(PIL.Image.open(tesseract)), PICTURE)


def test_a_program_that_fails_is_quoted(tesseract: Path) -> None:
    (tesseract.parent / "tesseract").write_text("#!/bin/sh\necho no language >&2; exit 1\n")
    with pytest.raises(ImageError, match="failed: no language"):
        load_baseline("tesseract")
