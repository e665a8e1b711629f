"""registry.py: which gallery a path is about, wherever that lies, and the list of them all."""

from __future__ import annotations

from pathlib import Path

import pytest
from gallery_fixtures import MODEL, make_gallery

from stsearch.gallery import registry
from stsearch.gallery.gallery import Gallery


@pytest.fixture
def apart(tmp_path: Path) -> Path:
    """Return the gallery of ``tmp_path / "photos"``, which lies elsewhere and is listed."""
    (tmp_path / "photos" / "in").mkdir(parents=True)
    place = tmp_path / "galleries" / "photos"
    Gallery.create(place, tmp_path / "photos", MODEL).close()
    registry.register(place, tmp_path / "home")
    return place


def test_a_gallery_that_lies_elsewhere_is_found_inside_its_folder(tmp_path: Path, apart: Path) -> None:
    home = tmp_path / "home"
    assert registry.nearest(tmp_path / "photos" / "in", home, print) == apart
    assert registry.find(tmp_path / "photos", home) == apart
    assert registry.nearest(tmp_path, home, print) is None


def test_the_closest_parent_wins_wherever_its_gallery_lies(tmp_path: Path, apart: Path) -> None:
    make_gallery(tmp_path / "photos" / "in", {}).close()
    inside = tmp_path / "photos" / "in" / ".stsearch"
    assert registry.nearest(tmp_path / "photos" / "in", tmp_path / "home", print) == inside
    make_gallery(tmp_path, {}).close()
    assert registry.nearest(tmp_path / "photos", tmp_path / "home", print) == apart


def test_a_damaged_gallery_on_the_list_hides_no_other(tmp_path: Path, apart: Path) -> None:
    (apart / "manifest.json").write_text("{")
    make_gallery(tmp_path / "more", {}).close()
    assert registry.nearest(tmp_path / "more", tmp_path / "home", print) == tmp_path / "more" / ".stsearch"
    assert registry.nearest(tmp_path / "photos", tmp_path / "home", print) is None


def test_a_link_to_a_photo_is_about_the_folder_it_lies_in(tmp_path: Path, apart: Path) -> None:
    make_gallery(tmp_path / "more", {}).close()
    (tmp_path / "more" / "a.jpg").touch()
    (tmp_path / "photos" / "link.jpg").symlink_to(tmp_path / "more" / "a.jpg")
    assert registry.of_path(tmp_path / "photos" / "link.jpg", tmp_path / "home", print) == apart
    assert registry.of_path(apart, tmp_path / "home", print) == apart


def test_a_gallery_taken_off_the_list_keeps_its_files(tmp_path: Path, apart: Path) -> None:
    registry.unregister(apart, tmp_path / "home")
    registry.unregister(apart, tmp_path / "home")
    assert registry.listed(tmp_path / "home") == []
    assert registry.is_gallery(apart)
