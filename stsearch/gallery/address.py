"""Where a gallery is: in a folder, or in a database that a URL names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from stsearch.errors import UsageError
from stsearch.objects.url import Location, located
from stsearch.objects.url_secrets import without_secrets

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SCHEME = re.compile(r"postgres(ql)?://")
_SECRETS = re.compile(r"(?<=[?&])(password|sslpassword)=[^&]*&?")


@dataclass(frozen=True, slots=True)
class DatabaseUrl:
    """The URL of a database.

    Attributes:
        secret: as it was given, perhaps with a password; what is shown is the string of this object.
    """

    secret: str = field(repr=False)

    def __str__(self) -> str:
        """Return the URL without any password, also where a sign in it should have been escaped.

        >>> str(DatabaseUrl("postgresql://ann:se/c@ret@db.example/photos?sslmode=require&password=x"))
        'postgresql://ann@db.example/photos?sslmode=require'
        """
        scheme, _, rest = self.secret.partition("://")
        login, at, place = rest.rpartition("@")
        shown = f"{scheme}://{login.partition(':')[0]}{at}{place}"
        return _SECRETS.sub("", shown).rstrip("?&")


Address = Path | DatabaseUrl


def parse_address(text: str | Path | DatabaseUrl) -> Address:
    """Return the database that ``text`` is the URL of, else the folder that it is the path of.

    Raises:
        UsageError: it is the URL of something else, where no gallery can be.

    >>> str(parse_address("postgresql://db.example/photos")), parse_address("photos")
    ('postgresql://db.example/photos', PosixPath('photos'))
    """
    if isinstance(text, str) and _SCHEME.match(text):
        return DatabaseUrl(text)
    if isinstance(text, str) and _URL.match(text):
        raise UsageError(
            f"{without_secrets(text)} is no place for a gallery: give a folder, or postgresql://HOST/NAME"
        )
    return text if isinstance(text, DatabaseUrl) else Path(text)


Named = Location | DatabaseUrl
"""A folder of photographs or their URL, their gallery, or a database."""


def parse_named(text: str | Named) -> Named:
    """Return what a person names a gallery by.

    Raises:
        UsageError: it is a URL of nothing that is known.

    >>> parse_named("s3://bucket/photos"), parse_named("photos")
    (ObjectUrl(scheme='s3', bucket='bucket', key='photos'), PosixPath('photos'))
    """
    if isinstance(text, str) and _SCHEME.match(text):
        return DatabaseUrl(text)
    return text if isinstance(text, DatabaseUrl) else located(text)
