"""access.py and aws_profile.py: where credentials and endpoints come from, and that no secret is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from stsearch.errors import UsageError
from stsearch.objects import access
from stsearch.objects.access import Access

KEYS = {"AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "hidden"}


@pytest.fixture(autouse=True)
def no_metadata(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let no service of a rented machine answer; return the requests that were made to it."""
    asked: list[str] = []

    def answers(_method: str, path: str, _headers: object) -> bool:
        asked.append(path)
        return False

    monkeypatch.setattr(access, "_answers", answers)
    return asked


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return the folder of a user with two profiles."""
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = first\naws_secret_access_key = hidden%1\n"
        "[work]\naws_access_key_id = second\naws_secret_access_key = hidden2\naws_session_token = token2\n"
    )
    (tmp_path / ".aws" / "config").write_text(
        "[default]\nregion = eu-west-1\n"
        "[profile work]\nregion = eu-north-1\nendpoint_url = http://storage.example\n"
        "[profile office]\nsso_session = office\nregion = us-west-2\n"
    )
    return tmp_path


def test_keys_of_the_environment_are_left_to_the_library(home: Path) -> None:
    found = Access.of("s3", {"HOME": str(home), **KEYS})
    assert (found.settings, found.is_anonymous) == ({"region": "eu-west-1"}, False)


def test_the_default_profile_is_used_without_keys_in_the_environment(home: Path) -> None:
    found = Access.of("s3", {"HOME": str(home)})
    keys = {"access_key_id": "first", "secret_access_key": "hidden%1"}
    assert (found.settings, found.is_anonymous) == ({**keys, "region": "eu-west-1"}, False)


def test_a_named_profile_brings_its_keys_region_and_endpoint(home: Path) -> None:
    found = Access.of("s3", {"HOME": str(home), "AWS_PROFILE": "work"})
    keys = {"access_key_id": "second", "secret_access_key": "hidden2", "session_token": "token2"}
    assert found.settings == {**keys, "region": "eu-north-1", "endpoint": "http://storage.example"}
    assert found.uses_http


def test_region_and_endpoint_of_the_environment_outweigh_the_profile(home: Path) -> None:
    variables = {"AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "https://other.example"}
    found = Access.of("s3", {"HOME": str(home), "AWS_PROFILE": "work", **variables})
    assert not {"region", "endpoint"} & set(found.settings)
    assert not found.uses_http


def test_a_profile_that_is_not_there_is_named(home: Path) -> None:
    with pytest.raises(UsageError, match="AWS_PROFILE names 'home'"):
        Access.of("s3", {"HOME": str(home), "AWS_PROFILE": "home"})


def test_a_profile_that_has_to_sign_in_needs_boto3(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="'office' of Amazon fetches its credentials: pip install boto3"):
        Access.of("s3", {"HOME": str(home), "AWS_PROFILE": "office"})


def test_a_profile_whose_keys_cannot_be_fetched_says_to_sign_in(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("boto3", reason="boto3 is missing: pip install boto3")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_PROFILE", "office")
    with pytest.raises(UsageError, match="'office' of Amazon has no credentials now: sign in again"):
        Access.of("s3", {"HOME": str(home), "AWS_PROFILE": "office"})


@pytest.mark.parametrize("endpoint", ["localhost:9000", "http://", "https://a b"])
def test_an_endpoint_that_is_no_url_is_refused(endpoint: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="AWS_ENDPOINT_URL is no URL: it begins with https:// or http://"):
        Access.of("s3", {"HOME": str(tmp_path), **KEYS, "AWS_ENDPOINT_URL": endpoint})


def test_a_malformed_file_of_profiles_is_named_and_none_of_its_lines(home: Path) -> None:
    (home / ".aws" / "credentials").write_text("aws_secret_access_key = hidden\n")
    with pytest.raises(UsageError) as caught:
        Access.of("s3", {"HOME": str(home)})
    assert "credentials is no file of profiles" in str(caught.value)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("scheme", "variables"),
    [("s3", {}), ("gs", {}), ("az", {"AZURE_STORAGE_ACCOUNT_NAME": "account"})],
)
def test_without_any_credentials_a_public_bucket_is_asked_for(
    scheme: str, variables: dict[str, str], tmp_path: Path, no_metadata: list[str]
) -> None:
    found = Access.of(scheme, {"HOME": str(tmp_path), **variables})
    assert (found.settings, found.is_anonymous) == ({"skip_signature": True}, True)
    assert len(no_metadata) == 1


@pytest.mark.parametrize("scheme", ["s3", "gs"])
def test_a_rented_machine_has_credentials_of_its_own(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_answers", lambda *_: True)
    assert not Access.of(scheme, {"HOME": str(tmp_path)}).is_anonymous


def test_the_service_of_rented_machines_is_not_asked_where_that_is_unwanted(
    tmp_path: Path, no_metadata: list[str]
) -> None:
    assert Access.of("s3", {"HOME": str(tmp_path), "AWS_EC2_METADATA_DISABLED": "true"}).is_anonymous
    assert no_metadata == []


def test_the_login_of_googles_command_line_is_found(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "gcloud"
    folder.mkdir(parents=True)
    (folder / "application_default_credentials.json").write_text("{}")
    assert not Access.of("gs", {"HOME": str(tmp_path)}).is_anonymous


def test_azure_needs_the_name_of_an_account(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="set AZURE_STORAGE_ACCOUNT_NAME"):
        Access.of("az", {"HOME": str(tmp_path)})


def test_no_secret_is_shown(home: Path) -> None:
    assert "hidden" not in repr(Access.of("s3", {"HOME": str(home), "AWS_PROFILE": "work"}))
