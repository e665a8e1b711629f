"""A walk of a folder on a network or user-space mount, in another process: its other end may be gone.

What waits for such a mount cannot be interrupted, so the process that waits is none that anybody needs.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

from stsearch.errors import GalleryUnreadableError
from stsearch.gallery.catalog import Failed, PhotoFile
from stsearch.indexing import walk as local
from stsearch.indexing.walk import Walk, WalkRules, lies_in
from stsearch.mounts import Mounts
from stsearch.worker_process import Message, NoAnswerError, WorkerProcess, raise_error

_MODULE = "stsearch.indexing.walk_worker"
_SILENCE_S = 60.0
"""Seconds in which no file was looked at, after which a mount is taken for gone."""


def walk_photos(root: Path, rules: WalkRules, silence_s: float = _SILENCE_S) -> Walk:
    """Find the photographs of a folder as ``walk.walk_photos`` does, wherever it lies.

    Raises:
        UsageError: ``root`` itself cannot be listed.
        GalleryUnreadableError: for ``silence_s`` there was no answer from where it lies.
    """
    if not Mounts().has_distant(root.absolute()):
        return local.walk_photos(root, rules)
    try:
        process = WorkerProcess(_MODULE)
    except (OSError, NoAnswerError) as error:
        raise GalleryUnreadableError(f"no process to look into {root} can be started: {error}") from error
    try:
        return _ask(process, root, rules, silence_s)
    except NoAnswerError as error:
        raise GalleryUnreadableError(
            f"the mount of {root} does not answer any more: make it available, and run the command again"
        ) from error
    finally:
        process.kill()


def _ask(process: WorkerProcess, root: Path, rules: WalkRules, silence_s: float) -> Walk:
    """Return the walk that ``process`` does; NoAnswerError where it comes to a halt."""
    request: Message = {
        "root": os.fspath(root),
        "exclude": rules.exclude,
        "follow": rules.follow,
        "only": rules.only,
    }
    steps, since = -1, time.monotonic()
    while True:
        answer: dict[str, Any] = dict(process.ask(request, silence_s)[0])  # Any: JSON
        raise_error(answer)
        if "files" in answer:
            return _walk_in(answer, root)
        if answer["steps"] != steps:
            steps, since = answer["steps"], time.monotonic()
        elif time.monotonic() - since > silence_s:
            raise NoAnswerError(None)
        request = {}


def message_of(walk: Walk) -> Message:
    """Return ``walk`` as values that JSON has."""
    return {
        "files": [(each.path, each.size, each.mtime_ns) for each in walk.files],
        "failed": [(each.file.path, each.file.size, each.file.mtime_ns, each.reason) for each in walk.failed],
        "passed_over": walk.passed_over,
        "devices": walk.devices,
        "is_complete": walk.is_complete,
    }


def _walk_in(message: dict[str, Any], root: Path) -> Walk:  # Any: JSON
    return Walk(
        [PhotoFile(*each) for each in message["files"]],
        [Failed(PhotoFile(*file), reason) for *file, reason in message["failed"]],
        Counter(message["passed_over"]),
        message["devices"],
        message["is_complete"],
        partial(lies_in, root),
    )
