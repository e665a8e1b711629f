"""From photographs in object storage to hits, in Python."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from bucket_fixtures import ROOT, LocalBucket
from gallery_fixtures import MODEL, ColourSpotter, LetterEncoder, photo_bytes

import stsearch
from stsearch.objects.url import ObjectUrl, located


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all weights be those of the letter model."""
    monkeypatch.setattr(
        "stsearch.spotting.load.load_spotter",
        lambda _name, _device, reads, _engine: ColourSpotter(MODEL, reads),
    )
    monkeypatch.setattr("stsearch.search.query_encoder.load_query_encoder", lambda _: LetterEncoder(MODEL))
    monkeypatch.setattr("stsearch.weights.card.check_weights", lambda name: SimpleNamespace(info=MODEL))
    monkeypatch.setattr("stsearch.weights.card.find_by_sha256", lambda sha256, name: name)


@pytest.mark.parametrize("place", [ROOT, located(ROOT)])
def test_a_bucket_is_indexed_opened_and_searched_by_its_url(
    bucket: LocalBucket, place: str | ObjectUrl
) -> None:
    bucket.put({"photos/cup.png": photo_bytes("coffee")})
    with stsearch.index(place) as photos:
        assert (len(photos), photos.report and photos.report.new) == (1, 1)
    with stsearch.open(place) as photos:
        [hit] = photos.search("coffee", paths=f"{ROOT}/*")
        assert hit.path == ObjectUrl("s3", "pictures", "photos/cup.png")
        assert stsearch.read_image(hit.path).shape == (48, 64, 3)
        [like] = photos.search(photos.image_query(str(hit.path)))
        assert like.path == hit.path


def test_a_picture_in_a_bucket_that_is_not_there_is_named(bucket: LocalBucket) -> None:
    with pytest.raises(stsearch.StsearchError, match=f"{ROOT}/none.png: it is not there"):
        stsearch.read_image(f"{ROOT}/none.png")
