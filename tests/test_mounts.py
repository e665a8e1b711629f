"""mounts.py: which paths lie on mounts that may not answer, told without looking at them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stsearch.mounts import Mounts

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
