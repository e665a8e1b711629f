"""The process of an indexing run that a server starts: one JSON line for every step, the last one its end.

Run as ``python -m stsearch.server.index_process PHOTOS GALLERY MODEL``. It ends when nobody reads any more.
"""

from __future__ import annotations

import json
import sys
import warnings
from dataclasses import asdict

from stsearch.api.index_plan import IndexPlan
from stsearch.api.jobs import index
from stsearch.errors import StsearchError
from stsearch.indexing.progress import Progress


def main(photos: str, gallery: str, model: str) -> None:
    """Bring ``gallery`` up to date with ``photos``, and tell how far it is on stdout."""
    warnings.filterwarnings("ignore", module="PIL")
    try:
        plan = IndexPlan.of(photos, gallery, (), False, None)
        with index(plan, model=model, progress=_tell_progress, notify=lambda text: _tell(note=text)) as done:
            _tell(end=0, report=asdict(done.report) if done.report else {})
    except StsearchError as error:
        _tell(end=error.exit_code, message=str(error))


def _tell_progress(now: Progress) -> None:
    _tell(progress={"done": now.done, "total": now.total, "words": now.words, "at": now.at, "read": now.read})


def _tell(**facts: object) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
