"""Shares without working locks and read-only disks: the message names the file system, and the way out."""

from __future__ import annotations

import errno
import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, make_gallery, spotted

from stsearch.errors import GalleryLockedError, WriteError
from stsearch.gallery import file_systems
from stsearch.gallery.atomic_files import Lock, make_private_folder, replacing
from stsearch.gallery.connection import Connection
from stsearch.gallery.gallery import Gallery


@pytest.fixture(autouse=True)
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a list of mounts in which the folder of the test is a share."""
    listing = tmp_path / "mounts"
    share = str(tmp_path / "my photos").replace(" ", "\\040")
    listing.write_text(
        f"25 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n31 25 0:40 / {share} rw - nfs4 nas:/photos rw\n"
    )
    monkeypatch.setattr("stsearch.mounts._MOUNTS", listing)
    return listing


@pytest.fixture
def share(tmp_path: Path) -> Path:
    folder = tmp_path / "my photos"
    folder.mkdir()
    return folder


def fail_with(number: int) -> object:
    def fail(*_arguments: object, **_options: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP, errno.EACCES, errno.ENOSYS])
def test_a_share_without_locks_is_named_and_no_process_is_blamed(
    share: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(fcntl, "flock", fail_with(number))
    with pytest.raises(WriteError) as caught:
        Gallery.create(share / ".stsearch", share, MODEL)
    assert str(caught.value) == (
        f"the file system nfs4 of {share}/.stsearch has no working locks ({os.strerror(number)});"
        " keep the gallery on a local disk: stsearch index FOLDER --index LOCAL"
    )


def busy(number: int = sqlite3.SQLITE_BUSY) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = number
    return error


def test_sqlite_s_locks_that_do_not_work_are_no_other_process(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (share / "catalog.sqlite3").touch()
    with closing(Connection(share / "catalog.sqlite3")) as connection:
        with pytest.raises(GalleryLockedError), connection.named_errors():
            raise busy()
        monkeypatch.setattr(fcntl, "lockf", fail_with(errno.EACCES))
        for number in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_IOERR_LOCK, sqlite3.SQLITE_PERM):
            with pytest.raises(WriteError) as caught, connection.named_errors():
                raise busy(number)
            fault = f"the file system nfs4 of {share} has no working locks (Permission denied)"
            assert fault in str(caught.value)
    assert [file.name for file in share.iterdir()] == ["catalog.sqlite3"]


def test_a_lock_that_another_process_holds_is_said_to_be_held(share: Path) -> None:
    lock = Lock(share / "lock")
    with pytest.raises(GalleryLockedError, match="another process is writing"):
        Lock(share / "lock")
    lock.release()


def test_a_read_only_disk_is_answered_with_the_way_out(share: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_gallery(share, {"a.jpg": ["exit"]}).close()
    monkeypatch.setattr(os, "open", fail_with(errno.EROFS))
    with pytest.raises(WriteError, match=r"Read-only file system; .* --index LOCAL"):
        Gallery.create(share / ".stsearch", share, MODEL)
    with pytest.raises(WriteError, match=r"Read-only file system; .* --index LOCAL"), replacing(share / "x"):
        pass


def test_a_folder_that_cannot_be_made_on_a_read_only_disk_is_answered_with_the_way_out(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "mkdir", fail_with(errno.EROFS))
    with pytest.raises(WriteError, match=r"cannot make .*Read-only file system; .* --index LOCAL"):
        make_private_folder(share / ".stsearch")


def test_a_full_disk_needs_no_other_place(share: Path) -> None:
    error = file_systems.write_error(share, OSError(errno.ENOSPC, "No space left on device"))
    assert str(error) == f"cannot write {share}: No space left on device"


def test_where_mounts_are_not_listed_the_file_system_has_no_name(share: Path, mounts: Path) -> None:
    mounts.unlink()
    error = file_systems.lock_error(share, OSError(errno.ENOLCK, "No locks available"))
    assert str(error).startswith(f"the file system of {share} has no working locks (No locks available)")


def test_a_gallery_on_a_file_system_with_locks_is_written_to(share: Path) -> None:
    assert file_systems.fault_of_locks(share) is None
    with Gallery.create(share / ".stsearch", share, MODEL) as gallery:
        gallery.add([spotted("a.jpg", "exit")])
        assert len(gallery.catalog.photos()) == 1


def test_a_file_that_a_writer_replaces_meanwhile_is_passed_over_and_a_link_counts_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "kept").write_bytes(b"12345")
    (tmp_path / "photos" / "link").symlink_to("gone")
    listed = [tmp_path / "photos" / name for name in ("kept", "replaced", "link")]
    monkeypatch.setattr(Path, "iterdir", lambda _: iter(listed))
    assert [status.st_size for status in file_systems.statuses(tmp_path / "photos")] == [5, len("gone")]
