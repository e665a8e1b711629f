"""The process that decodes files and finds their words; ``worker_processes`` starts and asks it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from stsearch.errors import StsearchError
from stsearch.indexing.photo_worker import PhotoWorker
from stsearch.indexing.reader import PhotoReader
from stsearch.indexing.sources import PhotoSource, source_of
from stsearch.indexing.worker_messages import (
    pack_records,
    unpack_files,
    unpack_settings,
)
from stsearch.objects.url import Location, located
from stsearch.worker_process import Message, pack_error, serve


class Worker:
    """Answers with the records of files, once it is told which networks to load.

    Args:
        source: returns what has the files of a folder or a URL.
    """

    def __init__(self, source: Callable[[Location], PhotoSource] = source_of) -> None:
        self._source = source
        self._worker: PhotoWorker | None = None

    def answer(self, request: Message, payload: bytes) -> tuple[Message, bytes]:
        """Load networks as the first request says, or return the records of the files in it."""
        try:
            if self._worker is None:
                return self._load(request), b""
            return pack_records(self._worker.spot(unpack_files(request, payload)))
        except StsearchError as error:
            return pack_error(error), b""

    def _load(self, request: Message) -> Message:
        import cv2

        from stsearch.spotting.load import load_spotter

        settings = unpack_settings(request)
        networks = settings.networks
        spotter = load_spotter(
            networks.model, networks.device, networks.reads, networks.engine, settings.cores
        ).for_indexing(1)
        cv2.setNumThreads(settings.cores)
        reader = PhotoReader(self._source(located(settings.root)), settings.limits, settings.cores)
        contextlib.ExitStack().enter_context(reader)  # until this process ends
        self._worker = PhotoWorker(reader, spotter, settings.batch, settings.cores, networks.reads)
        return {"device": spotter.device, "precision": spotter.precision, "sha256": spotter.info.sha256}


def main() -> None:
    """Answer the process that started this one, until it is gone."""
    serve(Worker().answer)


if __name__ == "__main__":
    main()
