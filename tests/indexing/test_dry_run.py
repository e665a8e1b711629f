"""dry_run.py: what a run would do, without doing it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, OTHER_MODEL, ColourSpotter, photo_bytes

from stsearch.gallery.gallery import Gallery
from stsearch.indexing.dry_run import Preview, preview
from stsearch.indexing.indexer import IndexOptions, index_photos
from stsearch.indexing.vanished import Vanished
from stsearch.indexing.walk import WalkRules


def test_without_a_gallery_every_photo_is_new(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "b.pdf").touch()
    assert preview(tmp_path, None, WalkRules()) == Preview(("a.png",), passed_over={".pdf": 1})


def test_a_preview_tells_what_is_new_changed_removed_and_unchanged(tmp_path: Path) -> None:
    for number, name in enumerate(("changed", "gone", "left out", "same")):
        (tmp_path / f"{name}.png").write_bytes(photo_bytes("exit", blue=number))
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    (tmp_path / "broken too.jpg").write_bytes(b"no picture")
    with Gallery.create(tmp_path / ".stsearch", tmp_path, MODEL) as gallery:
        index_photos(gallery, ColourSpotter())
        (tmp_path / "changed.png").write_bytes(photo_bytes("coffee"))
        (tmp_path / "gone.png").unlink()
        (tmp_path / "broken too.jpg").write_bytes(b"another size")
        (tmp_path / "new.png").touch()
        assert preview(tmp_path, gallery, WalkRules(exclude=("left*",))) == Preview(
            new=("broken too.jpg", "new.png"),
            changed=("changed.png",),
            removed=("gone.png", "left out.png"),
            unchanged=1,
            passed_over={},
        )


def test_a_preview_counts_renames_copies_and_touched_files_as_the_run_does(
    photos: Path, gallery: Gallery
) -> None:
    for number in range(3):
        (photos / f"c{number}.png").write_bytes(photo_bytes("hotel", blue=number))
    index_photos(gallery, ColourSpotter())
    (photos / "a.png").rename(photos / "renamed.png")
    (photos / "copy of renamed.png").write_bytes((photos / "renamed.png").read_bytes())
    (photos / "copy.png").write_bytes((photos / "c0.png").read_bytes())
    (photos / "c1.png").rename(photos / "2024" / "c1.png")
    os.utime(photos / "c0.png", (1, 1))
    (photos / "c2.png").write_bytes((photos / "2024" / "c1.png").read_bytes())
    found = preview(photos, gallery, WalkRules())
    assert found.moved == ("copy of renamed.png", "2024/c1.png")
    report = index_photos(gallery, ColourSpotter())
    for kind in ("new", "changed", "moved", "removed"):
        assert len(getattr(found, kind)) == getattr(report, kind), kind
    assert (found.unchanged, found.reread) == (report.unchanged, 0)


@pytest.mark.parametrize("recognize", [True, False])
def test_a_preview_counts_what_would_be_read_again(photos: Path, recognize: bool) -> None:
    (photos / "copy.png").write_bytes(photo_bytes("coffee"))
    with Gallery.create(photos / ".stsearch", photos, MODEL) as gallery:
        index_photos(gallery, ColourSpotter(), IndexOptions(recognize=False))
        found = preview(photos, gallery, WalkRules(), recognize)
        assert (found.reread, found.unchanged) == ((2, 1) if recognize else (0, 3))
    with Gallery.create(photos / ".stsearch", photos, OTHER_MODEL, reread=True) as gallery:
        assert preview(photos, gallery, WalkRules(), recognize).reread == 2


def test_a_preview_says_what_would_stay_though_it_is_missing(photos: Path, gallery: Gallery) -> None:
    index_photos(gallery, ColourSpotter())
    (photos / "a.png").unlink()
    (photos / "2024" / "b.png").unlink()
    found = preview(photos, gallery, WalkRules())
    assert (found.removed, found.vanished) == ((), Vanished(2, 2, other_device=False))
    assert preview(photos, gallery, WalkRules(), prune=True).removed == ("2024/b.png", "a.png")
