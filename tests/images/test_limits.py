"""files.py and memory.py: what one file may take of disk and memory."""

from __future__ import annotations

import hashlib
import os
import threading
import tracemalloc
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from image_fixtures import encode, noise

from stsearch.errors import ImageError, ImageRefusedError
from stsearch.images import decode_image, decoder
from stsearch.images.files import read_content
from stsearch.images.formats import check_header
from stsearch.images.memory import MEMORY_BUDGET, MemoryBudget, memory_of


def test_a_file_larger_than_the_limit_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "z.jpg").open("wb") as file:
        file.truncate(200_000_000_000)
    with pytest.raises(ImageRefusedError, match="200,000 MB; the limit is 1,000"):
        decode_image(tmp_path / "z.jpg")


def test_of_a_file_that_begins_as_no_picture_only_the_beginning_is_read(tmp_path: Path) -> None:
    seen: list[int] = []

    def check(header: bytes) -> None:
        seen.append(len(header))
        check_header(header)

    with (tmp_path / "z.jpg").open("wb") as file:
        file.truncate(50_000_000)
    with pytest.raises(ImageError, match="not a picture"):
        read_content(tmp_path / "z.jpg", check)
    assert len(seen) == 1
    assert seen[0] < 2_000_000


def test_a_pipe_in_the_place_of_a_photograph_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jpg")
    with pytest.raises(ImageError, match=r"a\.jpg: it is no regular file"):
        decode_image(tmp_path / "a.jpg")


def test_a_file_is_hashed_whole_though_only_a_small_one_is_kept(tmp_path: Path) -> None:
    content = encode(noise((900, 900)))
    (tmp_path / "a.png").write_bytes(content)
    kept = read_content(tmp_path / "a.png", check_header)
    hashed = read_content(tmp_path / "a.png", check_header, max_kept=1000)
    assert kept.sha256 == hashed.sha256 == hashlib.sha256(content).hexdigest()
    assert (kept.encoded, hashed.encoded) == (content, None)


def test_the_bytes_of_a_large_file_are_in_memory_once(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(encode(noise((8, 8))) + bytes(30_000_000))
    tracemalloc.start()
    try:
        read_content(tmp_path / "a.png", check_header)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 40_000_000


def test_threads_hold_no_more_memory_than_the_budget_together() -> None:
    budget, lock = MemoryBudget(100), threading.Lock()
    held, most = 0, 0

    def work(size: int) -> None:
        nonlocal held, most
        with budget.take(size):
            with lock:
                held += size
                most = max(most, held)
            with lock:
                held -= size

    threads = [threading.Thread(target=work, args=(size,)) for size in (60, 60, 30, 100, 10) * 20]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (held, most) == (0, 100)


def test_what_needs_more_than_the_budget_is_worked_on_alone() -> None:
    budget, order = MemoryBudget(100), []
    begun = threading.Event()

    def other() -> None:
        begun.set()
        with budget.take(1):
            order.append("other")

    thread = threading.Thread(target=other)
    with budget.take(500):
        thread.start()
        assert begun.wait(60)
        order.append("large")
    thread.join(60)
    assert order == ["large", "other"]


def test_the_largest_photograph_fits_into_the_budget() -> None:
    assert 4 * decoder.MAX_MEGAPIXELS * 1e6 < MEMORY_BUDGET


@pytest.mark.parametrize(
    ("mode", "size"),
    [("P", 1), ("L", 1), ("1", 1), ("I;16", 2), ("RGB", 4), ("LA", 4), ("F", 4)],
)
def test_the_memory_of_a_picture_is_judged_by_its_mode(mode: str, size: int) -> None:
    assert memory_of(PIL.Image.new(mode, (100, 10))) == 1000 * size


def test_decoding_takes_its_share_of_the_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []

    class Recorded(MemoryBudget):
        def take(self, size: int) -> AbstractContextManager[None]:  # type: ignore[override]  # of one use
            taken.append(size)
            return super().take(size)

    monkeypatch.setattr(decoder, "DECODING", Recorded(MEMORY_BUDGET))
    decode_image(encode(PIL.Image.new("RGB", (800, 600)), "JPEG"), longer_side=100)
    decode_image(encode(PIL.Image.new("P", (800, 600))), longer_side=100)
    assert taken == [4 * 100 * 75, 800 * 600]


def test_a_large_photograph_is_reduced_in_strips_to_the_size_it_is_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoder, "_REDUCED_FROM", 1000)
    y, x = np.mgrid[:300, :401]
    smooth = PIL.Image.fromarray(np.stack([x % 200, y % 200, (x + y) % 200], 2).astype(np.uint8))
    decoded = decode_image(encode(smooth), longer_side=100)
    assert (decoded.height, decoded.width, decoded.image.shape) == (300, 401, (75, 100, 3))


def test_too_little_memory_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(decoder, "to_rgb", fail)
    with pytest.raises(ImageRefusedError, match="not enough memory"):
        decode_image(encode(noise((8, 8))))
