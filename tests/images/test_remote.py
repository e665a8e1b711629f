"""remote.py and worker.py: the functions of the package, in a process that is killed in time."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import PIL.Image
import pytest
from image_fixtures import encode, noise, slow_jpeg

from stsearch.errors import ImageError, ImageRefusedError
from stsearch.images import decode_image, list_pages
from stsearch.images.files import read_content
from stsearch.images.formats import check_header
from stsearch.images.remote import RemoteImages
from stsearch.worker_process import Message, WorkerProcess

PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def remote() -> Iterator[RemoteImages]:
    with RemoteImages(1) as process:
        yield process


def sha256(path: Path) -> str:
    return read_content(path, check_header).sha256


def test_it_reads_and_decodes_as_the_functions_do(remote: RemoteImages, tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9.tif"
    pages = [noise((200, 100)), PIL.Image.new("RGB", (30, 20), "red")]
    path.write_bytes(encode(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    content = remote.read_content(path, 10**9, 10**9, PATIENCE_S)
    assert (content.sha256, content.encoded) == (sha256(path), path.read_bytes())
    assert remote.list_pages(path, content.sha256, PATIENCE_S) == list_pages(path.read_bytes()) == (1, 2)
    for page in (1, 2):
        there = remote.decode_image(path, content.sha256, 100, 178, page, PATIENCE_S)
        here = decode_image(path, 100, page=page)
        assert (there.image == here.image).all()
        assert (there.height, there.width, there.taken, there.note) == (
            here.height,
            here.width,
            here.taken,
            here.note,
        )


def test_what_a_file_lacks_is_noted_there_too(remote: RemoteImages, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(encode(noise((90, 90)), "JPEG")[:-2000])
    decoded = remote.decode_image(tmp_path / "a.jpg", sha256(tmp_path / "a.jpg"), 90, 178, 1, PATIENCE_S)
    assert str(decoded.note).startswith("incomplete: it ends after")


def test_errors_are_those_of_the_functions(remote: RemoteImages, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("text")
    (tmp_path / "a.png").write_bytes(encode(noise((90, 90))))
    with pytest.raises(ImageError, match="not a picture"):
        remote.read_content(tmp_path / "text", 10**9, 0, PATIENCE_S)
    with pytest.raises(ImageRefusedError, match="No such file"):
        remote.read_content(tmp_path / "absent", 10**9, 0, PATIENCE_S)
    with pytest.raises(ImageRefusedError, match="limit is 0"):
        remote.read_content(tmp_path / "a.png", 10, 0, PATIENCE_S)
    with pytest.raises(ImageRefusedError, match="megapixels"):
        remote.decode_image(tmp_path / "a.png", sha256(tmp_path / "a.png"), 90, 0.001, 1, PATIENCE_S)


def test_a_file_that_changed_since_it_was_hashed_is_tried_another_time(
    remote: RemoteImages, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(encode(noise((91, 90))))
    before = sha256(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(encode(noise((80, 90))))
    with pytest.raises(ImageRefusedError, match="it changed while it was read"):
        remote.decode_image(tmp_path / "a.png", before, 90, 178, 1, PATIENCE_S)


def test_a_slow_file_costs_itself_alone(remote: RemoteImages, tmp_path: Path) -> None:
    (tmp_path / "slow.jpg").write_bytes(slow_jpeg(20_000))
    (tmp_path / "a.png").write_bytes(encode(noise((90, 90))))
    slow, quick = sha256(tmp_path / "slow.jpg"), sha256(tmp_path / "a.png")
    with pytest.raises(ImageRefusedError, match=r"took longer than 0\.1 s to decode"):
        remote.decode_image(tmp_path / "slow.jpg", slow, 90, 178, 1, 0.1)
    assert remote.decode_image(tmp_path / "a.png", quick, 90, 178, 1, PATIENCE_S).image.shape == (90, 90, 3)


def test_whoever_waits_when_it_ends_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow.jpg").write_bytes(slow_jpeg(200_000))
    content = sha256(tmp_path / "slow.jpg")
    ended: list[Exception] = []
    asked, ask = threading.Event(), WorkerProcess.ask

    def announce(process: WorkerProcess, request: Message, timeout_s: float) -> tuple[Message, bytes]:
        asked.set()
        return ask(process, request, timeout_s)

    def decode() -> None:
        try:
            process.decode_image(tmp_path / "slow.jpg", content, 90, 178, 1, PATIENCE_S)
        except ImageRefusedError as error:
            ended.append(error)

    monkeypatch.setattr(WorkerProcess, "ask", announce)
    with RemoteImages(1) as process:
        thread = threading.Thread(target=decode)
        thread.start()
        assert asked.wait(PATIENCE_S)
    thread.join(PATIENCE_S)
    assert len(ended) == 1


def test_its_processes_end_with_it(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(noise((90, 90))))
    with RemoteImages(2) as process:
        process.read_content(tmp_path / "a.png", 10**9, 0, PATIENCE_S)
        [worker] = process._pool._idle
    with pytest.raises(ProcessLookupError):
        os.kill(worker._process.pid, 0)


def test_a_process_that_cannot_be_started_costs_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stsearch.images.remote._MODULE", "stsearch.absent")
    with RemoteImages(1) as process, pytest.raises(ImageRefusedError, match="could not be started"):
        process.read_content(Path("a.jpg"), 10**9, 0, PATIENCE_S)
