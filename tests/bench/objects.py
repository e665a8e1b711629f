"""What photographs in object storage cost beside the same ones in a folder: time, requests, memory.

Run by hand::

    python tests/bench/objects.py --data PHOTOS [--latency-ms 50] [--listed 100000]

A server on this machine answers as Amazon's storage does, each request after the latency. The photographs are
indexed by ``stsearch index`` from the folder and from the bucket; then a bucket of many small objects is
listed, and an unchanged one again. Each figure is a line of JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Callable
from pathlib import Path

from program import ROOT
from scripted_storage import Answer, Request, listing, scripted_storage

_PAGE = 1000  # objects that a storage lists at once


def storage(folder: Path, listed: int, latency_s: float, asked: list[str]) -> Callable[[Request], Answer]:
    """Return what answers for the files of ``folder`` below photos/, and ``listed`` keys below many/."""
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.suffix == ".jpg"}

    def answer(request: Request) -> Answer:
        asked.append(request.path)
        time.sleep(latency_s)
        path, _, query = request.path.partition("?")
        if "list-type" not in query:
            return Answer(200, files[urllib.parse.unquote(path).rpartition("/")[2]], {"ETag": '"e"'})
        if "many" not in query:
            return listing(*(f"photos/{name}" for name in files))
        token = re.search(r"continuation-token=(\d+)", query)
        first = int(token[1]) if token else 0
        page = listing(
            *(f"many/{number:09}.jpg" for number in range(first, min(first + _PAGE, listed))),
            more=first + _PAGE < listed,
        )
        return Answer(200, page.body.replace(b">next<", f">{first + _PAGE}<".encode()))

    return answer


def run(*arguments: str) -> float:
    """Return the seconds that a command of ``stsearch`` takes."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "stsearch", *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def tell(**figures: object) -> None:
    """Print figures as a line of JSON."""
    print(json.dumps(figures), flush=True)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, default=ROOT / "examples" / "gallery", help="JPEG photographs")
    parser.add_argument("--latency-ms", type=float, default=50)
    parser.add_argument("--listed", type=int, default=100_000, help="objects of the listing")
    options = parser.parse_args()
    asked: list[str] = []
    answer = storage(options.data, options.listed, options.latency_ms / 1000, asked)
    with tempfile.TemporaryDirectory() as folder, scripted_storage(answer) as endpoint:
        os.environ |= {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "XDG_DATA_HOME": folder,
        }
        for name, place in (("folder", str(options.data)), ("bucket", "s3://pictures/photos")):
            for kind in ("new", "unchanged"):
                asked.clear()
                seconds = run("index", place, "--index", f"{folder}/{name}", "-q")
                tell(photos=name, run=kind, seconds=round(seconds, 2), requests=len(asked))
        asked.clear()
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        seconds = run("index", "s3://pictures/many", "--dry-run", "-q")
        memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
        tell(
            listed=options.listed,
            seconds=round(seconds, 2),
            requests=len(asked),
            peak_mib=memory // 1024 if memory > before else f"below {before // 1024}",
        )


if __name__ == "__main__":
    main()
