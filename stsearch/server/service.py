"""The one way from requests to galleries: bounded threads, answers that are kept, the same one made once."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

from stsearch.api.model import ImageQuery, Model, load
from stsearch.errors import UsageError
from stsearch.gallery.address import Named
from stsearch.gallery.gallery import Gallery, Notify
from stsearch.gallery.photographs import Photograph
from stsearch.server.ask import Ask
from stsearch.server.bounded import BoundedCache
from stsearch.server.library import Answer, Library, PhotographWords
from stsearch.server.pictures import Pictures, View
from stsearch.weights import card

T = TypeVar("T")

MAX_PICTURE_BYTES = 64_000_000
"""Larger pictures are not searched for."""

_DECODERS = 2  # threads
_HITS, _WORDS = 30_000, 10_000  # kept of answers and of photographs: 2 or 3 KB each
_PICTURES, _SUMMARIES = 64, 32
_CHECK_S = 0.5  # between two looks at whether the galleries were written to


class Service:
    """Answers searches and makes pictures without holding up the event loop.

    Args:
        folders: of photographs or their URLs, or their galleries; none: as for ``stsearch.open``.
        model: weights that made the galleries; None: as they say.
        device: of the network of queries by image.
        max_megapixels: larger photographs are not decoded.
        notify: is told in one sentence when something is slower or less than it could be.
    """

    def __init__(
        self,
        folders: Sequence[Named | str],
        model: str | None,
        device: str,
        max_megapixels: float,
        notify: Notify,
    ) -> None:
        self._searching = ThreadPoolExecutor(1, "search")
        self._beside = ThreadPoolExecutor(1, "beside")
        self._decoding = ThreadPoolExecutor(_DECODERS, "decode")
        self._model, self._device = model, device
        self._models: dict[str, Model] = {}
        self._pictures = Pictures(max_megapixels)
        self._answers: BoundedCache[tuple[int, Ask], Answer] = BoundedCache(_HITS)
        self._photographs: BoundedCache[tuple[int, str], PhotographWords] = BoundedCache(_WORDS)
        self._image_queries: BoundedCache[str, ImageQuery] = BoundedCache(_PICTURES)
        self._summaries: BoundedCache[object, object] = BoundedCache(_SUMMARIES)
        self.notify = notify
        self._running: dict[object, asyncio.Future[Any]] = {}  # Any: the key says of which type
        self._checked = -1.0
        self.library = self._searching.submit(Library, folders, model, notify).result()

    def close(self) -> None:
        """Close the galleries once nothing is searched any more; waits for nothing else."""
        self._searching.submit(self.library.close)
        for pool in (self._beside, self._decoding, self._searching):
            pool.shutdown(wait=False)

    @property
    def generation(self) -> int:
        """Another number once a gallery was opened anew."""
        return self.library.generation

    async def refresh(self) -> None:
        """Open the galleries anew if they were written to, and it was not looked just now."""
        now = asyncio.get_running_loop().time()
        if now >= self._checked + _CHECK_S:
            self._checked = now
            await self._in(self._searching, self.library.refresh)

    async def search(self, ask: Ask) -> Answer:
        """Answer a search.

        Raises:
            StsearchError: it cannot be answered; the message says why.
        """
        await self.refresh()
        key = self.generation, ask
        if (answer := self._answers.get(key)) is not None:
            return answer
        image_query = None
        if ask.picture and (image_query := self._image_queries.get(ask.picture)) is None:
            raise UsageError("this picture is not known any more: hand it in again")
        answer = await self._once(
            key, partial(self._in, self._searching, self.library.search, ask, image_query)
        )
        self._answers.put(key, answer, 1 + len(answer.found.hits) + len(answer.found.nearly))
        if answer.found.hits:  # advice would change nothing
            self._answers.put((key[0], replace(ask, advice=not ask.advice)), answer)
        return answer

    async def photograph(self, sha256: str) -> PhotographWords:
        """Return a photograph of a gallery with its words.

        Raises:
            NoPhotographError: no gallery has it.
        """
        await self.refresh()
        key = self.generation, sha256
        if (found := self._photographs.get(key)) is not None:
            return found
        found = await self._once(key, partial(self._in, self._searching, self.library.photograph, sha256))
        self._photographs.put(key, found, 1 + len(found.words))
        return found

    async def jpeg(self, photograph: Photograph, view: View) -> bytes:
        """Return a view of a photograph as a JPEG.

        Raises:
            ImageError: it cannot be shown.
        """
        key = photograph.sha256, view
        return await self._once(key, partial(self._in, self._decoding, self._pictures.jpeg, photograph, view))

    async def weights_of(self, name: str) -> str:
        """Return the weights that made a gallery: their name, or their folder.

        Raises:
            UsageError: there is no gallery of this name.
            WeightsError: they are not installed.
        """
        made_by = await self._in(self._searching, self.library.weights_name, Ask(galleries=(name,)))
        return self._find_weights(*made_by)

    async def size(self, photograph: Photograph, page: int | None) -> tuple[int, int]:
        """Return height and width of a page of a photograph.

        Raises:
            ImageError: it cannot be read.
        """
        return await self._in(self._decoding, self._pictures.size, photograph, page)

    async def take_picture(self, encoded: bytes, ask: Ask) -> str:
        """Read the word that fills a picture, and return the name under which it is searched for.

        Raises:
            ImageError: it cannot be read.
            WeightsError, DeviceError: the network cannot be loaded.
        """
        name = hashlib.sha256(encoded).hexdigest()[:24]
        if self._image_queries.get(name) is None:
            weights = await self._in(self._searching, self.library.weights_name, ask)
            query = await self._in(self._beside, self._read_picture, encoded, *weights)
            self._image_queries.put(name, query)
        return name

    def _read_picture(self, encoded: bytes, name: str, sha256: str) -> ImageQuery:
        weights = self._find_weights(name, sha256)
        if weights not in self._models:
            self._models[weights] = load(weights, self._device)
        return self._models[weights].query(encoded, "the picture")

    def _find_weights(self, name: str, sha256: str) -> str:
        return self._model or card.find_by_sha256(sha256, name)

    async def of_gallery(self, name: str, work: Callable[[Gallery], T]) -> T:
        """Return what ``work`` makes of a gallery, opened once more for it, beside the searches.

        Raises:
            UsageError: there is no gallery of this name.
        """
        key = self.generation, name, work
        if (kept := self._summaries.get(key)) is None:
            place = self.library.gallery_folder_of(name)
            kept = await self._once(
                key, partial(self._in, self._beside, _with_gallery, place, self.notify, work)
            )
            self._summaries.put(key, kept)
        return kept  # type: ignore[return-value]  # the key says of which type

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, partial(work, *arguments))

    async def _once(self, key: object, begin: Callable[[], Coroutine[object, object, T]]) -> T:
        """Return what ``begin`` returns; while it runs, others who ask for the same wait for it."""
        running = self._running.get(key)
        if running is None:
            running = asyncio.ensure_future(begin())
            self._running[key] = running
            running.add_done_callback(lambda _: self._running.pop(key, None))
        return cast("T", await asyncio.shield(running))


def _with_gallery(place: Path, notify: Notify, work: Callable[[Gallery], T]) -> T:
    with Gallery.open(place, notify) as gallery:
        return work(gallery)
