"""What ``stsearch search`` says where nothing matches: what nearly does, and commands that find something."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stsearch.api.json_lines import advice_fields, hit_line
from stsearch.cli import output

if TYPE_CHECKING:
    from stsearch.gallery.address import Named
    from stsearch.search.advice import Advice
    from stsearch.search.hits import Hit


@dataclass(frozen=True, slots=True)
class Scope:
    """The options of a command that say what is searched.

    Attributes:
        galleries: of ``--index``.
        model: of ``--model``.
        globs: of ``--path``.
        since: of ``--since``.
        until: of ``--until``.
    """

    galleries: Sequence[Named] = ()
    model: str | None = None
    globs: Sequence[str] = ()
    since: str | None = None
    until: str | None = None

    @property
    def has_filters(self) -> bool:
        """Whether some photographs are left out."""
        return bool(self.globs or self.since or self.until)

    def without_filters(self) -> Scope:
        """Return the same galleries, all of their photographs."""
        return Scope(self.galleries, self.model)

    def command(self, advice: Advice) -> str:
        """Return a command line that searches as ``advice`` says, quoted for a shell."""
        options: list[str] = []
        for option, values in (
            ("--index", self.galleries),
            ("--model", [self.model]),
            ("--path", self.globs),
            ("--since", [self.since]),
            ("--until", [self.until]),
            ("--fuzzy", [advice.fuzzy]),
            ("--min-score", [advice.min_score]),
        ):
            given = [str(value) for value in values if value is not None]
            options += ["--exact"] if (option, given) == ("--fuzzy", ["0"]) else _each(option, given)
        return shlex.join(["stsearch", "search", advice.query, *options])


def _each(option: str, values: Sequence[str]) -> list[str]:
    return [part for value in values for part in (option, value)]


def say_no_match(
    query: str,
    nearly: Sequence[Hit],
    proposals: Sequence[tuple[Scope, Advice]],
    style: output.Style,
    reason: str | None = None,
    galleries: Sequence[str] = (),
) -> None:
    """Say that nothing matches ``query``, and what does; as a JSON line on stdout, else on stderr.

    Args:
        query: as typed.
        nearly: hits that a letter keeps from being one.
        proposals: searches that match, and where they do.
        style: of the hits.
        reason: why nothing can match, where that is known.
        galleries: that were searched, as a command names them.
    """
    if style.json:
        line = {
            "type": "no_match",
            "schema": output.JSON_SCHEMA,
            "query": query,
            "reason": reason,
            "nearly": [hit_line(hit, style.explains) for hit in nearly],
            "advice": [_advice_json(advice, scope) for scope, advice in proposals],
        }
        print(json.dumps(line))
        return
    subject = f"{query}: No match" if style.names_query else "No match"
    output.note(f"{subject}: {reason}." if reason else f"{subject}.")
    say_what_nearly_matches(nearly, style)
    for scope, advice in proposals:
        output.note(f"  {advice.reason}: {scope.command(advice)}")
    if not (reason or proposals or style.names_query):
        place = shlex.quote(galleries[0]) if len(galleries) == 1 else "FOLDER"
        output.note(f"  no word read is like it; all that were read: stsearch words {place}")


def say_what_nearly_matches(nearly: Sequence[Hit], style: output.Style) -> None:
    """Say on stderr which words are spelled almost as the query, below whatever matches.

    Args:
        nearly: hits that a letter keeps from being one.
        style: of the hits.
    """
    from rich.cells import cell_len

    if nearly and not (style.json or style.paths or style.names_query):
        output.note("── nearly: a letter differs, or two are swapped ──")
        words = [output.printable(hit.transcript) for hit in nearly]
        width = max(map(cell_len, words))
        for word, hit in zip(words, nearly, strict=True):
            page = "" if hit.page is None else f", page {hit.page}"
            output.note(f"{word}{' ' * (width - cell_len(word))}  {output.shown_path(hit.path)}{page}")


def report_wrong_query(query: str, message: str, as_json: bool) -> None:
    """Say on stderr, and as a JSON line too if they are wanted, that a line of a list is no query."""
    output.note(message)
    if as_json:
        line = {"type": "wrong_query", "schema": output.JSON_SCHEMA, "query": query, "message": message}
        print(json.dumps(line))


def _advice_json(advice: Advice, scope: Scope) -> dict[str, object]:
    return {**advice_fields(advice), "command": scope.command(advice)}
