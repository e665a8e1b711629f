"""What went wrong with a bucket, in one sentence that holds no secret and says the way out.

The storage library puts most of it into the text of one kind of error; that text holds requests with their
signatures, so no part of it but the code of the answer is passed on.
"""

from __future__ import annotations

import re

from stsearch.errors import (
    ImageRefusedError,
    PhotosUnreachableError,
    StsearchError,
    UsageError,
)
from stsearch.objects.access import Access
from stsearch.objects.url import ObjectUrl

_CODE, _STATUS = re.compile(r"<Code>(\w{1,60})</Code>"), re.compile(r"status code: (\d{3})")

_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "InvalidBucketName", "InvalidResourceName")
_OTHER_REGION = ("PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed")
_EXPIRED = ("ExpiredToken", "TokenRefreshRequired", "RequestExpired")
_UNKNOWN = ("InvalidAccessKeyId", "InvalidToken", "InvalidClientTokenId", "AuthenticationFailed")
_WRONG_KEY = ("SignatureDoesNotMatch",)
_WRONG_CLOCK = ("RequestTimeTooSkewed",)
_ARCHIVED = ("InvalidObjectState", "BlobArchived")


class StorageBusyError(ImageRefusedError):
    """The storage cannot give one object now; it may be able to give no other either."""


def fault_of(error: Exception, url: ObjectUrl, access: Access, of_object: bool) -> StsearchError:
    """Return the error to raise for ``error`` of the storage library.

    Args:
        error: what it raised.
        url: of what was asked for.
        access: how it was opened.
        of_object: whether that is one photograph, which may be all that is wrong.

    Returns:
        An ``ImageRefusedError`` that does not name the photograph where it is; else a ``UsageError`` where
        what was asked for is not there, or a ``PhotosUnreachableError``.
    """
    bucket = f"{url.scheme}://{url.bucket}"
    text = str(error)
    found, status = _CODE.search(text), _STATUS.search(text)
    code = found[1] if found else ""
    if code in _NO_BUCKET or (_is_missing(error, status) and not of_object):
        return UsageError(f"there is no bucket {bucket}: check its name, and the endpoint if there is one")
    if of_object and (fault := _of_photograph(error, code, status)):
        return fault
    if reason := _of_credentials(code):
        return PhotosUnreachableError(f"{bucket} cannot be read: {reason}")
    if code in _OTHER_REGION or "configured region" in text:
        return PhotosUnreachableError(f"{bucket} lies in another region: set AWS_REGION to that")
    if status and status[1] in ("401", "403"):
        return PhotosUnreachableError(f"{bucket} cannot be read: access is denied{_without_keys(access)}")
    if status:
        return PhotosUnreachableError(
            f"{bucket} cannot be read: its storage answers {status[1]} {code}".rstrip()
        )
    return PhotosUnreachableError(f"{bucket} cannot be reached: {_of_connection(text)}")


def _is_missing(error: Exception, status: re.Match[str] | None) -> bool:
    return isinstance(error, FileNotFoundError) or (status is not None and status[1] == "404")


def _of_photograph(error: Exception, code: str, status: re.Match[str] | None) -> ImageRefusedError | None:
    """Return what is wrong with one photograph; None where it is the whole bucket."""
    if _is_missing(error, status):
        return ImageRefusedError("it is not there")
    if type(error).__name__ == "PreconditionError":
        return ImageRefusedError("it changed while it was read")
    if code in _ARCHIVED:
        return ImageRefusedError("it is archived: restore it from the archive first")
    if code == "AccessDenied" or (status and status[1] == "403" and not code):
        return ImageRefusedError("access is denied")
    if status and status[1].startswith("5"):
        return StorageBusyError(f"its storage answers {status[1]} {code}".rstrip())
    return None


def _of_credentials(code: str) -> str | None:
    for codes, reason in (
        (_EXPIRED, "the credentials have expired: sign in again"),
        (_UNKNOWN, "the credentials are not known there"),
        (_WRONG_KEY, "the secret key is not that of the access key"),
        (_WRONG_CLOCK, "the clock of this computer is wrong"),
    ):
        if code in codes:
            return reason
    return None


def _without_keys(access: Access) -> str:
    return f", and no credentials were found: {access.hint}" if access.is_anonymous else ""


def _of_connection(text: str) -> str:
    if "token request" in text or "api/token" in text or "credential" in text:
        return "no credentials could be fetched: sign in again"
    if "Timeout" in text or "timed out" in text:
        return "its storage does not answer in time"
    return "there is no connection; check the network, and the endpoint if there is one"
