"""How a bucket is opened: credentials from the usual places, an endpoint, or no signature at all.

The storage library reads the variables of the environment by itself; here is what it does not do: profiles,
plain HTTP where an endpoint asks for it, and public buckets, where nobody has any credentials.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stsearch.errors import UsageError
from stsearch.objects.aws_profile import Profile

_METADATA_TIMEOUT_S = 1.0  # where there is such a service, it answers within milliseconds

_CREDENTIALS = {
    "s3": (
        "AWS_ACCESS_KEY_ID",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_SKIP_SIGNATURE",
    ),
    "gs": (
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "GOOGLE_BEARER_TOKEN",
        "GOOGLE_SKIP_SIGNATURE",
    ),
    "az": (
        "AZURE_STORAGE_ACCOUNT_KEY",
        "AZURE_STORAGE_ACCESS_KEY",
        "AZURE_STORAGE_SAS_KEY",
        "AZURE_STORAGE_SAS_TOKEN",
        "AZURE_STORAGE_TOKEN",
        "AZURE_STORAGE_CLIENT_SECRET",
        "AZURE_CLIENT_SECRET",
        "AZURE_FEDERATED_TOKEN_FILE",
        "AZURE_STORAGE_USE_EMULATOR",
        "AZURE_USE_AZURE_CLI",
        "AZURE_SKIP_SIGNATURE",
    ),
}
"""Variables, by scheme, any of which says where credentials come from, or that there are to be none."""

_METADATA = {
    "s3": ("PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": "60"}),
    "gs": ("GET", "/computeMetadata/v1/instance/service-accounts/", {"Metadata-Flavor": "Google"}),
    "az": ("GET", "/metadata/instance?api-version=2021-02-01", {"Metadata": "true"}),
}
"""The request, by scheme, that the metadata service of a rented machine answers, and nothing else."""

_ENDPOINTS = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_ENDPOINT = re.compile(r"https?://[^\s/]+(?:/\S*)?", re.IGNORECASE)
_HINTS = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS, or run: gcloud auth application-default login",
    "az": "set AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
}


@dataclass(frozen=True, slots=True)
class Access:
    """What a bucket is opened with, beside the environment.

    Attributes:
        settings: for the storage library.
        is_anonymous: whether requests are not signed, because nobody has any credentials.
        uses_http: whether its endpoint is not encrypted, such as one on this machine.
        provider: returns credentials that change; None: they do not, or the library fetches them.
        hint: how credentials are given, in a few words.
    """

    settings: Mapping[str, str | bool] = field(default_factory=dict, repr=False)
    is_anonymous: bool = False
    uses_http: bool = False
    provider: Callable[[], Any] | None = None  # Any: as the storage library wants them
    hint: str = ""

    @classmethod
    def of(cls, scheme: str, environment: Mapping[str, str]) -> Access:
        """Return what opens buckets of ``scheme``.

        Raises:
            UsageError: what says where credentials are cannot be used.
        """
        settings: dict[str, str | bool] = {}
        provider, is_known = None, any(environment.get(name) for name in _CREDENTIALS[scheme])
        if scheme == "s3":
            provider = _add_profile(settings, environment, is_known)
            is_known |= provider is not None or "access_key_id" in settings
        elif scheme == "gs":
            is_known |= _has_gcloud_login(environment)
        elif not environment.get("AZURE_STORAGE_ACCOUNT_NAME") and not is_known:
            raise UsageError("az:// needs the name of the storage account: set AZURE_STORAGE_ACCOUNT_NAME")
        is_anonymous = not is_known and not _has_metadata(scheme, environment)
        if is_anonymous:
            settings["skip_signature"] = True
        uses_http = _uses_http(scheme, settings, environment)
        return cls(settings, is_anonymous, uses_http, provider, _HINTS[scheme])


def _uses_http(scheme: str, settings: Mapping[str, str | bool], environment: Mapping[str, str]) -> bool:
    """Return whether the endpoint, if there is one, is not encrypted.

    Raises:
        UsageError: it is no URL.
    """
    given = [(name, environment[name]) for name in _ENDPOINTS[scheme] if environment.get(name)]
    name, endpoint = given[0] if given else ("endpoint_url", str(settings.get("endpoint", "https://default")))
    if not _ENDPOINT.fullmatch(endpoint):
        raise UsageError(
            f"{name} is no URL: it begins with https:// or http://, as https://storage.example:9000"
        )
    return endpoint.lower().startswith("http://")


def _add_profile(
    settings: dict[str, str | bool], environment: Mapping[str, str], has_keys: bool
) -> Callable[[], Any] | None:
    """Add what the profile says and the environment does not; return what fetches its credentials, if any."""
    profile = Profile.read(environment)
    taken = {name: value for name, value in profile.settings.items() if not has_keys or "key" not in name}
    taken = {name: value for name, value in taken.items() if not (has_keys and name == "session_token")}
    if environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION"):
        taken.pop("region", None)
    if any(environment.get(name) for name in _ENDPOINTS["s3"]):
        taken.pop("endpoint", None)
    settings.update(taken)
    if has_keys or "access_key_id" in taken or not profile.needs_sign_in:
        return None
    if find_spec("boto3") is None:
        raise UsageError(f"the profile {profile.name!r} of Amazon fetches its credentials: pip install boto3")
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        return Boto3CredentialProvider()
    except Exception as error:
        raise UsageError(
            f"the profile {profile.name!r} of Amazon has no credentials now: sign in again, as with"
            " aws sso login"
        ) from error


def _has_gcloud_login(environment: Mapping[str, str]) -> bool:
    home = Path(environment.get("HOME", "~")).expanduser()
    folder = Path(environment.get("CLOUDSDK_CONFIG") or home / ".config" / "gcloud")
    return (folder / "application_default_credentials.json").is_file()


def _has_metadata(scheme: str, environment: Mapping[str, str]) -> bool:
    """Return whether this is a rented machine, which is given credentials by a service of its own."""
    if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
        return False
    return _answers(*_METADATA[scheme][:2], tuple(_METADATA[scheme][2].items()))


@cache
def _answers(method: str, path: str, headers: tuple[tuple[str, str], ...]) -> bool:
    import urllib.request

    request = urllib.request.Request(f"http://169.254.169.254{path}", method=method, headers=dict(headers))
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(request, timeout=_METADATA_TIMEOUT_S) as answer:
            return bool(answer.status == 200)
    except OSError:  # urllib's errors are some
        return False
