"""ignore_patterns.py: patterns mean what pathspec says, and take linear time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec
from pathspec.pattern import RegexPattern

from stsearch.indexing.ignore_patterns import Patterns, pattern_of

PATTERNS = st.lists(st.sampled_from(["a", "b", "*", "?", "/", "**", "/**/", "[ab]", "\\*", "."]), min_size=1)
PATHS = st.lists(st.text("ab.*", min_size=1, max_size=3), min_size=1, max_size=5).map("/".join)


NAMES = st.text("a b*?[]\\!#.", min_size=1, max_size=8)


def matches(pattern: str, path: str) -> bool:
    return bool(Patterns("", [pattern]).verdict(path))


@given(PATTERNS.map("".join).filter(lambda line: not line.endswith("/")), PATHS)
def test_a_pattern_matches_what_pathspec_says_it_matches(line: str, path: str) -> None:
    (pattern,) = GitIgnoreSpec.from_lines([line]).patterns
    assert isinstance(pattern, RegexPattern)
    match = pattern.regex.match(path) if pattern.regex else None
    assert matches(line, path) == (match is not None and match.groupdict().get("ps_d") is None)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        pytest.param("*a" * 12, "a" * 60 + "b", id="stars in a name"),
        pytest.param("?*" * 40 + "z", "a" * 255, id="question marks and stars"),
        pytest.param("/**/a" * 8 + "/b", "/".join("a" * 2000), id="stars for folders"),
        pytest.param("**/*a*/" * 6 + "z", "/".join(["aaaa"] * 400), id="both"),
    ],
)
def test_a_pattern_that_backtracking_takes_for_ever_over_is_answered(pattern: str, path: str) -> None:
    assert not matches(pattern, path)


def test_a_class_of_characters_matches_no_slash() -> None:
    assert matches("a[!b]c", "axc")
    assert not matches("a[!b]c", "a/c")


def test_a_name_is_the_same_however_its_accents_are_spelled() -> None:
    composed, decomposed = "M\u00fcll*", "Mu\u0308ll*"
    assert matches(composed, f"{decomposed}er.jpg")
    assert matches(decomposed, f"{composed}er.jpg")


@given(NAMES, NAMES)
def test_the_pattern_of_a_name_matches_it_and_no_other(name: str, other: str) -> None:
    assert matches(pattern_of(name), name)
    assert not matches(pattern_of(name), f"below/{name}")
    assert matches(pattern_of(name), other) is (name == other)
