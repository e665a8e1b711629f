"""mounts.py: which paths lie on mounts that may not answer, told without looking at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stsearch import mounts
from stsearch.errors import GalleryUnreadableError
from stsearch.mounts import Mounts, check_answers

LISTING = r"""
25 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
31 25 0:40 / /mnt/nas rw - nfs4 server:/export rw
32 25 0:41 / /mnt/my\040share rw - cifs //server/share rw
33 31 8:2 / /mnt/nas/usb rw shared:5 - vfat /dev/sdb1 rw
34 25 0:42 / /home/ada/phone rw - fuse.sshfs ada@phone:/ rw
no mount
"""


@pytest.mark.parametrize(
    ("path", "is_distant"),
    [
        ("/home/ada/photos/a.jpg", False),
        ("/mnt/nas/2024/a.jpg", True),
        ("/mnt/nas", True),
        ("/mnt/nas/usb/a.jpg", False),
        ("/mnt/nasty/a.jpg", False),
        ("/mnt/my share/a.jpg", True),
        ("/home/ada/phone/DCIM/a.jpg", True),
    ],
)
def test_the_nearest_mount_above_a_path_decides(path: str, is_distant: bool) -> None:
    assert Mounts(LISTING).is_distant(Path(path)) == is_distant


def test_the_kind_of_a_file_system_is_that_of_the_nearest_mount() -> None:
    assert Mounts(LISTING).kind_of(Path("/mnt/my share/a.jpg")) == "cifs"
    assert Mounts("").kind_of(Path("/mnt/nas")) == ""


def test_without_a_listing_everything_is_near() -> None:
    assert not Mounts("").is_distant(Path("/mnt/nas/a.jpg"))


def test_the_temporary_folder_is_near(tmp_path: Path) -> None:
    assert not Mounts().is_distant(tmp_path)


@pytest.mark.parametrize(
    ("folder", "has_distant"), [("/", True), ("/mnt", True), ("/mnt/nas/2024", True), ("/home/bob", False)]
)
def test_a_folder_with_a_distant_mount_below_it_may_not_answer(folder: str, has_distant: bool) -> None:
    assert Mounts(LISTING).has_distant(Path(folder)) == has_distant


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let paths lie on the mounts of LISTING, none of which was asked yet."""
    monkeypatch.setattr(mounts, "_read_listing", lambda: LISTING)
    monkeypatch.setattr(mounts, "_asked", {})


@pytest.mark.parametrize("path", ["/mnt/nas/2024", "/mnt/nas", "/home/../mnt/usb/../nas/../nas/a"])
def test_a_mount_that_does_not_answer_is_given_up_and_not_asked_again(
    asked: None, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(mounts, "_ASK", "import time; time.sleep(60)")
    with pytest.raises(GalleryUnreadableError, match=r"^/mnt/nas does not answer"):
        check_answers(Path(path), timeout_s=0.05)
    monkeypatch.setattr(mounts, "_ASK", "no program")
    with pytest.raises(GalleryUnreadableError):
        check_answers(Path("/mnt/nas/2025"))


def test_a_mount_that_answers_with_an_error_answers(asked: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "_ASK", "raise OSError")
    check_answers(Path("/mnt/nas/2024"))


def test_a_local_path_is_not_asked(asked: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("subprocess.Popen", None)
    check_answers(Path("/mnt/nas/usb/a.jpg"))
    check_answers(Path("/home/ada"))
