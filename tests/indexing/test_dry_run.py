"""preview.py: what a run would do, without doing it."""

from __future__ import annotations

from pathlib import Path

from gallery_fixtures import MODEL, ColourSpotter, photo_bytes

from stsearch.gallery.gallery import Gallery
from stsearch.indexing.dry_run import Preview, preview
from stsearch.indexing.indexer import index_photos
from stsearch.indexing.walk import WalkRules


def test_without_a_gallery_every_photo_is_new(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    assert preview(tmp_path, None, WalkRules()) == Preview(("a.png",), (), (), 0, ())


def test_a_preview_tells_what_is_new_changed_removed_and_unchanged(tmp_path: Path) -> None:
    for name in ("changed", "gone", "left out", "same"):
        (tmp_path / f"{name}.png").write_bytes(photo_bytes("exit"))
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
            failed=(),
        )
