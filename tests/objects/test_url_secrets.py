"""url_secrets.py: text with URLs loses their passwords, and nothing else."""

from __future__ import annotations

import pytest

from stsearch.objects.url_secrets import without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "no postgres://ann:se@cr/et?x@h:5/db?sslmode=require; end",
            "no postgres://ann@h:5/db?sslmode=require; end",
        ),
        ("postgresql:/ann:secret@h/db", "postgresql:/ann@h/db"),
        ("postgresql://ann:my secret@h/db is wrong", "postgresql://ann@h/db is wrong"),
        ("s3://key:secret@bucket/photos", "s3://key@bucket/photos"),
        ("postgresql://h/db?password=secret&user=ann", "postgresql://h/db?user=ann"),
        ("postgresql://h/db?password=secret&sslpassword=secret", "postgresql://h/db"),
        ("postgresql://h/db?user=ann&password=secret is", "postgresql://h/db?user=ann is"),
    ],
)
def test_passwords_are_left_out(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/a:b@c.jpg",
        "postgresql://ann@h:5432/db: ask ann@h",
        "http://127.0.0.1:8765/ of a@b",
        "photos/a:b@c.jpg",
        "write postgresql://USER@HOST:PORT/DATABASE, with % and two digits for signs such as / : @",
    ],
)
def test_what_is_no_password_stays(text: str) -> None:
    assert without_secrets(text) == text
