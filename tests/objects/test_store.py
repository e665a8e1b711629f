"""store.py and faults.py: objects are listed and read, and every failure is one sentence without a secret."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta

import pytest
from bucket_fixtures import LocalBucket, lead_to
from scripted_storage import Answer, Request, error, listing, scripted_storage

from stsearch.errors import ImageRefusedError, PhotosUnreachableError, StsearchError, UsageError
from stsearch.objects import store
from stsearch.objects.access import Access
from stsearch.objects.store import Bucket, InvalidKeyError, bucket_of
from stsearch.objects.url import ObjectUrl

URL = ObjectUrl("s3", "pictures", "photos")
KEY = "photos/a.jpg"

Serve = Callable[[Callable[[Request], Answer]], Bucket]


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Return a function that opens a bucket whose storage answers as a test says, and is not waited for."""
    pytest.importorskip("obstore", reason="obstore is missing: pip install 'stsearch[objects]'")
    pauses = {"init_backoff": timedelta(milliseconds=1), "max_backoff": timedelta(milliseconds=2), "base": 2}
    monkeypatch.setattr(store, "RETRIES", {**store.RETRIES, "max_retries": 2, "backoff": pauses})
    monkeypatch.setattr(store, "_SILENCE", timedelta(milliseconds=100))
    stack = ExitStack()

    def open_bucket(answer: Callable[[Request], Answer]) -> Bucket:
        lead_to(stack.enter_context(scripted_storage(answer)), monkeypatch)
        return bucket_of(URL)

    with stack:
        yield open_bucket


def test_what_lies_below_a_prefix_is_listed_by_key(bucket: LocalBucket) -> None:
    bucket.put({"photos/b.jpg": b"12", "photos/2024/a b#.jpg": b"1", "photos2/c.jpg": b"1", "d.jpg": b"1"})
    found = bucket_of(URL).list_below("photos")
    assert [(each.key, each.size) for each in found] == [("photos/2024/a b#.jpg", 1), ("photos/b.jpg", 2)]
    assert len({each.etag for each in found}) == 2
    assert len(bucket_of(URL).list_below("")) == 4


def test_more_objects_than_a_page_holds_are_listed(serve: Serve) -> None:
    pages = iter([listing("photos/a.jpg", more=True), listing("photos/b.jpg")])
    opened = serve(lambda _: next(pages))
    assert [each.key for each in opened.list_below("photos")] == ["photos/a.jpg", "photos/b.jpg"]


def test_a_folder_is_listed_alone(bucket: LocalBucket) -> None:
    bucket.put({"photos/a.jpg": b"1", "photos/2024/b.jpg": b"1"})
    objects, prefixes = bucket_of(URL).list_folder("photos")
    assert ([each.key for each in objects], prefixes) == (["photos/a.jpg"], ["photos/2024"])


def test_a_key_with_an_empty_part_cannot_be_listed(serve: Serve) -> None:
    with pytest.raises(InvalidKeyError):
        serve(lambda _: listing("photos/a//b.jpg")).list_below("photos")


def test_an_object_is_read_whole_and_its_beginning_alone(bucket: LocalBucket) -> None:
    body = bytes(range(256)) * 5000
    bucket.put({KEY: body})
    assert b"".join(bucket_of(URL).read(KEY)) == body
    assert bucket_of(URL).read_beginning(KEY, 4) == b"\0\1\2\3"
    assert bucket_of(URL).find(KEY).size == len(body)


