"""Several galleries, of several users: what one that cannot be used costs the others."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from gallery_fixtures import Run, make_gallery

from stsearch.gallery import registry, trust


@pytest.fixture
def listed(tmp_path: Path) -> Path:
    """Return a folder with two listed galleries, ``a`` and ``b``, that both read "coffee"."""
    for name in ("a", "b"):
        make_gallery(tmp_path / name, {f"{name}.jpg": ["coffee"]}).close()
        registry.register(tmp_path / name / ".stsearch", registry.data_home(os.environ))
    return tmp_path


@pytest.mark.parametrize(("query", "hits"), [("coffee", 1), ("12345", 0)])
def test_a_damaged_listed_gallery_costs_no_hit_and_ends_with_12(
    run: Run, listed: Path, query: str, hits: int
) -> None:
    (listed / "a" / ".stsearch" / "manifest.json").write_text("{}")
    done = run("search", query)
    assert (done.code, len(done.out.splitlines())) == (12, hits)
    assert "passed over: " in done.err


def test_a_gallery_of_another_user_is_used_after_trust(
    run: Run, listed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 4242)
    monkeypatch.setattr(trust, "_ROOT", -1)
    for arguments in (["search", "coffee"], ["status"], ["index", listed / "a"]):
        done = run(*arguments)
        assert done.code == 10
        assert "if you trust it: stsearch galleries trust" in done.err
    done = run("galleries", "trust", listed / "b")
    assert (done.code, done.err) == (0, f"Trusted: {listed / 'b' / '.stsearch'}.\n")
    assert "b.jpg" in run("search", "coffee").out
