"""The profiles of Amazon's command line: static keys, region and endpoint, without any package of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from configparser import ConfigParser
from configparser import Error as MalformedError
from dataclasses import dataclass
from pathlib import Path

from stsearch.errors import UsageError

_SETTINGS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint",
}
"""What is taken from the files, by what the storage library calls it."""

_ROUNDABOUT = ("role_arn", "sso_session", "sso_start_url", "credential_process", "web_identity_token_file")


@dataclass(frozen=True, slots=True)
class Profile:
    """A section of ``~/.aws/credentials`` and of ``~/.aws/config``.

    Attributes:
        name: of it.
        settings: keys, region and endpoint, as the storage library calls them.
        needs_sign_in: whether its keys come from somebody else: single sign-on, a role, a program.
    """

    name: str
    settings: Mapping[str, str]
    needs_sign_in: bool

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Profile:
        """Return the profile that the variables of ``environment`` choose, which may be empty.

        Raises:
            UsageError: the profile that ``AWS_PROFILE`` names is in neither file, or a file is malformed.
        """
        home = Path(environment.get("HOME", "~")).expanduser() / ".aws"
        chosen = environment.get("AWS_PROFILE") or environment.get("AWS_DEFAULT_PROFILE")
        name = chosen or "default"
        found: dict[str, str] = {}
        is_there = False
        for variable, file, section in (
            ("AWS_CONFIG_FILE", "config", name if name == "default" else f"profile {name}"),
            ("AWS_SHARED_CREDENTIALS_FILE", "credentials", name),
        ):
            sections = _read(Path(environment.get(variable) or home / file).expanduser())
            if sections.has_section(section):
                is_there = True
                found.update(sections[section])
        if chosen and not is_there:
            raise UsageError(f"AWS_PROFILE names {chosen!r}, which is no profile of {home}")
        settings = {ours: found[theirs] for theirs, ours in _SETTINGS.items() if found.get(theirs)}
        return cls(name, settings, any(found.get(setting) for setting in _ROUNDABOUT))


def _read(path: Path) -> ConfigParser:
    sections = ConfigParser(interpolation=None, strict=False)
    try:
        sections.read_string(path.read_text(encoding="utf-8"))
    except OSError:  # most have none
        pass
    except (
        MalformedError,
        UnicodeDecodeError,
    ) as error:  # the error would quote the line, which may be a key
        raise UsageError(f"{path} is no file of profiles") from error
    return sections
