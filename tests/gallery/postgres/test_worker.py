"""worker.py: processes share the files of a folder, and whatever ends one of them loses nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice, zip_longest
from pathlib import Path
from typing import Protocol

import pytest
from gallery_fixtures import MODEL, OTHER_MODEL, spotted
from postgres_server import Server

from stsearch.errors import WeightsError
from stsearch.gallery.access import create_gallery, open_gallery
from stsearch.gallery.address import DatabaseUrl
from stsearch.gallery.protocol import WritableGallery
from stsearch.gallery.records import Linked, PhotoFile

FILES = [PhotoFile(f"{number:02}.jpg", 100, 1) for number in range(40)]


class Join(Protocol):
    """Opens the gallery once more, as another process does."""

    def __call__(self) -> WritableGallery: ...


@pytest.fixture
def join(database: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Join]:
    monkeypatch.setattr("stsearch.gallery.postgres.worker._PAUSE_S", 0.01)
    with ExitStack() as stack:
        yield lambda: stack.enter_context(create_gallery(database, tmp_path, MODEL))


def ignore(_number: int) -> None: ...


def bring_in(gallery: WritableGallery, files: Sequence[PhotoFile]) -> None:
    gallery.add([spotted(file.path, "coffee") for file in files])


def read_all(gallery: WritableGallery, files: Sequence[PhotoFile] = FILES) -> tuple[list[str], int]:
    """Bring in what falls to ``gallery``; return that, and how much it was told that others did."""
    told: list[int] = []
    read: list[str] = []
    for some in gallery.share(files, told.append):
        for file in some:
            bring_in(gallery, [file])
            read.append(file.path)
    return read, sum(told)


def test_a_process_alone_reads_everything(join: Join) -> None:
    gallery = join()
    assert sorted(read_all(gallery)[0]) == [file.path for file in FILES]
    assert gallery.counts().photos == len(FILES)
    assert gallery.folder_state().unfinished == 0


def test_two_processes_never_claim_the_same_file(join: Join) -> None:
    one, other = join(), join()
    mine, theirs = next(one.share(FILES, ignore)), next(other.share(FILES, ignore))
    taken = [file.path for pair in zip_longest(mine, theirs) for file in pair if file]
    assert sorted(taken) == [file.path for file in FILES]


def test_two_processes_at_a_time_read_every_file_once(join: Join) -> None:
    with ThreadPoolExecutor(2) as pool:
        (one, of_others), (other, of_the_first) = pool.map(read_all, [join(), join()])
    assert sorted([*one, *other]) == [file.path for file in FILES]
    assert (of_others, of_the_first) == (len(other), len(one))


def test_several_processes_make_a_gallery_at_the_same_time(join: Join) -> None:
    with ThreadPoolExecutor(4) as pool:
        galleries = list(pool.map(lambda _: join(), range(4)))
    for number, gallery in enumerate(galleries):
        bring_in(gallery, FILES[number : number + 1])
    assert galleries[0].counts().photos == 4


def test_what_a_process_gives_up_is_read_by_the_others(join: Join) -> None:
    quitter, other = join(), join()
    list(islice(next(quitter.share(FILES, ignore)), 3))
    quitter.close()
    assert len(read_all(other)[0]) == len(FILES)


def test_a_process_whose_lease_has_run_out_loses_its_files(
    join: Join, postgres: Server, database: DatabaseUrl
) -> None:
    dead, other = join(), join()
    list(islice(next(dead.share(FILES, ignore)), 3))
    name = database.secret.partition("@/")[2].partition("?")[0]
    postgres.run("UPDATE stsearch.workers SET lease_until = now() - interval '1 s'", name)
    assert len(read_all(other)[0]) == len(FILES)


def test_what_another_process_is_at_is_waited_for(join: Join) -> None:
    slow, other = join(), join()
    some = list(islice(next(slow.share(FILES, ignore)), 16))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(read_all, other)
        while slow.counts().photos < len(FILES) - len(some):
            assert not waiting.done()
        bring_in(slow, some)
        read, told = waiting.result()
    assert (len(read), told) == (len(FILES) - len(some), len(some))


def test_files_that_fail_again_keep_nobody_waiting(join: Join) -> None:
    one, other = join(), join()
    rounds = one.share(FILES[:1], ignore)
    list(next(rounds))  # and nothing is brought in
    assert list(rounds) == []
    assert read_all(other, FILES[:1])[0] == ["00.jpg"]


def test_a_file_that_another_process_has_just_read_is_not_read_again(join: Join) -> None:
    one, other = join(), join()
    bring_in(one, FILES[:10])
    read, told = read_all(other)
    assert (len(read), told) == (len(FILES) - 10, 10)


def test_nothing_that_came_since_a_run_began_counts_as_missing(join: Join) -> None:
    one = join()
    bring_in(join(), FILES[:1])
    assert one.paths() == []
    assert join().paths() == ["00.jpg"]


def test_a_task_whose_file_is_gone_is_removed_with_it(join: Join) -> None:
    quitter = join()
    next(quitter.share(FILES, ignore))
    quitter.close()
    gallery = join()
    assert gallery.folder_state().unfinished == len(FILES)
    gallery.remove(gallery.paths())
    assert gallery.folder_state().unfinished == 0


def test_batches_that_overlap_wait_for_each_other_in_no_circle(join: Join) -> None:
    def add(turn: int, gallery: WritableGallery) -> None:
        for at in range(0, len(FILES), 4):
            files = FILES[at : at + 8][:: 1 if turn else -1]
            gallery.add([spotted(file.path, "coffee", "tea") for file in files])
            gallery.add([Linked(file, "sha of 00.jpg") for file in files])
            gallery.remove([files[0].path])

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(add, (0, 1), (join(), join())))
    gallery = join()
    contents = {content for _, content in gallery.all_photos()}
    assert len(gallery.instances().ids) == 2 * len(contents)


def test_weights_that_take_over_end_a_run_with_the_former_ones(
    join: Join, database: DatabaseUrl, tmp_path: Path
) -> None:
    gallery = join()
    bring_in(gallery, FILES[:1])
    create_gallery(database, tmp_path, OTHER_MODEL, reread=True).close()
    with pytest.raises(WeightsError, match="taken over by the weights others"):
        bring_in(gallery, FILES[1:2])
    with open_gallery(database) as now:
        assert now.counts().photos == 1
