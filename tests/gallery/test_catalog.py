"""catalog.py: what is stored comes back, a batch is whole or absent, and damage is named."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
import stat
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from gallery_fixtures import DIM, MODEL, embed, instance, spotted
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stsearch.errors import GalleryDamagedError, GalleryLockedError
from stsearch.gallery.catalog import Catalog
from stsearch.gallery.manifest import Manifest
from stsearch.gallery.records import Counts, Failed, Linked, PhotoFile, Spotted, is_inside
from stsearch.gallery.schema import COLUMNS, MIGRATIONS


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    opened = Catalog(tmp_path / "catalog.sqlite3", create=True)
    yield opened
    opened.close()


def test_an_instance_comes_back_as_it_was_stored(catalog: Catalog) -> None:
    catalog.add([spotted("a.jpg", "Café")])
    table = catalog.instances(DIM)
    assert table.transcripts == ("Café",)
    assert table.confidences.tolist() == pytest.approx([0.8])
    np.testing.assert_allclose(table.embeddings, embed("Café")[None], atol=1e-3)
    detail = catalog.details_of(table.ids.tolist())[int(table.ids[0])]
    np.testing.assert_array_equal(detail.polygon, instance("Café", x=0).polygon)
    assert detail.characters == ()


def test_the_confidence_of_each_character_is_kept_to_a_byte(catalog: Catalog) -> None:
    read = dataclasses.replace(instance("abc"), characters=(1.0, 0.5, 0.0))
    catalog.add([Spotted(PhotoFile("a.jpg", 1, 1), "sha", 48, 64, [read])])
    [detail] = catalog.details_of(catalog.instance_ids()).values()
    assert detail.characters == pytest.approx((1.0, 0.5, 0.0), abs=0.003)


def test_ctc_posteriors_come_back_as_they_were_and_damage_to_them_is_found(catalog: Catalog) -> None:
    read = dataclasses.replace(instance("abc"), ctc_posteriors=bytes(range(37)) * 8)
    catalog.add([Spotted(PhotoFile("a.jpg", 1, 1), "sha", 48, 64, [read, instance("def")])])
    assert [d.ctc_posteriors for d in catalog.details_of(catalog.instance_ids()).values()] == [
        read.ctc_posteriors,
        b"",
    ]
    assert list(catalog.faults(DIM)) == []
    stored = (
        "id, content_id, polygon, score, transcript, folded, confidence, vector, characters, x'00ff', page"
    )
    corrupt(
        catalog,
        f"UPDATE instances SET ctc_posteriors = x'00ff', checksum = row_checksum({stored}) WHERE id = 1",
    )
    assert "instance 1: its CTC posteriors cannot be unpacked" in list(catalog.faults(DIM))
    with pytest.raises(GalleryDamagedError):
        catalog.details_of([1])


def corrupt(catalog: Catalog, statement: str) -> None:
    """Change rows behind the back of their checksums and totals."""
    for kind in ("added", "changed", "removed"):
        for table in ("contents", "images", "instances"):
            catalog._database.execute(f"DROP TRIGGER IF EXISTS {table}_{kind}")
    for kind in ("added", "changed", "removed"):
        catalog._database.execute(f"DROP TRIGGER IF EXISTS file_{kind}")
    catalog._database.execute("PRAGMA foreign_keys = OFF")
    catalog._database.execute(statement)


@pytest.mark.parametrize(
    ("statement", "finding"),
    [
        ("UPDATE instances SET transcript = 'exid'", "row 1 of instances does not match its checksum"),
        ("UPDATE instances SET vector = zeroblob(4)", "row 1 of instances does not match its checksum"),
        ("UPDATE images SET mtime_ns = 2", "row b'a.jpg' of images does not match its checksum"),
        ("UPDATE contents SET width = 1", "row 1 of contents does not match its checksum"),
        ("DELETE FROM instances WHERE id = 2", "instances has 1 rows, and not those that were written"),
        ("DELETE FROM images", "content 1 has a wrong number of files"),
        ("DELETE FROM contents", "names a row of contents that is not there"),
        ("DELETE FROM totals", "how many rows contents has is lost"),
        ("UPDATE sqlite_sequence SET seq = 0", "the last id of instances is 0"),
        ("UPDATE manifest_copy SET body = 'other'", "its copy of the manifest does not match its checksum"),
    ],
)
def test_what_changed_behind_the_checksums_is_found(catalog: Catalog, statement: str, finding: str) -> None:
    catalog.add([spotted("a.jpg", "exit", "taxi")])
    catalog.set_manifest_copy(Manifest("..", MODEL))
    assert list(catalog.faults(DIM)) == []
    corrupt(catalog, statement)
    assert finding in "; ".join(catalog.faults(DIM))


def test_a_vector_that_was_stored_wrong_is_found_though_its_checksum_holds(catalog: Catalog) -> None:
    catalog.add([spotted("a.jpg", "exit", "!")])  # no letters make a vector of length zero
    assert list(catalog.faults(DIM)) == ["instance 2: its vector is not of unit length"]
    assert "instance 1: its vector has 72 bytes, not 74" in list(catalog.faults(DIM + 1))


@pytest.mark.parametrize(
    "statement", ["UPDATE instances SET transcript = 'exid'", "DELETE FROM instances WHERE id = 2"]
)
def test_instances_that_are_not_what_was_written_are_never_returned(catalog: Catalog, statement: str) -> None:
    catalog.add([spotted("a.jpg", "exit", "taxi")])
    corrupt(catalog, statement)
    with pytest.raises(GalleryDamagedError, match="is damaged"):
        catalog.instances(DIM)


def test_a_file_that_went_missing_from_its_content_is_damage(catalog: Catalog) -> None:
    photo = spotted("a.jpg", "exit")
    catalog.add([photo, Linked(PhotoFile("b.jpg", 1, 1), photo.sha256)])
    corrupt(catalog, "DELETE FROM images WHERE path = x'622e6a7067'")
    with pytest.raises(GalleryDamagedError, match="content 1 has 1 files, not 2"):
        catalog.paths_of([1])


def test_a_file_whose_content_went_missing_is_damage(catalog: Catalog) -> None:
    catalog.add([spotted("a.jpg", "exit")])
    corrupt(catalog, "DELETE FROM contents")
    with pytest.raises(GalleryDamagedError, match=r"the content of 'a\.jpg' is missing"):
        catalog.record_at("a.jpg")


def test_ids_that_are_no_numbers_are_damage(catalog: Catalog) -> None:
    catalog.add([spotted("a.jpg", "exit")])
    catalog._database.execute("UPDATE sqlite_sequence SET seq = 'x'")
    with pytest.raises(GalleryDamagedError, match="the last id of contents is lost"):
        catalog.add([spotted("b.jpg", "exit")])


def test_what_is_removed_leaves_the_bytes_of_the_file(tmp_path: Path, catalog: Catalog) -> None:
    catalog.add([spotted("a.jpg", "unmistakable"), spotted("b.jpg", "exit")])
    catalog.remove(["a.jpg"])
    catalog.wipe()
    assert b"unmistakable" not in (tmp_path / "catalog.sqlite3").read_bytes()


def test_an_empty_catalog_has_empty_columns(catalog: Catalog) -> None:
    table = catalog.instances(DIM)
    assert table.ids.shape == (0,)
    assert table.embeddings.shape == (0, DIM)


def test_instances_can_be_picked_by_id_and_gone_ids_are_left_out(catalog: Catalog) -> None:
    catalog.add([spotted("a.jpg", "one", "two", "three")])
    first, _, third = catalog.instance_ids().tolist()
    assert catalog.instances(DIM, [third, 999, first]).transcripts == ("one", "three")
    assert list(catalog.details_of([999])) == []


def test_more_ids_than_a_statement_takes_can_be_picked(catalog: Catalog) -> None:
    catalog.add([spotted("a.jpg", *["word"] * 1201)])
    assert len(catalog.instances(DIM, catalog.instance_ids().tolist()).ids) == 1201


def test_instances_are_found_by_what_they_read_folded(catalog: Catalog) -> None:
    catalog.add([spotted("a.jpg", "Café", "exit")])
    assert len(catalog.ids_reading(["cafe", "tea"])) == 1


def test_when_a_photograph_was_taken_is_kept_with_its_content(catalog: Catalog) -> None:
    dated = dataclasses.replace(spotted("a.jpg"), taken="2023-05-01T12:00:00")
    catalog.add([dated, spotted("c.jpg"), Failed(PhotoFile("d.jpg", 1, 1), "truncated")])
    catalog.add([Linked(PhotoFile("b.jpg", 5, 6), dated.sha256)])
    assert [(photo.file.path, photo.file.mtime_ns, photo.taken) for photo in catalog.dated_photos()] == [
        ("a.jpg", 1, "2023-05-01T12:00:00"),
        ("b.jpg", 6, "2023-05-01T12:00:00"),
        ("c.jpg", 1, None),
    ]


def test_identical_files_share_one_content(catalog: Catalog) -> None:
    photo = spotted("a.jpg", "exit")
    catalog.add([photo, Spotted(PhotoFile("b.jpg", 1, 1), photo.sha256, 48, 64, [instance("exit")])])
    catalog.add([Linked(PhotoFile("c.jpg", 1, 1), photo.sha256)])
    (content,) = set(catalog.instances(DIM).contents.tolist())
    assert catalog.paths_of([content]) == {content: ["a.jpg", "b.jpg", "c.jpg"]}
    assert catalog.counts() == Counts(photos=3, failed=0, words=1)


def test_the_stamp_of_an_object_is_kept_whatever_became_of_it(catalog: Catalog) -> None:
    read, refused = PhotoFile("a.jpg", 1, 2, '"etag"'), PhotoFile("b.jpg", 3, -1, '"other"')
    catalog.add([dataclasses.replace(spotted("a.jpg", "tea"), file=read), Failed(refused, "took too long")])
    assert [photo.file for photo in catalog.dated_photos()] == [read]
    assert [failed.file for failed in catalog.failures()] == [refused]
    records = [catalog.record_at(path) for path in ("a.jpg", "b.jpg")]
    assert [record and record.file for record in records] == [read, refused]
    assert list(catalog.faults(DIM)) == []


def test_what_is_known_of_a_file_is_a_link_a_failure_or_nothing(catalog: Catalog) -> None:
    photo, failure = spotted("a.jpg"), Failed(PhotoFile("b.jpg", 5, 6), "truncated")
    catalog.add([photo, failure])
    assert catalog.record_at("a.jpg") == Linked(photo.file, photo.sha256)
    assert catalog.record_at("b.jpg") == failure
    assert catalog.record_at("c.jpg") is None
    assert catalog.failures() == [failure]


def test_removing_the_last_file_of_a_content_removes_its_words(catalog: Catalog) -> None:
    photo = spotted("a.jpg", "exit")
    catalog.add([photo, Linked(PhotoFile("b.jpg", 1, 1), photo.sha256)])
    catalog.remove(["a.jpg"])
    assert catalog.counts().words == 1
    catalog.remove(["b.jpg"])
    assert catalog.counts() == Counts(photos=0, failed=0, words=0)
    assert not catalog.holds(photo.sha256)


def test_ids_are_never_used_twice(catalog: Catalog) -> None:
    catalog.add([spotted("a.jpg", "exit")])
    before = catalog.instance_ids().tolist()
    catalog.remove(["a.jpg"])
    catalog.add([spotted("a.jpg", "exit")])
    assert catalog.instance_ids().tolist()[0] > before[0]


def test_a_batch_that_fails_leaves_nothing_behind(catalog: Catalog) -> None:
    with pytest.raises(GalleryDamagedError):
        catalog.add([spotted("a.jpg", "exit"), Linked(PhotoFile("b.jpg", 1, 1), "no such content")])
    assert catalog.counts() == Counts(photos=0, failed=0, words=0)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(name=st.binary(min_size=1, max_size=40).filter(lambda name: is_inside(os.fsdecode(name))))
def test_any_path_comes_back_byte_for_byte(catalog: Catalog, name: bytes) -> None:
    path = name.decode("utf-8", "surrogateescape")
    catalog.add([Failed(PhotoFile(path, 1, 1), "no picture")])
    assert path in catalog.paths()
    catalog.remove([path])


def test_the_file_is_private(tmp_path: Path) -> None:
    Catalog(tmp_path / "catalog.sqlite3", create=True).close()
    assert stat.S_IMODE((tmp_path / "catalog.sqlite3").stat().st_mode) == 0o600


def test_a_reopened_catalog_holds_what_it_held(tmp_path: Path) -> None:
    first = Catalog(tmp_path / "c", create=True)
    first.add([spotted("a.jpg", "exit")])
    first.close()
    again = Catalog(tmp_path / "c")
    assert again.counts() == Counts(photos=1, failed=0, words=1)
    again.close()


def test_a_newer_format_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "catalog.sqlite3"
    Catalog(path, create=True).close()
    with sqlite3.connect(path) as database:
        database.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    database.close()
    before = path.read_bytes()
    with pytest.raises(GalleryDamagedError, match="upgrade stsearch"):
        Catalog(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"no database" * 200], ids=["empty", "other"])
def test_a_file_that_is_no_catalog_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "catalog.sqlite3"
    path.write_bytes(content)
    with pytest.raises(GalleryDamagedError, match="damaged"):
        Catalog(path)


def test_a_vector_of_another_length_is_damage(catalog: Catalog) -> None:
    catalog.add([spotted("a.jpg", "exit")])
    with pytest.raises(GalleryDamagedError, match="another length"):
        catalog.instances(DIM + 1)


def test_a_missing_file_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(GalleryDamagedError, match="it is missing"):
        Catalog(tmp_path / "absent")


def test_a_catalog_held_by_another_writer_is_reported_as_locked(tmp_path: Path, catalog: Catalog) -> None:
    other = sqlite3.connect(tmp_path / "catalog.sqlite3", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    catalog._database.execute("PRAGMA busy_timeout = 1")
    with pytest.raises(GalleryLockedError):
        catalog.add([spotted("a.jpg")])
    other.close()


@pytest.mark.parametrize("path", ["../secret", "a/../../b.jpg", "/etc/passwd"])
def test_a_path_that_leads_out_of_the_folder_is_damage(catalog: Catalog, path: str) -> None:
    outside = spotted(path, "exit")
    catalog.add([outside, Failed(PhotoFile(f"{path}2", 1, 1), "no picture")])
    readings: list[Callable[[], object]] = [
        catalog.paths,
        catalog.photos,
        catalog.failures,
        lambda: catalog.paths_of([1]),
    ]
    for read in readings:
        with pytest.raises(GalleryDamagedError, match="leads out of the folder of photographs"):
            read()
    assert any("leads out" in fault for fault in catalog.faults(DIM))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        pytest.param("polygon", np.full(8, np.nan, np.float32).tobytes(), id="outline not finite"),
        pytest.param("polygon", np.full(8, 1e30, np.float32).tobytes(), id="outline beyond any photograph"),
        pytest.param("polygon", b"", id="no outline"),
        pytest.param("vector", np.full(DIM, np.inf, np.float16).tobytes(), id="a vector that is not finite"),
        pytest.param("vector", b"", id="no vector"),
        pytest.param("ctc_posteriors", zlib.compress(bytes(50_000_000)), id="a zlib bomb"),
        pytest.param("transcript", b"exit", id="bytes for a text"),
        pytest.param("transcript", f"'{'x' * 900_000}'", id="a text longer than any word"),
        pytest.param("confidence", "1e999", id="an endless confidence"),
        pytest.param("confidence", "-0.5", id="a confidence below 0"),
    ],
)
def test_a_forged_row_with_its_own_checksum_is_damage(
    catalog: Catalog, column: str, value: bytes | str
) -> None:
    catalog.add([spotted("a.jpg", "exit")])
    forged = f"x'{value.hex()}'" if isinstance(value, bytes) else value
    columns = COLUMNS["instances"].removesuffix(", checksum").replace(column, forged)
    catalog._database.execute(f"UPDATE instances SET {column} = {forged}, checksum = row_checksum({columns})")
    with pytest.raises(GalleryDamagedError):
        read_all(catalog)
    assert list(catalog.faults(DIM)) != []


def read_all(catalog: Catalog) -> None:
    catalog.instances(DIM)
    catalog.details_of([1])


@pytest.mark.parametrize("taken", ["yesterday", "2023-05-01T12:00:00+02:00"])
def test_a_moment_that_no_camera_wrote_is_damage(catalog: Catalog, taken: str) -> None:
    catalog.add([dataclasses.replace(spotted("a.jpg"), taken=taken)])
    with pytest.raises(GalleryDamagedError):
        catalog.dated_photos()
