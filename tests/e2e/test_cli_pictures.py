"""``stsearch search --save`` and ``--sheet``: what is made, what is never harmed, what hostile names do."""

from __future__ import annotations

import base64
import html.parser
import io
import re
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from gallery_fixtures import Run, make_set_gallery

from stsearch.types import Image

GREY = 128
HOSTILE = "<img src=x onerror=alert(1)>&\"'\x1b[31m\udcff.png"


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of grey photographs; the gallery that is searched says what is written in them."""
    folder = tmp_path / "photos"
    folder.mkdir()
    signs = {"bar.png": ["bar"], "shop.png": ["fresh coffee", "", "", "", "coffee"], HOSTILE: ["coffee"]}
    make_set_gallery(folder, signs).close()
    for name in signs:
        PIL.Image.new("RGB", (640, 480), (GREY, GREY, GREY)).save(folder / name)
    monkeypatch.setenv("STSEARCH_INDEX", str(folder))
    return folder


def pixels(encoded: bytes) -> Image:
    return np.asarray(PIL.Image.open(io.BytesIO(encoded)).convert("RGB"))


def is_touched(image: Image, left: int, top: int, right: int, bottom: int) -> bool:
    return bool((np.abs(image[top:bottom, left:right].astype(int) - GREY) > 60).any())


def test_copies_have_the_word_outlined_and_the_photographs_stay(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    before = {file: file.read_bytes() for file in photos.glob("*.png")}
    assert run("search", "coffee", "--exact", "--save", tmp_path / "new" / "hits").code == 0
    copies = sorted((tmp_path / "new" / "hits").iterdir())
    assert [copy.name for copy in copies] == ["001-img_src_x_onerror_alert_1_______31m.jpg", "002-shop.jpg"]
    shop = pixels(copies[1].read_bytes())
    assert shop.shape == (480, 640, 3)
    assert is_touched(shop, 55, 0, 125, 25)  # the first line's second word
    assert not is_touched(shop, 0, 0, 50, 18)  # its first one
    assert {file: file.read_bytes() for file in photos.glob("*.png")} == before


def test_copies_never_replace_a_file(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "hits").mkdir()
    (tmp_path / "hits" / "001-bar.jpg").write_bytes(b"mine")
    run("search", "bar", "--save", tmp_path / "hits")
    assert (tmp_path / "hits" / "001-bar.jpg").read_bytes() == b"mine"
    assert pixels((tmp_path / "hits" / "001-bar-2.jpg").read_bytes()).shape == (480, 640, 3)


def test_copies_carry_no_exif(run: Run, photos: Path, tmp_path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x010E] = "who and where"
    PIL.Image.new("RGB", (640, 480)).save(photos / "bar.png", exif=exif)
    run("search", "bar", "--save", tmp_path / "hits")
    assert b"who and where" not in (tmp_path / "hits" / "001-bar.jpg").read_bytes()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        pytest.param(["--save", "{photos}/hits"], "the copies would be indexed", id="among the photos"),
        pytest.param(["--sheet", "{photos}/bar.png"], "let its name end in .html", id="over a photo"),
    ],
)
def test_what_could_harm_photographs_ends_with_2(
    run: Run, photos: Path, option: list[str], message: str
) -> None:
    before = sorted(photos.rglob("*"))
    done = run("search", "bar", *(part.format(photos=photos) for part in option))
    assert (done.code, done.out) == (2, "")
    assert message in done.err
    assert sorted(photos.rglob("*")) == before


def test_a_folder_that_cannot_be_written_to_ends_with_15(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert run("search", "bar", "--save", tmp_path / "file" / "hits").code == 15
    assert run("search", "bar", "--sheet", tmp_path / "file" / "a.html").code == 15


def test_photos_that_cannot_be_read_are_named_and_the_rest_is_shown(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    (photos / HOSTILE).unlink()
    sheet = tmp_path / "sheet.html"
    done = run("search", "coffee", "--exact", "--save", tmp_path / "hits", "--sheet", sheet)
    assert done.code == 3
    assert "onerror=alert(1)>&\"'\\x1b[31m\\udcff.png: No such file or directory\n" in done.err
    assert "\x1b" not in done.err
    assert [copy.name for copy in (tmp_path / "hits").iterdir()] == ["002-shop.jpg"]
    assert "This photo cannot be read now." in sheet.read_text(encoding="utf-8")


class Page(html.parser.HTMLParser):
    """What a browser would make of the sheet."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, tag: str, attribute: str) -> list[str]:
        return [found[attribute] or "" for name, found in self.tags if name == tag and attribute in found]


@pytest.fixture
def page(run: Run, photos: Path, tmp_path: Path) -> Page:
    run("search", "coffee", "--exact", "--sheet", tmp_path / "sheet.html")
    return Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))


def test_the_sheet_names_the_query_and_counts_hits(page: Page) -> None:
    assert "coffee · stsearch" in page.text
    assert "3 hits in 2 photos" in page.text


def test_the_sheet_holds_every_photo_once_and_every_word_cut_out(page: Page) -> None:
    sizes = [
        pixels(base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))).shape
        for source in page.all("img", "src")
    ]
    assert sizes == [(480, 640, 3), (72, 183, 3), (480, 640, 3), (72, 183, 3), (72, 183, 3)]


def test_the_sheet_links_to_the_photos(page: Page, photos: Path) -> None:
    links = list(dict.fromkeys(page.all("a", "href")))
    assert links[1] == f"file://{photos}/shop.png"
    assert re.search(r"%3Cimg%20src%3Dx.*%1B%5B31m%FF\.png$", links[0])


def test_the_sheet_needs_and_loads_nothing_else(page: Page) -> None:
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"} == set()
    assert all(source.startswith("data:") for source in page.all("img", "src"))
    assert page.all("meta", "content")[1].startswith("default-src 'none'")


def test_a_hostile_name_stays_text(page: Page) -> None:
    assert "<img src=x onerror=alert(1)>&\"'\\x1b[31m\\udcff.png" in page.text
    assert page.all("img", "onerror") == []


def test_the_sheet_of_several_queries_has_a_part_for_each(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("bar\ncoffee\n")
    done = run("search", "--queries", tmp_path / "list", "--exact", "--sheet", tmp_path / "a.html")
    assert done.code == 0
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert re.findall("<h2>(.*)</h2>", text) == ["bar", "coffee"]
    assert "<h1>bar, coffee</h1>" in text


def test_photos_without_the_word_are_shown_without_an_outline(run: Run, photos: Path, tmp_path: Path) -> None:
    options = ("--group", "photo", "--exact", "--min-score", "0", "--save", "hits")
    assert run("search", "bar", *options).code == 0
    assert (pixels(Path("hits/003-shop.jpg").read_bytes()) == GREY).all()
