"""Passwords in URLs, which no message shows."""

from __future__ import annotations

import re

_LOGIN = re.compile(
    r"\b(?!(?:s3|gs|az):/+[^\s:@/]+/)"  # the key of an object may hold any sign
    r"(?P<user>[A-Za-z][A-Za-z0-9+.-]*:/+[^\s:@]*)"  # a path made of a URL has one slash alone
    r":(?:\S*|(?!\d+\b)\S[^@\n]*)@"
)
_PASSWORD = r"(?:ssl)?password=[^\s&]*"
_FIRST_PARAMETER, _OTHER_PARAMETER = re.compile(rf"\?{_PASSWORD}(&?)"), re.compile(f"&{_PASSWORD}")


def without_secrets(text: str) -> str:
    """Return ``text`` with every URL in it without its password, also where that holds unescaped signs.

    >>> without_secrets("no gallery in postgresql://ann:se/c@ret@db.example/photos?sslmode=require&password=x")
    'no gallery in postgresql://ann@db.example/photos?sslmode=require'
    """
    shown = _OTHER_PARAMETER.sub("", _LOGIN.sub(r"\g<user>@", text))
    return _FIRST_PARAMETER.sub(lambda found: "?" if found[1] else "", shown)
