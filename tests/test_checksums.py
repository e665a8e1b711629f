"""checksums.py."""

from __future__ import annotations

from pathlib import Path

from stsearch.checksums import file_sha256


def test_the_checksum_of_a_file_is_the_sha_256_of_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    assert file_sha256(tmp_path / "file") == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
