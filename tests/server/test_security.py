"""Who may ask: hosts, origins, tokens; and what browsers are told."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from server_fixtures import CSRF, HOST, client_of
from starlette.testclient import TestClient

from stsearch.errors import UsageError
from stsearch.server.run import address_of, grant_access

TOKEN = "a-token-of-some-length"


def test_every_reply_binds_the_browser(client: TestClient) -> None:
    for url in ("/", "/api/status", "/static/app.js", "/nothing", "/api/search?q="):
        headers = client.get(url).headers
        policy = headers["content-security-policy"].split("; ")
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "style-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


def test_a_bug_is_answered_and_binds_the_browser_too(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("<script>alert(1)</script>")

    monkeypatch.setattr("stsearch.server.library.Library.search", fail)
    program, page = client.get("/api/search?q=tea"), client.get("/?q=tea")
    assert (program.status_code, page.status_code) == (500, 500)
    assert "this is a bug in stsearch" in program.json()["message"]
    assert "<script>alert" not in page.text
    assert program.headers["content-security-policy"] == page.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        pytest.param("127.0.0.1:8765", 200, id="address"),
        pytest.param("localhost:8765", 200, id="name"),
        pytest.param("[::1]:8765", 200, id="address of six"),
        pytest.param("evil.example:8765", 403, id="a name that somebody let point here"),
        pytest.param("localhost.evil.example", 403, id="a name that begins as ours"),
        pytest.param("127.0.0.1.evil.example", 403, id="a name that begins as an address"),
        pytest.param("", 403, id="none"),
        pytest.param("[::1", 400, id="no host at all"),
    ],
)
def test_only_our_own_names_are_answered(client: TestClient, host: str, status: int) -> None:
    assert client.get("/api/status", headers={"Host": host}).status_code == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 422, id="no page"),
        pytest.param({"Origin": "http://127.0.0.1:8765"}, 422, id="our page"),
        pytest.param({"Origin": "http://evil.example"}, 403, id="another page"),
        pytest.param({"Origin": "http://127.0.0.1:9999"}, 403, id="another port"),
        pytest.param({"Origin": "null"}, 403, id="a page without an origin"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="another site"),
    ],
)
def test_a_page_of_another_site_sends_nothing(
    client: TestClient, headers: Mapping[str, str], status: int
) -> None:
    assert client.post("/api/search", content=b"no picture", headers=headers).status_code == status


def test_nothing_is_started_without_the_token_of_the_page(client: TestClient) -> None:
    for given in ({}, {"X-CSRF-Token": "guess"}, {"X-CSRF-Token": CSRF[:-1]}):
        refused = client.post("/index", data={"gallery": "photos"}, headers=given)
        assert refused.status_code == 403
    assert client.get("/api/index").json()["state"] == "idle"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 401, id="none"),
        pytest.param({"Authorization": f"Bearer {TOKEN}"}, 200, id="header"),
        pytest.param({"Authorization": f"Bearer {TOKEN}x"}, 401, id="another"),
        pytest.param(
            {"Authorization": "Bearer \u00e9".encode("latin-1").decode("latin-1")}, 401, id="no ASCII"
        ),
        pytest.param({"Cookie": f"stsearch-8765={TOKEN}"}, 200, id="cookie"),
        pytest.param({"Cookie": "stsearch-8765=guess"}, 401, id="another cookie"),
        pytest.param({"Cookie": "\x01=;;"}, 401, id="no cookie"),
    ],
)
def test_with_a_token_only_who_brings_it_is_answered(
    photos: Path, headers: Mapping[str, str | bytes], status: int
) -> None:
    with client_of(photos, token=TOKEN) as client:
        sent = [(name.encode(), v if isinstance(v, bytes) else v.encode()) for name, v in headers.items()]
        assert client.get("/api/status", headers=sent).status_code == status
        assert client.get("/", headers=sent).status_code == status


def test_the_printed_address_lets_a_browser_in_and_the_token_leaves_the_url(photos: Path) -> None:
    with client_of(photos, token=TOKEN) as client:
        let_in = client.get(f"/?q=garden&token={TOKEN}")
        assert (let_in.status_code, let_in.headers["location"]) == (303, "/?q=garden")
        assert "HttpOnly" in let_in.headers["set-cookie"]
        assert client.get("/?q=garden").status_code == 200
        client.cookies.clear()
        assert client.get("/?token=guess").status_code == 401
        assert client.get(f"{HOST}//evil.example?token={TOKEN}").headers["location"] == "/evil.example"


def test_the_form_for_the_token_has_its_style(photos: Path) -> None:
    with client_of(photos, token=TOKEN) as client:
        assert 'name="token"' in client.get("/").text
        assert client.get("/static/style.css").status_code == 200


def test_beyond_this_machine_a_token_is_made() -> None:
    assert grant_access("127.0.0.1", 1, None).token is None
    made = {grant_access("0.0.0.0", 1, None).token for _ in range(3)}
    assert len(made) == 3
    assert all(token and len(token) >= 32 for token in made)
    assert address_of(grant_access("::1", 80, TOKEN)) == f"http://[::1]:80/?token={TOKEN}"


@pytest.mark.parametrize("token", ["", "short", "with a space", "é" * 12])
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused(token: str) -> None:
    with pytest.raises(UsageError, match="--token"):
        grant_access("127.0.0.1", 1, token)
