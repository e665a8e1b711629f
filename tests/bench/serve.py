"""Load on ``stsearch serve``: many people search at once, in a gallery of made-up words; latency and memory.

Run by hand, on an otherwise idle machine::

    PYTHONPATH=tests/support python tests/bench/serve.py --instances 60000 --people 50 --requests 10000

Every person asks as soon as the answer before is there, for words some of which are asked for far more often,
as in any language. The server is a process of its own on the loopback address; the requests go to the
API, for whole words, or to the page (``--place /``), letter by letter from the third one on, as it asks while
somebody types.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlsplit

import numpy as np
from made_up_words import make_words, scatter

from stsearch.gallery.gallery import Gallery
from stsearch.gallery.records import PhotoFile, Spotted
from stsearch.search.query_encoder import QueryEncoder, load_query_encoder
from stsearch.text.charset import Charset
from stsearch.text.ctc import pack_posteriors
from stsearch.types import TextInstance

WORDS_PER_PHOTO = 12
BATCH = 2000  # photographs added in one transaction


def main() -> None:
    """Print one JSON line: what was measured."""
    arguments = parse_arguments()
    rng = np.random.default_rng(arguments.seed)
    words = make_words(rng, max(100, arguments.instances // 30))
    with TemporaryDirectory() as folder:
        photos = Path(folder) / "photos"
        photos.mkdir()
        fill(photos, words, arguments.instances, rng)
        with served(photos) as (process, port):
            first = None if arguments.place.startswith("/api") else 3
            asked = [quote(each) for each in queries(words, arguments.requests, rng, first)]
            target = f"{arguments.place}?{'top=20&' if arguments.place.startswith('/api') else ''}q="
            asyncio.run(load(port, target, asked[: arguments.people], arguments.people))  # warm
            before, began = memory_mb(process.pid), time.perf_counter()
            took = asyncio.run(load(port, target, asked, arguments.people))
            seconds = time.perf_counter() - began
            after = memory_mb(process.pid)
    p50, p95, p99 = np.percentile(took, [50, 95, 99]).round(1).tolist()
    line = {
        "instances": arguments.instances,
        "people": arguments.people,
        "requests": len(took),
        "distinct": len(set(asked)),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "requests_per_s": round(len(took) / seconds),
        "memory_before_mb": before,
        "memory_after_mb": after,
        "cores": len(os.sched_getaffinity(0)),
    }
    print(json.dumps(line))


def fill(photos: Path, words: list[str], count: int, rng: np.random.Generator) -> None:
    """Make a gallery of ``count`` instances, of words some of which are far more frequent than others."""
    encoder = load_query_encoder()
    share = 1 / np.arange(1, len(words) + 1)
    owners = rng.choice(len(words), count, p=share / share.sum())
    chosen = [words[owner] for owner in owners]
    embeddings = np.concatenate([encoder(words[at : at + 5000]) for at in range(0, len(words), 5000)])
    vectors = scatter(rng, embeddings, owners)
    with Gallery.create(photos / ".stsearch", photos, encoder.info) as gallery:
        records = photographs(chosen, vectors, encoder, rng)
        for batch in iter(lambda: [record for _, record in zip(range(BATCH), records, strict=False)], []):
            gallery.add(batch)
        gallery.finish()


def photographs(
    words: list[str], vectors: np.ndarray, encoder: QueryEncoder, rng: np.random.Generator
) -> Iterator[Spotted]:
    """Yield photographs with some of the ``words`` each."""
    charset = Charset(encoder.info.charset)
    for number, start in enumerate(range(0, len(words), WORDS_PER_PHOTO)):
        instances = []
        for at, word in enumerate(words[start : start + WORDS_PER_PHOTO]):
            x, y = 200.0 * (at % 4), 60.0 * (at // 4)
            quad = np.array([[x, y], [x + 180, y], [x + 180, y + 40], [x, y + 40]], np.float32)
            confidence = float(rng.uniform(0.3, 1))
            instances.append(
                TextInstance(
                    quad,
                    0.9,
                    word,
                    confidence,
                    vectors[start + at],
                    (confidence,) * len(word),
                    posteriors(word, charset, rng),
                )
            )
        name = f"{number // 1000:03}/{number:06}.jpg"
        yield Spotted(PhotoFile(name, 100, 1), f"{number:064x}", 600, 800, instances)


def posteriors(word: str, charset: Charset, rng: np.random.Generator) -> bytes:
    """Return CTC posteriors that spell ``word``, rather surely."""
    classes = charset.encode(word)
    logits = rng.normal(0, 1, (1, 2 * len(classes) + 1, len(charset.characters) + 1)).astype(np.float32)
    logits[0, ::2, 0] += 6
    for at, each in enumerate(classes):
        logits[0, 2 * at + 1, each + 1] += 5
    [packed] = pack_posteriors(logits, charset)
    return packed


def queries(words: list[str], count: int, rng: np.random.Generator, first: int | None) -> list[str]:
    """Return ``count`` queries: whole words, or words letter by letter, the first with so many letters."""
    share = 1 / np.arange(1, len(words) + 1)
    asked: list[str] = []
    while len(asked) < count:
        word = words[rng.choice(len(words), p=share / share.sum())]
        asked += [word[:length] for length in range(first or len(word), len(word) + 1)]
    return asked[:count]


@contextmanager
def served(photos: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run the server, and yield its process and port."""
    command = [sys.executable, "-m", "stsearch", "serve", str(photos), "--port", "0", "--quiet"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process, urlsplit(process.stdout.readline().strip()).port or 0
        finally:
            process.terminate()


async def load(port: int, target: str, asked: list[str], people: int) -> list[float]:
    """Return how many milliseconds each request took, ``people`` of them at a time."""
    following, took = iter(asked), list[float]()

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for query in following:
            head = f"GET {target}{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nHX-Target: section#results\r\n\r\n"
            began = time.perf_counter()
            writer.write(head.encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer
            [size] = [line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(int(size.split(b":")[1]))
            took.append(1000 * (time.perf_counter() - began))
        writer.close()

    await asyncio.gather(*(ask() for _ in range(people)))
    return took


def memory_mb(process: int) -> int:
    """Return the memory that a process holds."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--instances", type=int, default=60_000)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--place", default="/api/search")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
