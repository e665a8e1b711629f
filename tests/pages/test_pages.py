"""Pages: what comes from outside is text, and the page itself needs nothing and runs nothing."""

from __future__ import annotations

import base64
import hashlib
import re

import jinja2
import pytest

from stsearch.pages import render

SHEET = {"title": "a", "summary": "b", "date": "c", "version": "d", "sections": []}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;", id="a script"),
        pytest.param("\udcff\x1b[31m", "\\udcff\\x1b[31m", id="no UTF-8, and control characters"),
        pytest.param("{{ 7 * 7 }}", "{{ 7 * 7 }}", id="a template"),
        pytest.param("'\"&", "&#39;&#34;&amp;", id="quotes"),
    ],
)
def test_what_comes_from_outside_is_text(text: str, shown: str) -> None:
    page = render("sheet.html", **{**SHEET, "title": text})
    assert f"<h1>{shown}</h1>" in page
    assert page.encode("utf-8")


def test_the_policy_allows_the_style_of_the_page_and_nothing_that_runs() -> None:
    page = render("sheet.html", **SHEET)
    [policy] = re.findall('<meta http-equiv="Content-Security-Policy" content="(.*)">', page)
    [style] = re.findall("<style>(.*)</style>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    allowed = policy.replace("&#39;", "'").split("; ")
    assert allowed == [
        "default-src 'none'",
        "img-src data:",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_a_value_that_a_template_uses_and_is_not_given_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError, match="summary"):
        render("sheet.html", **{name: value for name, value in SHEET.items() if name != "summary"})
