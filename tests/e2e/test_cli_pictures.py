"""``stsearch search --save`` and ``--sheet``: what is made, what is never harmed, what hostile names do."""

from __future__ import annotations

import base64
import errno
import html.parser
import io
import os
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


def test_what_was_written_is_said(run: Run, photos: Path, tmp_path: Path) -> None:
    done = run("search", "coffee", "--exact", "--save", "hits", "--sheet", "page.html")
    saved, wrote = done.err.splitlines()[1:]
    assert saved == "Saved 2 photos in hits"
    assert re.fullmatch(r"Wrote page.html, \d+ kB", wrote)


def test_two_searches_are_never_mixed_in_a_folder(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "hits").mkdir()
    assert run("search", "bar", "--save", tmp_path / "hits").code == 0
    before = {file: file.read_bytes() for file in (tmp_path / "hits").iterdir()}
    done = run("search", "coffee", "--save", tmp_path / "hits")
    assert (done.code, done.out) == (2, "")
    assert "holds files already, such as those of another search" in done.err
    assert {file: file.read_bytes() for file in (tmp_path / "hits").iterdir()} == before


@pytest.mark.parametrize("option", [("--save", "hits"), ("--sheet", "hits/a.html")])
def test_a_full_disk_leaves_no_part_of_a_picture_or_page(
    run: Run, photos: Path, tmp_path: Path, option: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "hits").mkdir()
    if option[0] == "--sheet":
        (tmp_path / "hits" / "a.html").write_text('<meta name="generator" content="stsearch">')
    before = {file: file.read_bytes() for file in (tmp_path / "hits").iterdir()}
    monkeypatch.setattr("os.fsync", fill_up)
    done = run("search", "coffee", option[0], tmp_path / option[1])
    assert (done.code, "No space left on device" in done.err) == (15, True)
    assert {file: file.read_bytes() for file in (tmp_path / "hits").iterdir()} == before


def test_copies_and_pages_are_readable_by_whom_the_umask_allows(
    run: Run, photos: Path, tmp_path: Path
) -> None:
    before = os.umask(0o027)
    try:
        run("search", "bar", "--save", tmp_path / "hits", "--sheet", tmp_path / "a.html")
    finally:
        os.umask(before)
    files = [*(tmp_path / "hits").iterdir(), tmp_path / "a.html"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o640}


@pytest.mark.parametrize("option", [[], ["--sheet", "a.html"]])
def test_open_shows_the_page_in_a_browser(
    run: Run, photos: Path, option: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr("webbrowser.open", shown.append)  # which returns None: there is no browser
    done = run("search", "bar", "--open", *option)
    page = Path(shown[0].removeprefix("file://"))
    assert "bar · stsearch" in page.read_text(encoding="utf-8")
    assert page.name == ("a.html" if option else "hits.html")
    assert "--open finds no browser here; open " in done.err


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
    assert run("search", "bar", "--sheet", "/proc/a.html").code == 15


def test_a_page_replaces_a_page_but_nothing_else(run: Run, photos: Path, tmp_path: Path) -> None:
    (tmp_path / "diary.html").write_text("mine")
    done = run("search", "bar", "--sheet", tmp_path / "diary.html")
    assert (done.code, done.out) == (2, "")
    assert "diary.html is there already, and no page of stsearch: name another file" in done.err
    assert (tmp_path / "diary.html").read_text() == "mine"
    for _ in range(2):
        assert run("search", "bar", "--sheet", tmp_path / "a.html").code == 0


def test_a_page_goes_into_a_folder_that_is_there(run: Run, photos: Path, tmp_path: Path) -> None:
    done = run("search", "bar", "--sheet", tmp_path / "absent" / "a.html")
    assert (done.code, "there is no folder" in done.err) == (2, True)
    assert not (tmp_path / "absent").exists()


def test_a_page_on_a_read_only_disk_is_told_nothing_of_galleries(
    run: Run, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: int, exist_ok: bool) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("pathlib.Path.touch", refuse)
    done = run("search", "bar", "--sheet", "a.html")
    assert done.code == 15
    assert "Read-only file system; name a file on a disk that can be written to" in done.err


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
    (tmp_path / "pages").mkdir()
    run("search", "coffee", "--exact", "--sheet", tmp_path / "pages" / "sheet.html")
    return Page((tmp_path / "pages" / "sheet.html").read_text(encoding="utf-8"))


def test_the_sheet_says_what_was_searched_when_and_counts_hits(page: Page) -> None:
    assert "coffee · stsearch" in page.text
    assert re.search(r"3 hits in 2 photos · \d+ \w+ \d{4}, \d\d:\d\d", page.text)


def test_the_sheet_holds_every_photo_once_and_every_word_cut_out_and_in_its_surroundings(page: Page) -> None:
    sizes = [
        pixels(base64.b64decode(source.removeprefix("data:image/jpeg;base64,"))).shape
        for source in page.all("img", "src")
    ]
    crop = (96, 244, 3)
    assert sizes[:3] == [(480, 640, 3), crop, (80, 120, 3)]
    assert sizes[3:] == [(480, 640, 3), crop, (80, 180, 3), crop, (140, 120, 3)]


def test_the_sheet_shows_the_rank_of_every_word_in_order(page: Page) -> None:
    assert [words.split() for words in re.findall(r"\d\s+coffee\s+[\d.]+", page.text)] == [
        ["1", "coffee", "1.00"],
        ["2", "coffee", "1.00"],
        ["3", "coffee", "1.00"],
    ]


def test_every_picture_can_be_shown_large_without_a_script(page: Page) -> None:
    inside = [link for link in page.all("a", "href") if link.startswith("#")]
    names = {f"#{name}" for _, attributes in page.tags if (name := attributes.get("id"))}
    assert set(inside) <= names
    assert len(inside) == 2 * (2 + 3)  # photographs and words, each to be opened and closed


def test_the_sheet_links_to_the_photos_from_where_it_lies(page: Page) -> None:
    links = [link for link in page.all("a", "href") if not link.startswith("#")]
    assert links[1] == "./../photos/shop.png"
    assert re.search(r"^./../photos/%3Cimg%20src%3Dx.*%1B%5B31m%FF\.png$", links[0])


def test_the_sheet_needs_and_loads_nothing_else(page: Page) -> None:
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object"} == set()
    assert all(source.startswith("data:") for source in page.all("img", "src"))
    policies = page.all("meta", "content")
    assert any(each.startswith("default-src 'none'; img-src data:; style-src 'sha256-") for each in policies)
    assert page.all("div", "style") == page.all("img", "style") == []


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
