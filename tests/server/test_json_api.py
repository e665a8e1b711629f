"""The JSON API: the fields of the command line, tags, errors, and pictures of photographs alone."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from gallery_fixtures import Run, photo_bytes
from server_fixtures import client_of, make_photos, record
from starlette.testclient import TestClient

from stsearch.gallery.gallery import Gallery


def pixels(content: bytes) -> np.ndarray:
    return np.asarray(PIL.Image.open(io.BytesIO(content)))


def test_a_search_returns_the_fields_of_the_command_line(client: TestClient, run: Run, photos: Path) -> None:
    answer = client.get("/api/search", params={"q": "garden", "top": 2, "explain": 1}).json()
    lines = run("search", "garden", "--top", "2", "--explain", "--json", "--index", photos).out.splitlines()
    printed = [json.loads(line) for line in lines]
    assert [{k: v for k, v in hit.items() if k != "photograph"} for hit in answer["hits"]] == printed
    assert (answer["type"], answer["schema"], answer["query"]) == ("answer", 1, "garden")


def test_words_returns_the_fields_of_the_command_line(client: TestClient, run: Run, photos: Path) -> None:
    answer = client.get("/api/words").json()
    printed = [json.loads(line) for line in run("words", "--index", photos, "--json").out.splitlines()]
    assert answer["words"] == printed
    assert answer["total"] == len(printed)


def test_words_of_a_photograph_are_listed_from_top_to_bottom(client: TestClient) -> None:
    [hit] = client.get("/api/search?q=hotel&top=1").json()["hits"]
    answer = client.get("/api/words", params={"photograph": hit["photograph"]}).json()
    assert [word["word"] for word in answer["words"]] == ["HOTEL", "coffee", "24"]


def test_status_returns_the_fields_of_the_command_line(client: TestClient, run: Run, photos: Path) -> None:
    [state] = client.get("/api/status").json()["galleries"]
    assert state.pop("name") == "photos"
    assert state == json.loads(run("status", photos, "--json").out)


def test_filters_choose_as_the_options_do(client: TestClient) -> None:
    hits = client.get("/api/search?q=coffee&path=street&group=photo&min_score=0.5").json()["hits"]
    assert [Path(hit["path"]).name for hit in hits] == ["cafe.png"]
    assert client.get("/api/search?q=coffee&until=1999").json()["hits"] == []


def test_no_match_brings_what_nearly_matches_and_searches_that_do(client: TestClient) -> None:
    answer = client.get("/api/search?q=cofee&fuzzy=0").json()
    assert answer["hits"] == []
    assert {"reason", "query", "fuzzy", "min_score"} == set(answer["advice"][0])
    assert "coffee" in {hit["transcript"] for hit in answer["nearly"]}


def test_a_search_that_only_filters_keep_from_matching_is_proposed_without_them(client: TestClient) -> None:
    [first, *_] = client.get("/api/search?q=hotel&path=street&fuzzy=0").json()["advice"]
    assert (first["reason"], first["query"]) == ("in all photos", "hotel")


@pytest.mark.parametrize(
    ("url", "status", "says"),
    [
        pytest.param("/api/search", 400, "give a query", id="nothing"),
        pytest.param("/api/search?q=" + "a" * 4000, 400, "at most 2,000 characters", id="a long query"),
        pytest.param("/api/search?q=a&path=" + "a" * 4001, 400, "path is longer than", id="a long path"),
        pytest.param("/api/search?q=-tea", 400, "only excludes words", id="no query"),
        pytest.param("/api/search?q=tea&top=0", 400, "top is a whole number from 1 to 1000", id="top"),
        pytest.param("/api/search?q=tea&min_score=nan", 400, "between 0 and 1", id="no number"),
        pytest.param("/api/search?q=tea&since=soon", 400, "'soon' is not a valid date", id="date"),
        pytest.param("/api/search?q=tea&limit=3", 400, "there is no parameter 'limit'", id="unknown"),
        pytest.param("/api/search?q=tea&gallery=x", 400, "there is no gallery 'x'", id="gallery"),
        pytest.param("/api/search?q=a&like=b", 400, "one of q, like and picture", id="two queries"),
        pytest.param("/api/search?like=" + "0" * 64 + "-0", 404, "no gallery has", id="no such word"),
        pytest.param("/api/search?picture=0", 400, "hand it in again", id="forgotten picture"),
        pytest.param("/api/image/" + "0" * 64, 404, "no gallery has", id="no such photograph"),
        pytest.param("/api/image/..%2F..%2Fetc%2Fpasswd", 404, "nothing at this address", id="a path"),
        pytest.param("/api/nothing", 404, "nothing at this address", id="no address"),
    ],
)
def test_errors_are_json_with_the_sentence_of_the_command_line(
    client: TestClient, url: str, status: int, says: str
) -> None:
    answer = client.get(url)
    assert answer.status_code == status
    line = answer.json()
    assert (line["type"], line["schema"]) == ("error", 1)
    assert says in line["message"]


def test_what_is_known_is_answered_with_304(client: TestClient) -> None:
    [hit] = client.get("/api/search?q=hotel&top=1").json()["hits"]
    for url in (
        "/api/search?q=hotel",
        "/api/status",
        f"/api/image/{hit['photograph']}",
        "/",
        "/static/app.js",
    ):
        first = client.get(url)
        assert first.status_code == 200
        again = client.get(url, headers={"If-None-Match": f'W/{first.headers["etag"]}, "x"'})
        assert (again.status_code, again.content) == (304, b"")


def test_a_photograph_is_shown_small_whole_and_cut(client: TestClient) -> None:
    [hit] = client.get("/api/search?q=hotel&top=1").json()["hits"]
    place = f"/api/image/{hit['photograph']}"
    outline = ",".join(str(round(value)) for point in hit["box"] for value in point)
    assert pixels(client.get(f"{place}?show=thumbnail").content).shape == (360, 480, 3)
    assert pixels(client.get(place).content).shape == (480, 640, 3)
    crop = pixels(client.get(place, params={"show": "crop", "outline": outline}).content)
    assert crop.shape[0] == 96 < crop.shape[1]
    assert crop.min() < 90 < 200 < crop.max()


@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"show": "huge"}, id="kind"),
        pytest.param({"show": "crop"}, id="no outline"),
        pytest.param({"show": "crop", "outline": "1,2,3"}, id="half a corner"),
        pytest.param({"show": "crop", "outline": ",".join(["1"] * 200)}, id="too many corners"),
        pytest.param({"show": "crop", "outline": "1,2,3,4,5,999999999"}, id="far away"),
        pytest.param({"page": "0"}, id="page"),
        pytest.param({"show": "whole", "outline": "1,2,3,4,5,6"}, id="outline of no crop"),
    ],
)
def test_a_view_that_makes_no_sense_is_refused(client: TestClient, parameters: dict[str, str]) -> None:
    [hit] = client.get("/api/search?q=hotel&top=1").json()["hits"]
    assert client.get(f"/api/image/{hit['photograph']}", params=parameters).status_code == 400


def test_a_crop_of_a_point_far_outside_is_a_picture_all_the_same(client: TestClient) -> None:
    [hit] = client.get("/api/search?q=hotel&top=1").json()["hits"]
    url = f"/api/image/{hit['photograph']}?show=crop&outline=9000,9000,9001,9000,9001,9001,9000,9001"
    assert client.get(url).status_code == 200


def test_a_photograph_that_is_gone_or_changed_is_said_to_be(client: TestClient, photos: Path) -> None:
    [hit] = client.get("/api/search?q=hotel&top=1").json()["hits"]
    place = f"/api/image/{hit['photograph']}"
    (photos / "hotel.png").write_bytes(b"another picture")
    changed = client.get(place)
    assert (changed.status_code, "changed since it was indexed" in changed.json()["message"]) == (410, True)
    (photos / "hotel.png").unlink()
    gone = client.get(place)
    assert (gone.status_code, "hotel.png is no longer there" in gone.json()["message"]) == (410, True)


def test_a_picture_in_the_body_is_searched_for_and_remembered(client: TestClient) -> None:
    answer = client.post("/api/search?top=3", content=photo_bytes("coffee")).json()
    assert answer["hits"][0]["transcript"] == "coffee"
    again = client.get("/api/search", params={"picture": answer["picture"], "top": 3}).json()
    assert again["hits"] == answer["hits"]


def test_a_body_that_is_no_picture_is_refused(client: TestClient) -> None:
    assert client.post("/api/search", content=b"").status_code == 400
    refused = client.post("/api/search", content=b"no picture at all")
    assert (refused.status_code, refused.json()["exit_code"]) == (422, 3)


def test_more_like_a_word_finds_what_looks_and_reads_like_it(client: TestClient) -> None:
    [hit] = client.get("/api/search?q=hotel&top=1").json()["hits"]
    answer = client.get("/api/search", params={"like": f"{hit['photograph']}-1"}).json()
    assert answer["query"] == "coffee"
    assert {each["transcript"] for each in answer["hits"][:3]} == {"coffee"}


def test_a_name_that_is_no_utf_8_is_searched_and_shown(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos", {"caf\udce9.png": ["hotel"]})
    with client_of(photos) as client:
        [hit] = client.get("/api/search?q=hotel").json()["hits"]
        assert hit["path"] == str(photos / "caf\udce9.png")
        assert client.get(f"/api/image/{hit['photograph']}").status_code == 200
        shown = client.get("/?q=hotel&hit=1")
        assert (shown.status_code, "caf\\udce9.png" in shown.text) == (200, True)


def test_several_galleries_are_searched_together_or_one_of_them(photos: Path, tmp_path: Path) -> None:
    other = make_photos(tmp_path / "other" / "photos", {"a.png": ["garden"]})
    with client_of(photos, other) as client:
        names = [each["name"] for each in client.get("/api/status").json()["galleries"]]
        assert names == ["photos", "photos-2"]
        alone = client.get("/api/search?q=garden&gallery=photos-2").json()["hits"]
        assert [hit["path"] for hit in alone] == [str(other / "a.png")]
        assert client.get("/api/words").status_code == 400
        assert client.get("/api/words?gallery=photos-2").json()["total"] == 1


def test_what_another_process_adds_is_found(
    client: TestClient, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    monkeypatch.setattr("stsearch.server.service._CHECK_S", 0.0)
    monkeypatch.setattr("stsearch.server.library._WAIT", 0.0)
    assert client.get("/api/search?q=pelican&fuzzy=0").json()["hits"] == []
    with Gallery.edit(photos / ".stsearch") as gallery:
        gallery.add([record(photos, "new.png", ["pelican"])])
        gallery.finish()
    hits = client.get("/api/search?q=pelican&fuzzy=0").json()["hits"]
    assert [Path(hit["path"]).name for hit in hits] == ["new.png"]


def test_the_description_names_every_address_and_parameter(client: TestClient) -> None:
    description = client.get("/api/openapi.json").json()
    routes = {
        (getattr(route, "path", ""), method.lower())
        for route in client.app.routes  # type: ignore[attr-defined]  # of Starlette
        for method in getattr(route, "methods", None) or ()
        if getattr(route, "path", "").startswith("/api/") and method != "HEAD"
    }
    described = {(path, method) for path, each in description["paths"].items() for method in each}
    assert described == routes
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query" and method == "get":
                    value = parameter["schema"].get("example", "")
                    answer = client.get(path.replace("{id}", "0" * 64), params={parameter["name"]: value})
                    assert "there is no parameter" not in answer.text
