from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from program import ROOT

import stsearch
from stsearch.datasets.labelled_folder import read_dataset, read_words
from stsearch.images import read_image
from stsearch.text.charset import normalize

EXAMPLES = ROOT / "examples"
PHOTOGRAPHS = EXAMPLES / "photographs"


def run(script: str, *arguments: str | Path) -> str:
    command = [sys.executable, EXAMPLES / script, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_weights")
def test_search_gallery_finds_the_two_photographs_that_carry_the_word(rendered_gallery: Path) -> None:
    best = run("search_gallery.py", rendered_gallery, "headquarters").splitlines()[:2]
    assert {line.split()[-1] for line in best} == {"street-04.jpg", "street-11.jpg"}


@pytest.mark.parametrize("script", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_without_arguments_an_example_says_how_it_is_called(script: str) -> None:
    done = subprocess.run([sys.executable, EXAMPLES / script], capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert f"python examples/{script} " in done.stderr or f"usage: {script} " in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_weights")
def test_spot_words_reads_a_photograph(rendered_gallery: Path) -> None:
    words = run("spot_words.py", rendered_gallery / "street-07.jpg").split()
    assert {"garden", "music"} <= set(map(normalize, words))


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_weights")
def test_label_crops_makes_crops_that_can_be_trained_on(rendered_gallery: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    shutil.copy(rendered_gallery / "street-07.jpg", tmp_path / "photos")
    counted = run("label_crops.py", tmp_path / "photos", tmp_path / "crops")
    words = read_words(tmp_path / "crops")
    assert counted == f"{len(words)} words\n"
    [photo] = [each for each in read_dataset(rendered_gallery) if each.image.name == "street-07.jpg"]
    shown = {normalize(word.transcript) for word in photo.words}
    assert sum(normalize(label) in shown for _, label in words) > len(words) / 2 > 1
    assert all(min(read_image(crop).shape[:2]) >= 8 for crop, _ in words)


@pytest.mark.slow
def test_render_gallery_makes_labelled_photographs(tmp_path: Path) -> None:
    run("render_gallery.py", tmp_path)
    labels = [json.loads(line) for line in (tmp_path / "annotations.jsonl").read_text().splitlines()]
    assert len(labels) == 12
    assert all((tmp_path / label["image"]).is_file() for label in labels)


@pytest.mark.slow
def test_render_photographs_labels_the_words_of_its_sign(tmp_path: Path) -> None:
    run("render_photographs.py", tmp_path, "--only", "street-name", "--width", "120", "--samples", "1")
    [photo] = read_dataset(tmp_path)
    assert [word.transcript for word in photo.words] == ["GARDEN", "STREET"]
    assert read_image(photo.image).shape == (80, 120, 3)
    garden, street = (word.polygon for word in photo.words)
    assert 20 < garden[:, 0].min() < garden[:, 0].max() < street[:, 0].min() < street[:, 0].max() < 90


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_weights")
def test_every_word_on_a_sign_finds_its_photograph(tmp_path: Path) -> None:
    signs = {
        (normalize(word.transcript), photo.image.name)
        for photo in read_dataset(PHOTOGRAPHS)
        for word in photo.words
    }
    with stsearch.index(PHOTOGRAPHS, gallery=tmp_path) as photos:
        found = {
            (text, hit.path.name)
            for text, _ in signs
            for hit in photos.search(text, group="photo", min_score=0.5)
        }
    assert found == signs


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_weights")
def test_draw_hits_draws_a_row_of_photographs(tmp_path: Path) -> None:
    run("draw_hits.py", PHOTOGRAPHS, "garden", tmp_path / "hits.jpg")
    height, width, _ = read_image(tmp_path / "hits.jpg").shape
    assert width > 3 * height


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_weights")
def test_capture_terminal_shows_what_was_found_and_fetches_nothing(tmp_path: Path) -> None:
    run("capture_terminal.py", PHOTOGRAPHS, tmp_path / "terminal.svg")
    shown = (tmp_path / "terminal.svg").read_text(encoding="utf-8").replace("&#160;", " ")
    assert "photos/rose-garden.jpg" in shown
    assert "@font-face" not in shown


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_weights")
@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
def test_capture_page_shows_hits_and_a_photograph(tmp_path: Path) -> None:
    run("capture_page.py", tmp_path / "page.jpg", tmp_path / "photograph.jpg", "garden", PHOTOGRAPHS)
    for name in ("page.jpg", "photograph.jpg"):
        picture = read_image(tmp_path / name)
        assert picture.shape[1] == 1200
        assert picture.std() > 20


def test_the_pictures_stay_small() -> None:
    pictures = [*PHOTOGRAPHS.iterdir(), *EXAMPLES.glob("*.jpg"), *EXAMPLES.glob("*.svg")]
    assert sum(picture.stat().st_size for picture in pictures) < 800_000


def test_the_rendered_gallery_stays_small(rendered_gallery: Path) -> None:
    assert sum(file.stat().st_size for file in rendered_gallery.iterdir()) < 1_500_000
