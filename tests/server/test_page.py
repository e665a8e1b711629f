"""The page as HTML: what each address answers, whole and in part, with and without scripts."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from gallery_fixtures import MODEL, set_in_lines
from server_fixtures import client_of
from starlette.testclient import TestClient

from stsearch.gallery.gallery import Gallery
from stsearch.gallery.records import PhotoFile

HITS = {"HX-Request": "true", "HX-Target": "section#results"}
PHOTO = {"HX-Request": "true", "HX-Target": "dialog#viewer"}


def test_the_same_address_answers_whole_and_in_part(client: TestClient) -> None:
    whole = client.get("/?q=hotel").text
    assert whole.startswith("<!doctype html>")
    part = client.get("/?q=hotel", headers=HITS).text
    assert "<html" not in part
    assert part.strip() in whole
    photo = client.get("/?q=hotel&hit=1", headers=PHOTO).text
    assert photo.startswith('<div class="viewer"')


def test_a_photograph_is_shown_without_scripts_too(client: TestClient) -> None:
    page = client.get("/?q=hotel&hit=1").text
    assert re.search(r'<dialog id="viewer"[^>]* open>', page)
    assert 'href="/?q=hotel"' in page  # the way back


def test_what_is_typed_replaces_what_is_like_a_word(client: TestClient) -> None:
    shown = client.get("/?q=hotel&like=anything&picture=gone")
    assert (shown.status_code, "HOTEL" in shown.text) == (200, True)


def test_a_wrong_query_is_a_page_with_the_sentence_of_the_command_line(client: TestClient) -> None:
    for headers in ({}, HITS):
        wrong = client.get("/", params={"q": '"open'}, headers=headers)
        assert (wrong.status_code, "a quotation mark is missing" in wrong.text) == (400, True)
    late = client.get("/?q=hotel&hit=9", headers=PHOTO)
    assert (late.status_code, "none of rank 9" in late.text) == (400, True)
    assert client.get("/nothing").text.startswith("<!doctype html>")


def test_a_link_to_more_hits_leads_to_the_search_where_there_are_no_scripts(client: TestClient) -> None:
    assert client.get("/hits?q=coffee&start=61").headers["location"] == "/?q=coffee"


@pytest.fixture
def scan(tmp_path: Path) -> Iterator[TestClient]:
    """Serve a scan whose second page, smaller and blue, reads "coffee"."""
    folder = tmp_path / "scans"
    folder.mkdir()
    pages = [
        PIL.Image.new("RGB", size, colour) for size, colour in (((900, 600), "red"), ((640, 480), "blue"))
    ]
    pages[0].save(folder / "scan.tif", save_all=True, append_images=pages[1:])
    found = set_in_lines("scan.tif", "coffee", height=40.0)
    file = PhotoFile.from_stat("scan.tif", (folder / "scan.tif").stat())
    digest = hashlib.sha256((folder / "scan.tif").read_bytes()).hexdigest()
    words = [replace(word, page=2) for word in found.instances]
    with Gallery.create(folder / ".stsearch", folder, MODEL) as gallery:
        gallery.add([replace(found, file=file, sha256=digest, height=600, width=900, instances=words)])
        gallery.finish()
    with client_of(folder) as client:
        yield client


def test_a_hit_on_a_page_shows_this_page(scan: TestClient) -> None:
    page = scan.get("/?q=coffee&hit=1").text
    assert "scan.tif, page 2" in page
    assert 'viewBox="0 0 640 480"' in page
    crops = re.findall(r'src="(/api/image/[^"]*show=crop[^"]*)"', page)
    [source] = re.findall(r'<image href="([^"]*)"', page)
    for url in (crops[0], source):
        picture = scan.get(url.replace("&amp;", "&")).content
        assert np.asarray(PIL.Image.open(io.BytesIO(picture)))[20, 20].argmax() == 2
