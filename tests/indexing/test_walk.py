"""walk.py: which files of a folder are photographs to index, and which are left out."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from gallery_fixtures import MODEL, ColourSpotter, photo_bytes

from stsearch.errors import UsageError
from stsearch.gallery.gallery import Gallery
from stsearch.indexing.indexer import IndexOptions, index_photos
from stsearch.indexing.walk import IGNORE_FILE, LINK, SPECIAL, WalkRules, listed_photos, walk_photos

EVERYTHING = WalkRules()


def make_tree(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def ignore(folder: Path, *lines: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / IGNORE_FILE).write_text("\n".join(lines) + "\n")


def found(root: Path, rules: WalkRules = EVERYTHING) -> list[str]:
    return [file.path for file in walk_photos(root, rules).files]


def failures(root: Path, rules: WalkRules = EVERYTHING) -> dict[str, str]:
    return {failed.file.path: failed.reason for failed in walk_photos(root, rules).failed}


def test_the_walk_is_sorted_and_passes_over_hidden_files_thumbnails_links_and_other_files(
    tmp_path: Path,
) -> None:
    make_tree(
        tmp_path, "b.JPG", "a/z.png", ".hidden/x.jpg", "@eaDir/t.jpg", "._b.jpg", "notes.txt", "p.jpg.txt"
    )
    (tmp_path / "link.jpg").symlink_to(tmp_path / "b.JPG")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert found(tmp_path) == ["b.JPG", "a/z.png"]
    assert failures(tmp_path) == {}


def test_what_nas_boxes_and_windows_keep_for_themselves_is_passed_over(tmp_path: Path) -> None:
    make_tree(
        tmp_path, "#recycle/a.jpg", "b/$RECYCLE.BIN/a.jpg", "@eaDir/a.jpg", "#snapshot/x/a.jpg", "c.jpg"
    )
    assert found(tmp_path) == ["c.jpg"]
    assert found(tmp_path, WalkRules(only=("#recycle/a.jpg", "c.jpg"))) == ["c.jpg"]


def test_everything_passed_over_is_counted_by_ending(tmp_path: Path) -> None:
    make_tree(tmp_path, "a.jpg", "b.CR2", "c/d.cr2", "c/film.mp4", "notes", "Mr. Smith on tour")
    make_tree(tmp_path, ".hidden", "x.pdf", "left/out.mp4", ".thumbs/t.mp4", "@eaDir/t.mp4")
    ignore(tmp_path, "x.pdf", "left/")
    os.mkfifo(tmp_path / "fifo.jpg")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link.jpg").symlink_to("a.jpg")
    (tmp_path / "other").symlink_to("c")
    counted = {".cr2": 2, ".mp4": 1, "": 2, LINK: 2, SPECIAL: 2}
    assert walk_photos(tmp_path).passed_over == counted
    assert LINK not in walk_photos(tmp_path, WalkRules(follow=True)).passed_over


def test_listed_files_that_are_passed_over_are_counted_whatever_the_reason(tmp_path: Path) -> None:
    make_tree(tmp_path, "a.jpg", "scan.pdf", ".hidden.jpg", "left/out.png", "c/b.jpg")
    (tmp_path / "link").symlink_to("c")
    ignore(tmp_path, "left/")
    listed = ("a.jpg", "scan.pdf", ".hidden.jpg", "left/out.png", "link/b.jpg", "c")
    assert walk_photos(tmp_path, WalkRules(only=listed)).passed_over == {".pdf": 1, ".jpg": 2, ".png": 1}


def test_pipes_sockets_and_devices_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "fifo.jpg")
    os.mkfifo(tmp_path / IGNORE_FILE)
    (tmp_path / "null.jpg").symlink_to("/dev/zero")
    monkeypatch.chdir(tmp_path)  # the path of a socket may be 107 bytes long
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.jpg")
        assert found(tmp_path, WalkRules(follow=True)) == []
    assert found(tmp_path, WalkRules(only=("fifo.jpg", "null.jpg", "socket.jpg"))) == []


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        pytest.param(["*.png"], ["a.jpg", "b/a.jpg", "b/c/d.jpg"], id="ending"),
        pytest.param(["/a.jpg"], ["a.png", "b/a.jpg", "b/c/d.jpg"], id="anchored"),
        pytest.param(["a.jpg"], ["a.png", "b/c/d.jpg"], id="at any depth"),
        pytest.param(["b/"], ["a.jpg", "a.png"], id="folder"),
        pytest.param(["a.jpg/"], ["a.jpg", "a.png", "b/a.jpg", "b/c/d.jpg"], id="a folder is meant"),
        pytest.param(["**/c"], ["a.jpg", "a.png", "b/a.jpg"], id="folder at any depth"),
        pytest.param(["b/*", "!b/a.jpg"], ["a.jpg", "a.png", "b/a.jpg"], id="all but one"),
        pytest.param(["b/**", "!b/a.jpg"], ["a.jpg", "a.png", "b/a.jpg"], id="everything below but one"),
        pytest.param(["*", "!b/"], [], id="a folder comes back without what is in it"),
        pytest.param(["b/", "!b/a.jpg"], ["a.jpg", "a.png"], id="nothing comes back from a folder left out"),
        pytest.param(["# a.jpg", ""], ["a.jpg", "a.png", "b/a.jpg", "b/c/d.jpg"], id="comments"),
        pytest.param(["a.???\r"], ["b/c/d.jpg"], id="carriage return"),
        pytest.param(["\ufeffa.???"], ["b/c/d.jpg"], id="byte order mark"),
        pytest.param(
            ["!.hidden/", "!.hidden/x.jpg"], ["a.jpg", "a.png", "b/a.jpg", "b/c/d.jpg"], id="hidden"
        ),
    ],
)
def test_an_ignore_file_leaves_out_what_git_would(tmp_path: Path, lines: list[str], left: list[str]) -> None:
    make_tree(tmp_path, "a.jpg", "a.png", "b/a.jpg", "b/c/d.jpg", ".hidden/x.jpg")
    ignore(tmp_path, *lines)
    assert found(tmp_path) == left


def test_an_ignore_file_speaks_of_its_own_folder_and_outweighs_those_above(tmp_path: Path) -> None:
    make_tree(tmp_path, "a.jpg", "b/a.jpg", "b/b.jpg", "b/c/a.jpg")
    ignore(tmp_path, "a.jpg")
    ignore(tmp_path / "b", "!/a.jpg", "/b.jpg")
    assert found(tmp_path) == ["b/a.jpg"]


def test_an_excluded_pattern_outweighs_every_ignore_file(tmp_path: Path) -> None:
    make_tree(tmp_path, "a.jpg", "b/a.jpg", "b/b.jpg")
    ignore(tmp_path / "b", "!a.jpg", "b.jpg")
    assert found(tmp_path, WalkRules(exclude=("a.jpg", "!b.jpg"))) == ["b/b.jpg"]


def test_patterns_reach_names_of_several_lines_and_names_in_no_encoding(tmp_path: Path) -> None:
    for name in (b"a\nb.jpg", b"\xe9/x.jpg", b"\xe8.png", b"end.png\n"):
        make_tree(tmp_path, os.fsdecode(name))
    (tmp_path / IGNORE_FILE).write_bytes(b"a*b.jpg\n\xe9/\n*.png\n")
    assert found(tmp_path) == []


@pytest.mark.parametrize("pattern", ["!", "\\"])
def test_an_excluded_pattern_that_makes_no_sense_is_a_usage_error(pattern: str) -> None:
    with pytest.raises(UsageError, match="cannot exclude "):
        WalkRules(exclude=(pattern,))


def test_a_folder_whose_ignore_file_makes_no_sense_is_passed_over_and_named(tmp_path: Path) -> None:
    make_tree(tmp_path, "a.jpg", "b/a.jpg")
    ignore(tmp_path / "b", "!")
    assert found(tmp_path) == ["a.jpg"]
    assert failures(tmp_path) == {"b/": ".stsearchignore: Invalid git pattern: '!'"}
    assert list(failures(tmp_path, WalkRules(only=("b/a.jpg",)))) == ["b/a.jpg"]


def test_the_ignore_file_of_the_folder_itself_has_to_make_sense(tmp_path: Path) -> None:
    ignore(tmp_path, "!")
    with pytest.raises(UsageError, match=r"cannot list .*: \.stsearchignore: Invalid git pattern"):
        walk_photos(tmp_path)


def test_a_folder_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        walk_photos(tmp_path / "absent")


def test_what_is_left_out_later_leaves_the_gallery(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(photo_bytes("coffee"))
    (tmp_path / "b.png").write_bytes(photo_bytes("exit"))
    with Gallery.create(tmp_path / ".stsearch", tmp_path, MODEL) as gallery:
        index_photos(gallery, ColourSpotter())
        ignore(tmp_path, "b.*")
        assert index_photos(gallery, ColourSpotter()).removed == 1
        assert gallery.instances().transcripts == ("coffee",)


def test_links_are_followed_on_request_and_each_folder_is_walked_once(tmp_path: Path) -> None:
    make_tree(tmp_path, "photos/real/a.jpg", "other/b.jpg", "c.jpg")
    root = tmp_path / "photos"
    (root / "again").symlink_to(root / "real")
    (root / "real" / "loop").symlink_to(root)
    (root / "out").symlink_to(tmp_path / "other")
    (root / "real" / "out too").symlink_to(tmp_path / "other")
    (root / "link.jpg").symlink_to(tmp_path / "c.jpg")
    assert found(root) == ["real/a.jpg"]
    assert found(root, WalkRules(follow=True)) == ["link.jpg", "real/a.jpg", "out/b.jpg"]


def test_an_ignore_file_leaves_out_a_link(tmp_path: Path) -> None:
    make_tree(tmp_path, "photos/a.jpg", "other/b.jpg")
    (tmp_path / "photos" / "out").symlink_to(tmp_path / "other")
    ignore(tmp_path / "photos", "out/")
    assert found(tmp_path / "photos", WalkRules(follow=True)) == ["a.jpg"]


def test_a_link_to_nowhere_and_a_link_to_itself_fail(tmp_path: Path) -> None:
    (tmp_path / "gone.jpg").symlink_to(tmp_path / "absent.jpg")
    (tmp_path / "self.jpg").symlink_to(tmp_path / "self.jpg")
    assert failures(tmp_path) == {}
    assert failures(tmp_path, WalkRules(follow=True)) == {
        "gone.jpg": "No such file or directory",
        "self.jpg": "Too many levels of symbolic links",
    }


@pytest.mark.parametrize("follow", [False, True])
def test_a_folder_whose_path_is_too_long_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, follow: bool
) -> None:
    make_tree(tmp_path, "a.jpg")
    monkeypatch.chdir(tmp_path)
    for _ in range(20):
        os.mkdir("d" * 250)  # noqa: PTH102  # a whole path would be too long
        os.chdir("d" * 250)
    walk = walk_photos(tmp_path, WalkRules(follow=follow))
    assert [file.path for file in walk.files] == ["a.jpg"]
    assert [failed.reason for failed in walk.failed] == ["File name too long"]


def test_a_listed_link_to_a_share_that_does_not_answer_fails_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree(tmp_path, "a.jpg")
    (tmp_path / "gone.jpg").symlink_to("/share/gone.jpg")
    stat = os.stat

    def look(path: str | os.PathLike[str], *, follow_symlinks: bool = True) -> os.stat_result:
        if follow_symlinks and Path(path).name == "gone.jpg":
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN), os.fspath(path))
        return stat(path, follow_symlinks=follow_symlinks)

    monkeypatch.setattr("os.stat", look)
    walk = walk_photos(tmp_path, WalkRules(only=("a.jpg", "gone.jpg"), follow=True))
    assert [file.path for file in walk.files] == ["a.jpg"]
    assert [failed.file.path for failed in walk.failed] == ["gone.jpg"]


def test_only_the_listed_photos_are_looked_at(tmp_path: Path) -> None:
    make_tree(tmp_path, "a.jpg", "b/a.jpg", "b/b.jpg")
    assert found(tmp_path, WalkRules(only=("b/b.jpg", "a.jpg", "a.jpg"))) == ["a.jpg", "b/b.jpg"]


def test_the_rules_hold_for_listed_photos_too(tmp_path: Path) -> None:
    make_tree(tmp_path, "photos/b/a.jpg", "photos/.c/a.jpg", "photos/n.txt", "other/a.jpg")
    root = tmp_path / "photos"
    (root / "out").symlink_to(tmp_path / "other")
    ignore(root, "b/")
    listed = ("b", "b/a.jpg", ".c/a.jpg", "n.txt", "out/a.jpg")
    assert found(root, WalkRules(only=listed)) == []
    assert found(root, WalkRules(only=listed, follow=True)) == ["out/a.jpg"]


def test_a_listed_photo_that_is_not_there_fails(tmp_path: Path) -> None:
    assert failures(tmp_path, WalkRules(only=("a.jpg",))) == {"a.jpg": "No such file or directory"}


def test_a_listed_photo_is_indexed_and_nothing_leaves_the_gallery(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(photo_bytes("coffee"))
    with Gallery.create(tmp_path / ".stsearch", tmp_path, MODEL) as gallery:
        index_photos(gallery, ColourSpotter())
        (tmp_path / "a.png").unlink()
        (tmp_path / "b.png").write_bytes(photo_bytes("exit"))
        report = index_photos(
            gallery, ColourSpotter(), IndexOptions(rules=WalkRules(only=("b.png", "c.png")))
        )
        assert (report.new, report.removed, report.failed) == (1, 0, 1)
        assert gallery.instances().transcripts == ("coffee", "exit")


PICTURES = ("DSCF0012.MPO", "a.txt", "clip.MP4", "noending", "notes.json", "photo.jpg_large", "side.xmp")


@pytest.mark.parametrize("only", [None, (*PICTURES, "film.mp4", "notes", "pipe.x")])
def test_content_decides_what_a_file_is_whatever_its_ending(
    tmp_path: Path, only: tuple[str, ...] | None
) -> None:
    for name in PICTURES:
        (tmp_path / name).write_bytes(photo_bytes("coffee"))
    (tmp_path / "notes").write_bytes(b"BMW, and more text")
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypisom")
    os.mkfifo(tmp_path / "pipe.x")
    walk = walk_photos(tmp_path, WalkRules(only=only))
    assert tuple(file.path for file in walk.files) == PICTURES
    assert walk.failed == []
    assert walk.passed_over == {"": 1, ".mp4": 1, SPECIAL: 1}


def test_a_list_holds_paths_from_the_current_folder_and_from_the_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "photos"
    make_tree(root, "sub/a.jpg")
    (tmp_path / "alias").symlink_to(root)
    monkeypatch.chdir(root / "sub")
    listing = os.fsencode(
        f"a.jpg\n../b.jpg\n{root}/c\u00e9.jpg\n\n{tmp_path}/alias/sub/x/../d.jpg\n../../photos\n"
    )
    assert listed_photos(map(os.fsdecode, listing.split(b"\n")), root) == (
        "sub/a.jpg",
        "b.jpg",
        "c\u00e9.jpg",
        "sub/d.jpg",
    )


def test_a_list_separated_by_nul_holds_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    names = listed_photos(["a\nb.jpg", os.fsdecode(b"\xe9.jpg"), ""], tmp_path)
    assert [os.fsencode(name) for name in names] == [b"a\nb.jpg", b"\xe9.jpg"]


@pytest.mark.parametrize("name", ["../x.jpg", "/x.jpg", "sub/../../x.jpg", "out/../x\x1b.jpg"])
def test_a_listed_path_outside_the_folder_is_a_usage_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    root = tmp_path / "photos"
    make_tree(tmp_path, "photos/sub/a.jpg", "other/deep/b.jpg")
    (root / "out").symlink_to(tmp_path / "other" / "deep")
    monkeypatch.chdir(root)
    with pytest.raises(UsageError) as caught:
        listed_photos([name], root)
    assert str(caught.value).startswith(f"{name!r} lies outside ")


def test_a_list_separated_by_nul_and_read_by_line_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="add --null"):
        listed_photos(["a.jpg\0b.jpg\0"], tmp_path)
