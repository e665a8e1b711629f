"""A bucket as Amazon's, on this machine, and what tests do to it behind the back of the program."""

from __future__ import annotations

import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

NAME = "pictures"
ROOT = f"s3://{NAME}/photos"
"""What tests index."""


@dataclass(frozen=True)
class LocalBucket:
    """A bucket, ``NAME``, with no object in it yet.

    Attributes:
        client: of boto3.
        endpoint: the URL of the server.
    """

    client: Any  # Any: boto3 has no types
    endpoint: str

    @classmethod
    def on(cls, endpoint: str) -> LocalBucket:
        """Make the bucket on the server at ``endpoint``, whose other buckets are gone then."""
        import boto3

        reset = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")
        with urllib.request.urlopen(reset):
            client = boto3.client("s3", endpoint_url=endpoint)
        client.create_bucket(Bucket=NAME)
        return cls(client, endpoint)

    def put(self, objects: Mapping[str, bytes]) -> None:
        """Write objects, by their keys."""
        for key, body in objects.items():
            self.client.put_object(Bucket=NAME, Key=key, Body=body)

    def delete(self, *keys: str) -> None:
        """Delete objects."""
        for key in keys:
            self.client.delete_object(Bucket=NAME, Key=key)


def lead_to(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment say that Amazon's storage is at ``endpoint``, and forget what was opened before."""
    from stsearch.objects.store import open_bucket

    for name, value in (
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "an-access-key"),
        ("AWS_SECRET_ACCESS_KEY", "a-very-secret-key"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ):
        monkeypatch.setenv(name, value)
    open_bucket.cache_clear()
