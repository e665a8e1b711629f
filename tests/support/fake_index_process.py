"""Stands in for ``stsearch.server.index_process``: says what it is told to by the name of the weights."""

from __future__ import annotations

import json
import sys
import time

LINES: dict[str, list[object]] = {
    "done": [
        {"progress": {"done": 1, "total": 2, "words": 3, "at": "a.png", "read": ["coffee"]}},
        {"note": "a.tif: 2 of 3 pages"},
        {"end": 0, "report": {"new": 2, "changed": 0, "removed": 1}},
    ],
    "locked": [{"end": 11, "message": "another process is writing to the gallery"}],
    "killed": [{"progress": {"done": 1, "total": 9, "words": 0, "at": "a.png", "read": []}}],
    "waits": [{"progress": {"done": 1, "total": 9, "words": 0, "at": "a.png", "read": []}}],
}

if __name__ == "__main__":
    photos, gallery, model = sys.argv[1:]
    sys.stdout.write("something else\n")
    for line in LINES[model]:
        sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
    if model == "waits":
        time.sleep(60)
    sys.exit(model == "killed")
