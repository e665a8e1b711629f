"""Servers without a network: photographs of painted words, indexed by the letter model."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
from gallery_fixtures import MODEL, ColourSpotter, LetterEncoder, set_in_lines
from starlette.testclient import TestClient

from stsearch.gallery.gallery import Gallery
from stsearch.gallery.records import PhotoFile, Spotted
from stsearch.server.app import make_app
from stsearch.server.index_run import IndexRuns
from stsearch.server.security import Access
from stsearch.server.service import Service

HOST = "http://127.0.0.1:8765"
CSRF = "token-of-our-page"

SIGNS = {
    "street/garden.png": ["GARDEN STREET", "open daily"],
    "street/cafe.png": ["coffee house", "garden coffee"],
    "hotel.png": ["HOTEL", "coffee 24"],
}
"""Lines of the photographs of most tests, by their paths."""


def use_letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let queries be embedded, and pictures read, without weights."""
    monkeypatch.setattr("stsearch.search.query_encoder.load_query_encoder", lambda _: LetterEncoder())
    monkeypatch.setattr("stsearch.weights.card.find_by_sha256", lambda sha256, name: name)
    monkeypatch.setattr("stsearch.spotting.load.load_spotter", lambda *_: ColourSpotter())


def paint(lines: Sequence[str], size: tuple[int, int] = (640, 480), height: float = 40.0) -> bytes:
    """Return a PNG with ``lines`` about where ``set_in_lines`` says that they are."""
    image = np.full((size[1], size[0], 3), 235, np.uint8)
    for number, line in enumerate(lines):
        x = 0.0
        for word in line.split():
            at = (int(x) + 2, int(1.5 * height * number + 0.8 * height))
            cv2.putText(image, word.encode("ascii", "replace").decode(), at, 0, height / 42, (60, 30, 20), 3)
            x += 0.5 * height * (len(word) + 1)
    buffer = io.BytesIO()
    PIL.Image.fromarray(image).save(buffer, "PNG")
    return buffer.getvalue()


def record(folder: Path, path: str, lines: Sequence[str]) -> Spotted:
    """Paint the photograph at ``path``, and return its record."""
    file = folder / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(paint(lines))
    found = set_in_lines(path, *lines, height=40.0)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    return replace(found, file=PhotoFile.from_stat(path, file.stat()), sha256=digest)


def make_photos(folder: Path, signs: Mapping[str, Sequence[str]] = SIGNS) -> Path:
    """Paint photographs into ``folder``, index them, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    with Gallery.create(folder / ".stsearch", folder, MODEL) as gallery:
        gallery.add([record(folder, path, lines) for path, lines in signs.items()])
        gallery.finish()
    return folder


@contextmanager
def client_of(
    *folders: Path | str, token: str | None = None, host: str = "127.0.0.1", read_only: bool = False
) -> Iterator[TestClient]:
    """Yield a client of a server of ``folders``."""
    service = Service(folders, None, "cpu", 178.0, lambda _: None)
    runs = IndexRuns()
    app = make_app(service, Access(host, 8765, token, CSRF), runs, read_only)
    try:
        with TestClient(app, HOST, raise_server_exceptions=False, follow_redirects=False) as client:
            yield client
    finally:
        runs.stop()
        service.close()
