"""query.py: what can be typed, what it means, and what is refused with a way out."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stsearch.errors import UsageError
from stsearch.search.query import Alternative, Query, Term
from stsearch.text.wildcards import fixed_part

Read = tuple[tuple[str, ...], tuple[str, ...]]  # wanted and unwanted terms, a phrase with spaces


def read(text: str) -> list[Read]:
    return [
        (tuple(" ".join(t.words) for t in one.wanted), tuple(" ".join(t.words) for t in one.unwanted))
        for one in Query(text).alternatives
    ]


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        pytest.param("coffee", [(("coffee",), ())], id="a word"),
        pytest.param("Café-24!", [(("cafe24",), ())], id="case, accents and punctuation"),
        pytest.param("Straße Ærø", [(("strasse", "aero"), ())], id="letters that are spelled out"),
        pytest.param("Diyarbak\u0131r Þór", [(("diyarbakir", "thor"), ())], id="letters of other alphabets"),
        pytest.param("A 7", [(("a", "7"), ())], id="one letter and one digit"),
        pytest.param(" open  & 24 ", [(("open", "24"), ())], id="several words"),
        pytest.param("open open", [(("open", "open"), ())], id="a word twice"),
        pytest.param('"Open 24 hours"', [(("open 24 hours",), ())], id="a phrase"),
        pytest.param("“Open 24”", [(("open 24",), ())], id="typographic quotes"),
        pytest.param('"coffee"', [(("coffee",), ())], id="a phrase of one word"),
        pytest.param('hot"new tea"', [(("hot", "new tea"), ())], id="a quote without a space before"),
        pytest.param('"now OR -never"', [(("now or never",), ())], id="nothing but words in quotes"),
        pytest.param("RE16*", [(("re16*",), ())], id="prefix"),
        pytest.param("*gasse", [(("*gasse",), ())], id="suffix"),
        pytest.param("B?R", [(("b?r",), ())], id="one unknown character"),
        pytest.param("a***b", [(("a*b",), ())], id="many stars are one"),
        pytest.param('"open 2?"', [(("open 2?",), ())], id="a pattern in a phrase"),
        pytest.param("coffee -starbucks", [(("coffee",), ("starbucks",))], id="not"),
        pytest.param("-bar -B* tea", [(("tea",), ("bar", "b*"))], id="not, first"),
        pytest.param('tea -"to go"', [(("tea",), ("to go",))], id="not a phrase"),
        pytest.param("e-mail", [(("email",), ())], id="a hyphen in a word"),
        pytest.param("tea OR coffee", [(("tea",), ()), (("coffee",), ())], id="or"),
        pytest.param("hot tea OR x -y", [(("hot", "tea"), ()), (("x",), ("y",))], id="or binds weaker"),
        pytest.param("yard AND tile", [(("yard", "tile"), ())], id="and"),
        pytest.param("coffee|tea | milk", [(("coffee",), ()), (("tea",), ()), (("milk",), ())], id="bars"),
        pytest.param("tea NOT milk", [(("tea",), ("milk",))], id="not in words"),
        pytest.param('tea AND NOT "to go"', [(("tea",), ("to go",))], id="and not"),
        pytest.param("DO NOT ENTER", [(("do", "not", "enter"), ())], id="not on a sign"),
        pytest.param("salt and pepper", [(("salt", "and", "pepper"), ())], id="a small and is a word"),
        pytest.param("tea \u2013milk", [(("tea",), ("milk",))], id="a dash for a minus"),
        pytest.param("fish \u2013 chips", [(("fish", "chips"), ())], id="a dash between words"),
        pytest.param("now or never", [(("now", "or", "never"), ())], id="a small or is a word"),
        pytest.param("bar (Roma)", [(("bar", "roma"), ())], id="parentheses without or"),
    ],
)
def test_a_query_is_read(text: str, meaning: list[Read]) -> None:
    assert read(text) == meaning


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "nothing to search for in ''", id="nothing"),
        pytest.param(" & ", "nothing to search for in ' & '", id="punctuation"),
        pytest.param("кафе", "'к' in 'кафе' cannot be searched for: .* letters a to z", id="another script"),
        pytest.param("caf日", "'日' in 'caf日' cannot be", id="one letter of another script"),
        pytest.param("bar ९", "'९' in '९' cannot be", id="digits of another script"),
        pytest.param('open "24 hours', "a quotation mark is missing", id="unbalanced quotes"),
        pytest.param('tea ""', "no word between the quotation marks", id="empty quotes"),
        pytest.param('tea -"&"', "no word follows the -", id="not nothing"),
        pytest.param("tea - milk", "no word follows the - .* write -word without a space", id="a lone minus"),
        pytest.param("-milk", "add a word .* as in coffee -starbucks", id="only negatives"),
        pytest.param("tea OR -milk", "on each side of an OR", id="only negatives on one side"),
        pytest.param("tea OR", "a word is missing beside OR", id="or at the end"),
        pytest.param("OR tea", "a word is missing beside OR", id="or at the beginning"),
        pytest.param("a OR OR b", "a word is missing beside OR", id="or twice"),
        pytest.param("OR", "write or in lower case", id="or alone"),
        pytest.param("a OR & OR b", "a word is missing beside OR", id="punctuation beside or"),
        pytest.param("tea AND", "a word is missing beside AND", id="and at the end"),
        pytest.param("a AND AND b", "write and in lower case", id="and twice"),
        pytest.param("a AND OR b", "a word is missing beside AND", id="and beside or"),
        pytest.param("tea NOT", "no word follows NOT .* write not in lower case", id="not at the end"),
        pytest.param("a" * 2001, "at most 2,000 characters, not 2,001", id="too long"),
        pytest.param("a " * 65, "at most 64 words, not 65", id="too many words"),
        pytest.param(f'"{"a " * 65}"', "at most 64 words, not 65", id="too many words in a phrase"),
        pytest.param(
            "a" * 201, "at most 200 letters and 16 wildcards, 'aaaaaaaaaaaaaaaaaaaa'", id="long word"
        ),
        pytest.param("a?" * 17, "has 17 and 17: search for a part", id="too many wildcards"),
        pytest.param("*", "'\\*' would match every word", id="a star alone"),
        pytest.param("tea ??", "'\\?\\?' would match every word", id="wildcards alone"),
        pytest.param("hot (tea OR coffee)", "hot coffee OR hot tea", id="parentheses that should group"),
    ],
)
def test_what_is_no_query_is_refused_with_the_way_out(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Query(text)


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("coffee or tea", "'or' is searched for like any word; for one or the other write OR"),
        ("tea not milk", "'not' is searched for like any word; to leave photos out write NOT in capitals"),
        ("DO NOT ENTER", "'NOT' is searched for like any word where all is in capitals; -word leaves"),
        ("coffee OR tea", None),
        ("or", None),
        ('"now or never"', None),
        ("rose OR or OR hotel", None),
    ],
)
def test_what_may_have_been_meant_otherwise_is_explained(text: str, remark: str | None) -> None:
    assert (Query(text).remark or "").startswith(remark or "")
    assert (Query(text).remark is None) is (remark is None)


@settings(deadline=None)
@given(st.one_of(st.text(), st.text(alphabet=' "-*?OR()aé7&')))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        query = Query(text)
    except UsageError:
        return
    words = [word for term in query.terms() for word in term.words]
    assert all(set(word) <= set("0123456789abcdefghijklmnopqrstuvwxyz*?") for word in words)
    assert all(fixed_part(word) for word in words)
    assert all(alternative.wanted for alternative in query.alternatives)


@settings(deadline=None)
@given(st.text())
def test_a_query_that_was_read_reads_the_same_when_it_is_written_out(text: str) -> None:
    try:
        query = Query(text)
    except UsageError:
        return
    assert Query(" OR ".join(map(written, query.alternatives))).alternatives == query.alternatives


def written(alternative: Alternative) -> str:
    wanted = [f'"{" ".join(term.words)}"' for term in alternative.wanted]
    return " ".join(wanted + [f'-"{" ".join(term.words)}"' for term in alternative.unwanted])


def test_the_wanted_words_are_listed_in_order() -> None:
    assert Query('"to go" tea* -bar OR milk').words == ("to", "go", "tea*", "milk")


@pytest.mark.parametrize(
    ("text", "only"), [("open 24 OR bar", True), ("bar*", False), ('"a b"', False), ("bar -tea", False)]
)
def test_a_query_of_words_alone_says_so(text: str, only: bool) -> None:
    assert Query(text).has_words_only is only


def test_up_to_four_words_of_a_phrase_may_be_run_together() -> None:
    runs = Term(("a", "b*", "*c", "d", "e")).joined_words()
    assert runs[0, 3] == "ab*c"
    assert (0, 4) in runs
    assert (0, 5) not in runs
