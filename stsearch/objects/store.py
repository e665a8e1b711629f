"""Listing and reading objects: the home of the storage library, obstore.

It tries again by itself, with growing pauses, what a server or a connection fails at, and goes on in the
middle of an object. Nothing here waits for ever.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar

from stsearch.errors import UsageError
from stsearch.objects.access import Access
from stsearch.objects.faults import fault_of
from stsearch.objects.url import ObjectUrl

if TYPE_CHECKING:
    from obstore.store import ObjectStore

T = TypeVar("T")

RETRIES: Mapping[str, Any] = {  # Any: values of several types
    "max_retries": 5,
    "retry_timeout": timedelta(seconds=45),
    "backoff": {"init_backoff": timedelta(milliseconds=200), "max_backoff": timedelta(seconds=8), "base": 2},
}
"""What fails is tried again after 0.2 seconds, 0.4 and so on: without a network that is known in some six."""

_CONNECT, _SILENCE, _WHOLE = timedelta(seconds=5), timedelta(seconds=15), timedelta(hours=1)
_CHUNK = 1 << 18  # bytes that come at a time; as many of what is no picture are read
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object, as its storage lists it.

    Attributes:
        key: of it in the bucket.
        size: in bytes.
        mtime_ns: when it was written.
        etag: another one for other bytes; None where the storage has none.
    """

    key: str
    size: int
    mtime_ns: int
    etag: str | None


class InvalidKeyError(Exception):
    """Among the objects is one whose key has an empty part, "." or "..", which cannot be listed."""


class Bucket:
    """A bucket, open for reading, by several threads.

    Args:
        url: of the bucket, or of anything in it.

    Raises:
        UsageError: the package for it is not installed, or what says how to open it cannot be used.
    """

    def __init__(self, url: ObjectUrl) -> None:
        self._url = ObjectUrl(url.scheme, url.bucket)
        self._access = Access.of(url.scheme, os.environ)
        self._store = _open(self._url, self._access)

    def list_below(self, prefix: str) -> list[StoredObject]:
        """Return all objects below ``prefix``, "" for the whole bucket, by key; a prefix ends at a slash.

        Raises:
            InvalidKeyError: an object there cannot be listed.
            UsageError: there is no such bucket.
            PhotosUnreachableError: it cannot be listed to its end.
        """
        import obstore

        def list_all() -> list[StoredObject]:
            pages = obstore.list(self._store, prefix or None)
            return [_stored(each) for page in pages for each in page]

        return self._ask(list_all, self._url / prefix)

    def list_folder(self, prefix: str) -> tuple[list[StoredObject], list[str]]:
        """Return the objects directly below ``prefix``, and the longer prefixes there.

        Raises:
            InvalidKeyError, UsageError, PhotosUnreachableError: as ``list_below``.
        """
        import obstore

        def list_some() -> tuple[list[StoredObject], list[str]]:
            found = obstore.list_with_delimiter(self._store, prefix or None)
            return [_stored(each) for each in found["objects"]], list(found["common_prefixes"])

        return self._ask(list_some, self._url / prefix)

    def find(self, key: str) -> StoredObject:
        """Return the object at ``key``.

        Raises:
            ImageRefusedError: there is none, or access to it is denied.
            UsageError, PhotosUnreachableError: as ``list_below``.
        """
        import obstore

        return self._ask(lambda: _stored(obstore.head(self._store, key)), self._url / key, of_object=True)

    def read_beginning(self, key: str, size: int) -> bytes:
        """Return the first ``size`` bytes of an object, or all that it has; of an empty one nothing.

        Raises:
            ImageRefusedError: it is not there any more, or cannot be read now.
            UsageError, PhotosUnreachableError: as ``list_below``.
        """
        with self._faults(self._url / key, of_object=True):
            import obstore

            return bytes(obstore.get(self._store, key, options={"range": (0, size)}).bytes())

    def read(self, key: str, etag: str | None = None) -> Iterator[bytes]:
        """Yield the bytes of an object, some at a time; whoever stops early reads no more.

        Args:
            key: of it.
            etag: it is to be as it was when it had that; None: as it is.

        Raises:
            ImageRefusedError: it is not there any more, changed, or cannot be read now.
            UsageError, PhotosUnreachableError: as ``list_below``.
        """
        import obstore

        with self._faults(self._url / key, of_object=True):
            answer = obstore.get(self._store, key, options={"if_match": etag} if etag else None)
            for chunk in answer.stream(min_chunk_size=_CHUNK):
                yield bytes(chunk)

    def _ask(self, question: Callable[[], T], url: ObjectUrl, of_object: bool = False) -> T:
        with self._faults(url, of_object):
            return _interruptibly(question)

    @contextmanager
    def _faults(self, url: ObjectUrl, of_object: bool) -> Iterator[None]:
        """Turn the errors of the storage library into ours."""
        from obstore.exceptions import BaseError, InvalidPathError

        try:
            yield
        except InvalidPathError as error:
            raise InvalidKeyError from error
        except (BaseError, OSError) as error:
            raise fault_of(error, url, self._access, of_object) from None  # its text may hold secrets
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # of the library, which exports none
                raise
            raise UsageError(f"{self._url} cannot be asked: its region or endpoint is malformed") from None


def bucket_of(url: ObjectUrl) -> Bucket:
    """Return the bucket that ``url`` lies in, opened once.

    Raises:
        UsageError: as :class:`Bucket`.
    """
    return open_bucket(ObjectUrl(url.scheme, url.bucket))


open_bucket = lru_cache(maxsize=16)(Bucket)


def _open(url: ObjectUrl, access: Access) -> ObjectStore:
    try:
        from obstore.store import AzureStore, GCSStore, S3Store
    except ModuleNotFoundError as error:
        raise UsageError(
            f"{url.scheme}:// needs a package that is not installed: pip install 'stsearch[objects]'"
        ) from error
    from obstore.exceptions import BaseError

    stores: Mapping[str, Any] = {"s3": S3Store, "gs": GCSStore, "az": AzureStore}  # Any: each has own options
    client = {"allow_http": access.uses_http, "connect_timeout": _CONNECT, "read_timeout": _SILENCE}
    options: dict[str, Any] = {**access.settings}  # Any: see above
    if access.provider is not None:
        options["credential_provider"] = access.provider
    try:
        store: ObjectStore = stores[url.scheme](
            url.bucket, client_options={**client, "timeout": _WHOLE}, retry_config=RETRIES, **options
        )
    except (BaseError, ValueError, OSError) as error:
        raise UsageError(f"{url} cannot be opened: {access.hint}") from error
    return store


def _stored(found: Mapping[str, Any]) -> StoredObject:  # Any: a record of the storage library
    age = found["last_modified"] - _EPOCH
    return StoredObject(
        found["path"], found["size"], age // timedelta(microseconds=1) * 1000, found.get("e_tag")
    )


def _interruptibly(question: Callable[[], T]) -> T:
    """Return the answer to ``question``, from a thread: Ctrl-C need not wait for a server that does not."""
    answers: list[T] = []
    errors: list[BaseException] = []

    def ask() -> None:
        try:
            answers.append(question())
        except BaseException as error:  # noqa: BLE001  raised again below
            errors.append(error)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return answers[0]
