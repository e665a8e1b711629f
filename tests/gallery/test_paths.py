"""paths.py: which files of a gallery a path means, as a person types it."""

from __future__ import annotations

from pathlib import Path

import pytest
from gallery_fixtures import make_gallery

from stsearch.errors import UsageError
from stsearch.gallery.paths import files_below

KNOWN = ["a.jpg", "sub/b.jpg", "sub/c.jpg", "substitute.jpg"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("photos/a.jpg", ["a.jpg"]),
        ("photos/sub", ["sub/b.jpg", "sub/c.jpg"]),
        ("photos/sub/", ["sub/b.jpg", "sub/c.jpg"]),
        ("photos", KNOWN),
        ("alias", KNOWN),
        ("alias/sub/b.jpg", ["sub/b.jpg"]),
        ("photos/sub/../a.jpg", ["a.jpg"]),
    ],
)
def test_a_path_means_a_file_or_all_in_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, meant: list[str]
) -> None:
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    (tmp_path / "alias").symlink_to("photos")
    monkeypatch.chdir(tmp_path)
    assert files_below(Path(typed), tmp_path / "photos", KNOWN) == meant


@pytest.mark.parametrize("typed", ["photos/absent.jpg", "photos/su", "elsewhere", ".", "photos/.."])
def test_a_path_that_means_none_is_a_usage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str
) -> None:
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="is not in the gallery of"):
        files_below(Path(typed), tmp_path / "photos", KNOWN)


def test_forgetting_a_link_forgets_its_own_name_and_not_what_it_points_to(tmp_path: Path) -> None:
    for name in ("a.jpg", "real/b.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    (tmp_path / "out").symlink_to("real")
    names = ("a.jpg", "link.jpg", "real/b.jpg", "out/b.jpg")
    with make_gallery(tmp_path, {name: ["exit"] for name in names}) as gallery:
        assert gallery.forget([tmp_path / "link.jpg", tmp_path / "out"]) == 2
        assert gallery.catalog.paths() == ["a.jpg", "real/b.jpg"]
        with pytest.raises(UsageError):
            gallery.forget([tmp_path / "link.jpg"])


def test_a_name_is_forgotten_in_either_spelling_of_its_accents(tmp_path: Path) -> None:
    composed, decomposed = "caf\u00e9/1.jpg", "cafe\u0301/1.jpg"
    assert files_below(tmp_path / "cafe\u0301", tmp_path, [composed]) == [composed]
    assert files_below(tmp_path / composed, tmp_path, [decomposed]) == [decomposed]
    assert files_below(tmp_path / composed, tmp_path, [decomposed, composed]) == [composed]
