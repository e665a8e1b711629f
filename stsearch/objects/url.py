"""Where photographs lie: a path of this computer, or the URL of a bucket, a prefix or an object.

Text alone; nothing is opened. A URL is spelled as the tools of its owners spell it, without percent signs for
other characters: ``s3://bucket/a photo #1.jpg``.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from stsearch.errors import UsageError
from stsearch.objects.url_secrets import without_secrets

SCHEMES = {
    "s3": "Amazon S3 and what speaks like it",
    "gs": "Google Cloud Storage",
    "az": "Azure Blob Storage",
}
"""What URLs begin with, and whose storage that is."""

_DATABASES = ("postgres", "postgresql")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")


@dataclass(frozen=True, slots=True, order=True)
class ObjectUrl:
    """The URL of a bucket, of a prefix in it, or of an object; used like an absolute path.

    Attributes:
        scheme: one of ``SCHEMES``.
        bucket: name of the bucket; of Azure, of the container.
        key: of the object, or the prefix without a slash at its end; "": the whole bucket.
    """

    scheme: str
    bucket: str
    key: str = ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.bucket}" + (f"/{self.key}" if self.key else "")

    def __truediv__(self, name: str) -> ObjectUrl:
        """Return the URL of what is called ``name`` below this one."""
        return ObjectUrl(self.scheme, self.bucket, "/".join(filter(None, (self.key, name))))

    @property
    def name(self) -> str:
        """The part after the last slash; of a bucket its name."""
        return self.key.rpartition("/")[2] or self.bucket

    @property
    def stem(self) -> str:
        """The name without its ending."""
        return PurePosixPath(self.name).stem

    @property
    def parent(self) -> ObjectUrl:
        """The prefix it lies below; of a bucket itself."""
        return ObjectUrl(self.scheme, self.bucket, self.key.rpartition("/")[0])

    @property
    def parents(self) -> tuple[ObjectUrl, ...]:
        """All prefixes it lies below, the nearest first, the bucket last."""
        return (self.parent, *self.parent.parents) if self.key else ()

    def as_uri(self) -> str:
        """Return it as a link: with percent signs for what a URI cannot hold."""
        return f"{self.scheme}://{self.bucket}/{urllib.parse.quote(os.fsencode(self.key))}"

    def name_below(self, root: Location) -> str | None:
        """Return its name relative to ``root``, "" for that itself; None where it lies elsewhere.

        >>> ObjectUrl("s3", "bucket", "photos/a.jpg").name_below(ObjectUrl("s3", "bucket", "photos"))
        'a.jpg'
        """
        if self == root:
            return ""
        if not isinstance(root, ObjectUrl) or root not in self.parents:
            return None
        return self.key[len(root.key) :].removeprefix("/")


Location = Path | ObjectUrl
"""Where a photograph lies, or a folder of them."""


def located(text: Location | str) -> Location:
    """Return the location that a person or a manifest names.

    Raises:
        UsageError: it is a URL of a database or of no object storage that is known, or names no bucket.

    >>> located("s3://bucket/photos/"), located("photos")
    (ObjectUrl(scheme='s3', bucket='bucket', key='photos'), PosixPath('photos'))
    """
    if not isinstance(text, str):
        return text
    found = _URL.fullmatch(text)
    if found is None:
        return Path(text)
    scheme, rest, shown = found[1].lower(), found[2], without_secrets(text)
    if scheme in _DATABASES:
        raise UsageError(f"{shown} is a database, where no photographs lie: give it with --index")
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}:// ({whose})" for name, whose in SCHEMES.items())
        raise UsageError(f"{shown} is of no object storage that is known: give a folder, or {known}")
    bucket, _, key = rest.partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(f"{shown} names no bucket: write {scheme}://BUCKET/PREFIX")
    key = key.strip("/")
    if key and any(part in ("", ".", "..") for part in key.split("/")):
        raise UsageError(f"{shown} holds an empty part, . or .., which no prefix of photographs may")
    return ObjectUrl(scheme, bucket, key)


def resolved(location: Location | str) -> Location:
    """Return an absolute path without links, or a URL as it is.

    Raises:
        UsageError: as :func:`located`.
    """
    location = located(location)
    return location.resolve() if isinstance(location, Path) else location
