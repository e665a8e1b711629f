"""The query language: from text to words, patterns, phrases and alternatives. Scores nothing.

In the notation of Python's own grammar, tokens standing apart by white space, quotes or bars:

    query:       alternative (("OR" | "|") alternative)*
    alternative: operand ("AND"? operand)*          # at least one wanted
    operand:     wanted | unwanted
    unwanted:    ("-" | "NOT") wanted               # the minus without a space between
    wanted:      word | '"' word+ '"'               # in quotes: a phrase
    word:        (letter | digit | "*" | "?")+      # at least one letter or digit; the rest is ignored
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from stsearch.errors import UsageError
from stsearch.text.charset import ALPHANUMERIC, strip_accents
from stsearch.text.wildcards import WILDCARDS, collapse_stars, fixed_part, is_pattern

_ALLOWED = (
    "words are made of the letters a to z and the digits 0 to 9 (case and accents do not matter),"
    " * and ? stand for unknown characters"
)
_TOKEN = re.compile(r'[-−–]?"[^"]*"|[|]+|[^\s"|]+')  # noqa: RUF001 - minus signs as phones type them
_MINUS = re.compile(r'^[−–](?=["\w*?])')  # noqa: RUF001
_OPERATORS = {"OR", "|", "AND", "NOT"}
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»＂", '"'))  # noqa: RUF001 - what phones and word processors type

MAX_LENGTH, MAX_WORDS, MAX_LETTERS, MAX_WILDCARDS = 2000, 64, 200, 16
"""Limits of a query: characters, words; of one word: letters and digits, wildcards. They keep it short."""

MAX_JOINED_WORDS = 4
"""Words of a phrase that one text instance may hold without spaces."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word, a pattern or a phrase that a photograph must, or must not, show.

    Attributes:
        words: folded as transcripts are, with their wildcards; several are a phrase.
    """

    words: tuple[str, ...]

    def joined_words(self) -> dict[tuple[int, int], str]:
        """Return the words that one text instance may hold, joined, by the first of them and the one after.

        >>> Term(("open", "24")).joined_words()
        {(0, 1): 'open', (0, 2): 'open24', (1, 2): '24'}
        """
        last = len(self.words)
        return {
            (start, end): collapse_stars("".join(self.words[start:end]))
            for start in range(last)
            for end in range(start + 1, min(start + MAX_JOINED_WORDS, last) + 1)
        }


@dataclass(frozen=True, slots=True)
class Alternative:
    """One side of an OR: terms that a photograph must all show, and terms it must not show."""

    wanted: tuple[Term, ...]
    unwanted: tuple[Term, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """A parsed query.

    Attributes:
        text: as typed.
        alternatives: a photograph matches the query when it matches one of them.
        words: every word that is wanted, in the order typed, folded, with its wildcards.
        is_typed: whether ``text`` is the query, and not the name of a picture that it was read in.

    Raises:
        UsageError: the text is not a query; the message names the mistake and its remedy.

    >>> Query("Café Roma").words
    ('cafe', 'roma')
    >>> Query('"open 24" -bar OR RE16*').alternatives[0]
    Alternative(wanted=(Term(words=('open', '24')),), unwanted=(Term(words=('bar',)),))
    """

    text: str
    alternatives: tuple[Alternative, ...] = field(init=False)
    words: tuple[str, ...] = field(init=False)
    is_typed: bool = field(init=False, default=True)

    def __post_init__(self) -> None:
        alternatives = tuple(_parse(self.text))
        words = tuple(word for each in alternatives for term in each.wanted for word in term.words)
        object.__setattr__(self, "alternatives", alternatives)
        object.__setattr__(self, "words", words)

    @classmethod
    def of_word(cls, text: str, word: str) -> Query:
        """Return a query for one word that was read in a picture.

        Args:
            text: name of the query.
            word: folded; empty where nothing could be read.
        """
        query = object.__new__(cls)  # the text is not to be parsed
        object.__setattr__(query, "text", text)
        object.__setattr__(query, "alternatives", (Alternative((Term((word,)),)),))
        object.__setattr__(query, "words", (word,))
        object.__setattr__(query, "is_typed", False)
        return query

    @property
    def remark(self) -> str | None:
        """What may have been meant otherwise, in one sentence; None mostly.

        >>> Query("coffee or tea").remark
        "'or' is searched for like any word; for one or the other write OR in capitals"
        """
        tokens = _TOKEN.findall(self.text.translate(_QUOTES))
        between = [each for before, each, after in _triples(tokens) if not {before, after} & _OPERATORS]
        for token, said in (
            ("or", "for one or the other write OR"),
            ("not", "to leave photos out write NOT"),
        ):
            if token in between:
                return f"{token!r} is searched for like any word; {said} in capitals"
        if "NOT" in tokens[1:-1] and self.text.isupper():
            return "'NOT' is searched for like any word where all is in capitals; -word leaves photos out"
        return None

    def terms(self) -> Iterator[Term]:
        """Yield every term, the wanted ones and then the unwanted ones of each alternative."""
        for alternative in self.alternatives:
            yield from alternative.wanted + alternative.unwanted

    @property
    def has_words_only(self) -> bool:
        """Whether it has no pattern, phrase or unwanted term, so that only similar instances match it."""
        words = all(len(term.words) == 1 and not is_pattern(term.words[0]) for term in self.terms())
        return words and not any(alternative.unwanted for alternative in self.alternatives)


def _triples(tokens: Sequence[str]) -> Iterator[tuple[str, str, str]]:
    return zip(tokens, tokens[1:], tokens[2:], strict=False)


def _parse(text: str) -> Iterator[Alternative]:
    tokens = _tokens(text)
    groups = _split_at_or(text, tokens)
    for group in groups:
        wanted: list[Term] = []
        unwanted: list[Term] = []
        for token in _apply_not(text, _drop_and(text, group)):
            bare = token.removeprefix("-")
            words = _words(bare)
            if token.startswith("-") and not words:
                raise UsageError(
                    f"no word follows the - in {text!r}: write -word without a space, or remove the -"
                )
            if bare.startswith('"') and not words:
                raise UsageError(
                    f"there is no word between the quotation marks in {text!r}: remove them; {_ALLOWED}"
                )
            if words:
                (unwanted if token.startswith("-") else wanted).append(Term(words))
        if not wanted:
            raise _no_wanted_term(text, bool(unwanted), len(groups) > 1)
        yield Alternative(tuple(wanted), tuple(unwanted))


def _tokens(text: str) -> list[str]:
    """Return words, phrases in quotes and operators as they are written, typographic signs as plain ones."""
    if len(text) > MAX_LENGTH:
        raise UsageError(f"a query has at most {MAX_LENGTH:,} characters, not {len(text):,}: search for less")
    straight = text.translate(_QUOTES)
    if straight.count('"') % 2:
        raise UsageError(
            f'a quotation mark is missing in {text!r}: write a phrase between two, as in "open 24 hours"'
            " (on a command line, with single quotes around the whole query)"
        )
    tokens = [_MINUS.sub("-", match[0]) for match in _TOKEN.finditer(straight)]
    words = sum(len(token.replace('"', " ").split()) for token in tokens)
    if words > MAX_WORDS:
        raise UsageError(f"a query has at most {MAX_WORDS} words, not {words:,}: search for less")
    return tokens


def _split_at_or(text: str, tokens: Sequence[str]) -> list[list[str]]:
    groups: list[list[str]] = [[]]
    for token in tokens:
        if token == "OR" or token[0] == "|":
            groups.append([])
        else:
            groups[-1].append(token)
    if len(groups) > 1 and any(token[0] == "(" or token[-1] == ")" for token in tokens):
        raise UsageError(
            f"parentheses do not group in {text!r}: write alternatives in full, as in hot coffee OR hot tea"
        )
    return groups


def _drop_and(text: str, tokens: Sequence[str]) -> list[str]:
    """Return ``tokens`` without AND, which says what a space says."""
    kept = [token for token in tokens if token != "AND"]
    beside = ["AND", *tokens, "AND"]
    if len(kept) < len(tokens) and any(pair == ("AND", "AND") for pair in pairwise(beside)):
        raise UsageError(
            f"a word is missing beside AND in {text!r}: write hot AND cold; to search for the word itself,"
            " write and in lower case"
        )
    return kept


def _apply_not(text: str, tokens: Sequence[str]) -> Iterator[str]:
    """Yield ``tokens`` with a minus instead of NOT; in a text all in capitals NOT is a word, as on signs."""
    if text.isupper():
        yield from tokens
        return
    following = iter(tokens)
    for token in following:
        if token != "NOT":
            yield token
            continue
        unwanted = next(following, "NOT")
        if unwanted == "NOT":
            raise UsageError(
                f"no word follows NOT in {text!r}: write coffee NOT tea; to search for the word itself, write"
                " not in lower case"
            )
        yield f"-{unwanted.removeprefix('-')}"


def _no_wanted_term(text: str, has_unwanted: bool, has_or: bool) -> UsageError:
    if has_unwanted:
        return UsageError(
            f"{text!r} only excludes words: add a word that the photos should show (on each side of an OR),"
            " as in coffee -starbucks"
        )
    if has_or:
        return UsageError(
            f"a word is missing beside OR in {text!r}: write coffee OR tea; to search for the word itself,"
            " write or in lower case"
        )
    return UsageError(f"nothing to search for in {text!r}: {_ALLOWED}")


def _words(token: str) -> tuple[str, ...]:
    """Return the folded words of one token; none where it is punctuation alone."""
    return tuple(filter(None, map(_fold, token.strip('"').split())))


def _fold(word: str) -> str:
    """Fold ``word`` as ``charset.normalize`` does, but keep wildcards, and refuse what would be lost.

    Raises:
        UsageError: a letter or digit of another script, or wildcards alone.
    """
    for character in word:
        if unicodedata.category(character)[0] in "LNM" and _is_lost(character):
            raise UsageError(f"{character!r} in {word!r} cannot be searched for: {_ALLOWED}")
    folded = collapse_stars("".join(c for c in strip_accents(word).lower() if c in ALPHANUMERIC + WILDCARDS))
    if folded and not fixed_part(folded):
        raise UsageError(f"{word!r} would match every word: add a letter or digit; {_ALLOWED}")
    letters = len(fixed_part(folded))
    if letters > MAX_LETTERS or len(folded) - letters > MAX_WILDCARDS:
        raise UsageError(
            f"a word has at most {MAX_LETTERS} letters and {MAX_WILDCARDS} wildcards, {word[:20]!r}... has"
            f" {letters} and {len(folded) - letters}: search for a part of it"
        )
    return folded


def _is_lost(character: str) -> bool:
    kept = strip_accents(character).lower()
    return bool(kept) and not any(c in ALPHANUMERIC for c in kept)
