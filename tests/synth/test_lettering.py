from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest

from stsearch.errors import DataError
from stsearch.synth.lettering import (
    BUILTIN_FONT,
    Lettering,
    Typesetting,
    bend_arc,
    bend_wave,
    embolden,
    find_fonts,
    load_face,
    load_font,
    typeset_lines,
)


def letter(*lines: list[str], tracking: float = 0.0, align: float = 0.0) -> Lettering:
    return typeset_lines(lines, BUILTIN_FONT, Typesetting(size=40, tracking=tracking, align=align))


def ink_box(lettering: Lettering) -> tuple[int, int, int, int]:
    ys, xs = np.nonzero(lettering.mask > 127)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


@pytest.mark.parametrize("tracking", [0.0, 0.3])
def test_the_polygon_of_a_word_encloses_its_ink_tightly(tracking: float) -> None:
    lettering = letter(["Type"], tracking=tracking)
    x0, y0, x1, y1 = ink_box(lettering)
    low, high = lettering.polygons[0].min(0), lettering.polygons[0].max(0)
    beyond = np.array([x0 - low[0], y0 - low[1], high[0] - x1, high[1] - y1])
    assert (beyond >= 0).all()
    assert (beyond < 8).all()


def test_each_word_of_each_line_has_a_polygon_in_reading_order() -> None:
    lettering = letter(["one", "two"], ["three"])
    assert lettering.texts == ("one", "two", "three")
    one, two, three = (p.mean(0) for p in lettering.polygons)
    assert one[0] < two[0]
    assert three[1] > one[1] + 30


def test_lines_can_be_centred() -> None:
    lettering = letter(["a", "long", "line"], ["x"], align=0.5)
    middle = (lettering.polygons[0][0, 0] + lettering.polygons[2][1, 0]) / 2
    assert abs(lettering.polygons[3][:, 0].mean() - middle) < 4


def test_emboldening_adds_ink_and_thinning_removes_it() -> None:
    lettering = letter(["Type"])
    assert embolden(lettering, 0.03).mask.sum() > lettering.mask.sum() > embolden(lettering, -0.03).mask.sum()


@pytest.mark.parametrize(("sweep", "rises"), [(1.5, True), (-1.5, False)], ids=["arch", "smile"])
def test_an_arc_lifts_the_middle_and_a_smile_drops_it(sweep: float, rises: bool) -> None:
    polygon = bend_arc(letter(["CURVED"]), sweep, points=7).polygons[0]
    assert polygon.shape == (14, 2)
    assert (polygon[3, 1] < polygon[0, 1]) == rises


@pytest.mark.parametrize("sweep", [0.8, 2.8, -2.0])
def test_ink_stays_in_the_polygon_of_a_bent_word(sweep: float) -> None:
    import cv2

    bent = bend_arc(letter(["CURVED"]), sweep, points=7)
    inside = np.zeros_like(bent.mask)
    cv2.fillPoly(inside, [np.round(bent.polygons[0]).astype(np.int32)], 255)
    ink = bent.mask > 127
    assert ink.sum() > 500
    assert (inside[ink] > 0).mean() > 0.98


def test_a_wave_moves_words_up_and_down() -> None:
    flat = letter(["waves", "of", "text"])
    bent = bend_wave(flat, height=0.4, phase=0.0, waves=1.0)
    assert [len(p) for p in bent.polygons] == [12, 12, 12]
    assert bent.mask.shape[0] == flat.mask.shape[0] + 32


def test_the_built_in_font_draws_latin_letters() -> None:
    assert load_face(BUILTIN_FONT).drawable("Café 24!".replace(" ", "")) in {"Café24!", "Cafe24!"}


def test_characters_a_font_lacks_are_left_out() -> None:
    assert load_face(BUILTIN_FONT).drawable("a\u4e2db") == "ab"


@pytest.fixture
def font_folder(tmp_path: Path) -> Path:
    """A folder holding Pillow's font twice, one said to be illegible, the other without lower case."""
    stream = load_font(BUILTIN_FONT, 20).path
    assert isinstance(stream, io.BytesIO)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "good.ttf").write_bytes(stream.getvalue())
    shutil.copy(tmp_path / "deep" / "good.ttf", tmp_path / "deep" / "bad.ttf")
    table = "file,legibility,caps_only\ngood.ttf,0.9,yes\nbad.ttf,0.2,no\n"
    (tmp_path / "deep" / "fonts.csv").write_text(table)
    return tmp_path


def test_fonts_are_found_at_any_depth_without_the_illegible(font_folder: Path) -> None:
    assert [p.name for p in find_fonts(font_folder)] == ["good.ttf"]


def test_text_in_a_font_of_capitals_is_upper_case(font_folder: Path) -> None:
    assert load_face(find_fonts(font_folder)[0]).drawable("Exit") == "EXIT"


def test_a_file_that_is_no_font_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.ttf").write_bytes(b"not a font")
    with pytest.raises(DataError, match=r"broken\.ttf"):
        load_font(tmp_path / "broken.ttf", 20)
