"""A catalog whose pages name each other many times over: a small file with more rows than can be counted."""

from __future__ import annotations

import contextlib
import sqlite3
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, LetterEncoder, make_gallery

from stsearch.errors import GalleryDamagedError
from stsearch.gallery.gallery import Gallery
from stsearch.gallery.verify import verify
from stsearch.search.engine import search
from stsearch.search.query import Query

PAGE, CHILDREN, DEPTH = 4096, 400, 6


def page_above(child: int) -> bytes:
    """Return an interior page of a table, every cell of which leads to the page ``child``."""
    cells = [struct.pack(">IBB", child, 0x80 | key >> 7, key & 0x7F) for key in range(CHILDREN)]
    start = PAGE - 6 * CHILDREN
    header = struct.pack(">BHHHBI", 5, 0, CHILDREN, start, 0, child)
    pointers = struct.pack(f">{CHILDREN}H", *range(start, PAGE, 6))
    return (header + pointers).ljust(start, b"\0") + b"".join(cells)


def multiply_rows(catalog: Path, table: str) -> None:
    """Put 400**7 times the rows of a page of ``table`` into it, in some pages more."""
    with contextlib.closing(sqlite3.connect(catalog)) as database:
        [(root,)] = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
    content = bytearray(catalog.read_bytes())
    place = slice((root - 1) * PAGE, root * PAGE)
    if content[place][0] == 5:
        (first_cell,) = struct.unpack_from(">H", content, place.start + 12)
        (child,) = struct.unpack_from(">I", content, place.start + first_cell)
    else:  # the only page is a leaf
        content += content[place]
        child = len(content) // PAGE
    for _ in range(DEPTH):
        content += page_above(child)
        child = len(content) // PAGE
    content[place] = page_above(child)
    struct.pack_into(">I", content, 28, len(content) // PAGE)
    catalog.write_bytes(content)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with make_gallery(tmp_path, {f"{number}.jpg": ["coffee"] for number in range(40)}) as gallery:
        return gallery.folder


def look_for_a_word(folder: Path) -> None:
    with Gallery.open(folder) as gallery:
        search(gallery, Query("coffee"), LetterEncoder())


def count(folder: Path) -> None:
    with Gallery.open(folder) as gallery:
        gallery.catalog.counts()


def remove_one(folder: Path) -> None:
    with Gallery.create(folder, folder.parent, MODEL) as gallery:
        gallery.remove(["3.jpg"])
        gallery.finish()


@pytest.mark.parametrize(
    ("table", "use"),
    [("instances", look_for_a_word), ("images", count), ("contents", remove_one), ("totals", count)],
)
def test_a_table_without_end_is_refused_as_damage(
    folder: Path, table: str, use: Callable[[Path], None]
) -> None:
    multiply_rows(folder / "catalog.sqlite3", table)
    with pytest.raises(GalleryDamagedError):
        use(folder)
    assert list(verify(folder, deep=True)) != []
