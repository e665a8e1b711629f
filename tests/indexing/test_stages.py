"""stages.py: when a file is the one that the gallery knows."""

from __future__ import annotations

import pytest

from stsearch.gallery.records import Failed, Linked, PhotoFile
from stsearch.indexing.stages import is_as_recorded
from stsearch.indexing.walk import NEVER

KNOWN = PhotoFile("a.jpg", 100, 5, '"etag"')


@pytest.mark.parametrize(
    ("file", "is_same"),
    [
        pytest.param(PhotoFile("a.jpg", 100, 5, '"etag"'), True, id="the same"),
        pytest.param(PhotoFile("a.jpg", 100, 9, '"etag"'), True, id="copied over itself later"),
        pytest.param(PhotoFile("a.jpg", 100, 5, '"other"'), False, id="other bytes in the same second"),
        pytest.param(PhotoFile("a.jpg", 101, 5, '"etag"'), False, id="another size"),
        pytest.param(PhotoFile("a.jpg", 100, 5), True, id="no stamp any more, the same time"),
        pytest.param(PhotoFile("a.jpg", 100, 6), False, id="no stamp any more, another time"),
    ],
)
def test_an_object_is_known_by_its_stamp_and_size(file: PhotoFile, is_same: bool) -> None:
    assert is_as_recorded(file, Linked(KNOWN, "sha")) is is_same


def test_a_file_is_known_by_its_time_and_size() -> None:
    known = Linked(PhotoFile("a.jpg", 100, 5), "sha")
    assert is_as_recorded(PhotoFile("a.jpg", 100, 5), known)
    assert not is_as_recorded(PhotoFile("a.jpg", 100, 6), known)
    assert not is_as_recorded(PhotoFile("a.jpg", 100, 5), None)


def test_an_object_whose_stamp_was_not_kept_is_known_by_its_time() -> None:
    known = Linked(PhotoFile("a.jpg", 100, 5), "sha")
    assert is_as_recorded(KNOWN, known)
    assert not is_as_recorded(PhotoFile("a.jpg", 100, 6, '"etag"'), known)


def test_an_object_that_is_to_be_tried_again_is_never_known() -> None:
    refused = Failed(PhotoFile("a.jpg", 100, NEVER, '"etag"'), "it took too long")
    assert not is_as_recorded(KNOWN, refused)