def test_a_connection_that_breaks_in_the_middle_of_an_object_is_taken_up_there(serve: Serve) -> None:
    body, ranges = bytes(range(256)) * 4000, []

    def answer(request: Request) -> Answer:
        ranges.append(request.headers.get("range"))
        start = int((ranges[-1] or "bytes=0-").removeprefix("bytes=").partition("-")[0])
        headers = {"ETag": '"e"', "Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
        cut = 300_000 if start == 0 else None
        return Answer(206 if start else 200, body[start:], headers if start else {"ETag": '"e"'}, cut)

    assert b"".join(serve(answer).read(KEY, '"e"')) == body
    assert (len(ranges), ranges[0]) == (2, None)


def test_a_storage_that_is_busy_is_asked_again(serve: Serve) -> None:
    answers = iter([error(503, "SlowDown"), error(500, "InternalError"), listing("photos/a.jpg")])
    assert len(serve(lambda _: next(answers)).list_below("photos")) == 1


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (error(404, "NoSuchBucket"), UsageError, "there is no bucket s3://pictures"),
        (
            error(403, "AccessDenied"),
            PhotosUnreachableError,
            "pictures cannot be read: access is denied",
        ),
        (error(400, "ExpiredToken"), PhotosUnreachableError, "the credentials have expired: sign in again"),
        (error(403, "InvalidAccessKeyId"), PhotosUnreachableError, "the credentials are not known there"),
        (error(403, "SignatureDoesNotMatch"), PhotosUnreachableError, "secret key is not that of the access"),
        (error(403, "RequestTimeTooSkewed"), PhotosUnreachableError, "the clock of this computer is wrong"),
        (
            error(400, "AuthorizationHeaderMalformed"),
            PhotosUnreachableError,
            "lies in another region",
        ),
        (error(301, "PermanentRedirect"), PhotosUnreachableError, "in another region: set AWS_REGION"),
        (error(503, "SlowDown"), PhotosUnreachableError, "its storage answers 503 SlowDown"),
        (Answer(200, b"<not a listing"), PhotosUnreachableError, "s3://pictures cannot be reached"),
    ],
)
def test_why_a_bucket_cannot_be_listed_is_said(
    serve: Serve, answer: Answer, kind: type[StsearchError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        serve(lambda _: answer).list_below("photos")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "kind", "message"),
    [
        (error(404, "NoSuchKey"), ImageRefusedError, "it is not there"),
        (error(412, "PreconditionFailed"), ImageRefusedError, "it changed while it was read"),
        (error(403, "AccessDenied"), ImageRefusedError, "access is denied"),
        (error(403, "InvalidObjectState"), ImageRefusedError, "it is archived: restore it from the archive"),
        (error(503, "SlowDown"), ImageRefusedError, "its storage answers 503 SlowDown"),
        (error(404, "NoSuchBucket"), UsageError, "there is no bucket s3://pictures"),
        (error(400, "ExpiredToken"), PhotosUnreachableError, "the credentials have expired"),
    ],
)
def test_why_an_object_cannot_be_read_is_said(
    serve: Serve, answer: Answer, kind: type[StsearchError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        list(serve(lambda _: answer).read(KEY, '"e"'))
    assert message in str(caught.value)


def test_no_error_shows_a_secret_or_its_cause(serve: Serve) -> None:
    opened = serve(lambda _: Answer(403, b"<Error><Code>Odd</Code>a-very-secret-key X-Amz-Signature</Error>"))
    with pytest.raises(PhotosUnreachableError) as caught:
        opened.list_below("photos")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_storage_that_never_answers_is_given_up(serve: Serve) -> None:
    release = threading.Event()

    def wait(_: Request) -> Answer:
        release.wait(5)
        return Answer()

    with pytest.raises(PhotosUnreachableError, match="does not answer in time"):
        serve(wait).list_below("photos")
    release.set()


def test_a_storage_that_is_not_there_is_said_to_have_no_connection(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(lambda _: Answer())
    lead_to("http://127.0.0.1:9", monkeypatch)
    with pytest.raises(PhotosUnreachableError, match="there is no connection; check the network"):
        bucket_of(URL).list_below("photos")


def test_credentials_that_cannot_be_fetched_are_said_to_be_missing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Provider:
        config: Mapping[str, str] = {}

        def __call__(self) -> None:
            raise RuntimeError("a-very-secret-key")

    serve(lambda _: Answer())
    monkeypatch.setattr(Access, "of", lambda *_: Access(uses_http=True, provider=Provider()))
    store.open_bucket.cache_clear()
    with pytest.raises(PhotosUnreachableError) as caught:
        bucket_of(URL).list_below("photos")
    assert str(caught.value).endswith("no credentials could be fetched: sign in again")


def test_a_malformed_region_is_a_usage_error(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    serve(lambda _: Answer())
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.setenv("AWS_REGION", "eu west")
    store.open_bucket.cache_clear()
    with pytest.raises(UsageError, match="s3://pictures cannot be asked: its region or endpoint is malform"):
        bucket_of(URL).list_below("photos")


def test_a_public_bucket_is_asked_without_a_signature_and_a_private_one_says_what_is_missing(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    signed: list[bool] = []

    def answer(request: Request) -> Answer:
        signed.append("authorization" in request.headers)
        return listing("photos/a.jpg") if len(signed) == 1 else error(403, "AccessDenied")

    serve(answer)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("nobody")))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    store.open_bucket.cache_clear()
    assert len(bucket_of(URL).list_below("photos")) == 1
    with pytest.raises(PhotosUnreachableError, match="no credentials were found: set AWS_ACCESS_KEY_ID"):
        bucket_of(URL).list_below("photos")
    assert signed == [False, False]


@pytest.mark.parametrize("scheme", ["gs", "az"])
def test_other_storages_are_opened_too(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("obstore", reason="obstore is missing: pip install 'stsearch[objects]'")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert isinstance(Bucket(ObjectUrl(scheme, "pictures")), Bucket)


def test_without_the_package_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(UsageError, match=r"pip install 'stsearch\[objects\]'"):
        Bucket(URL)
