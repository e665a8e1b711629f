"""The query as it is typed on a command line: several words, some with a minus before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from typer.core import TyperOption

from stsearch.cli.program import Command

_MINUS = "\N{MINUS SIGN}"  # stands in for the hyphen, which would begin an option


class SearchCommand(Command):
    """A command with arguments that may begin with a minus, as in ``stsearch search coffee -starbucks``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # Any: typer keeps the type private
        """Parse ``args``; what begins with one minus and is no option is an argument."""
        options = [each for each in self.params if isinstance(each, TyperOption)]
        flags = {name for each in options if each.is_flag for name in each.opts} | {"-h"}
        valued = {name for each in options if not each.is_flag for name in each.opts}
        return super().parse_args(ctx, [*_protect(args, flags, valued)])


def join_words(words: Sequence[str]) -> str:
    """Return the query that the arguments of a ``SearchCommand`` make.

    >>> join_words(["red", "lion"])
    'red lion'
    """
    return " ".join(f"-{word[1:]}" if word.startswith(_MINUS) else word for word in words)


def _protect(arguments: Iterable[str], flags: set[str], valued: set[str]) -> Iterator[str]:
    """Yield ``arguments``, those that begin with a minus and are no option with another sign for it."""
    following = iter(arguments)
    for argument in following:
        if argument == "--":
            yield argument
            yield from following
        elif argument in valued:
            yield argument
            yield from (value for value in [next(following, None)] if value is not None)
        elif argument.startswith("-") and not argument.startswith("--") and len(argument) > 1:
            yield argument if _is_short(argument, flags, valued) else _MINUS + argument[1:]
        else:
            yield argument


def _is_short(argument: str, flags: set[str], valued: set[str]) -> bool:
    """Return whether ``argument`` is made of short options, the last one perhaps with a number: -l0, -n5."""
    for at, letter in enumerate(argument[1:], start=2):
        if f"-{letter}" in valued:
            return argument[at:].isdigit()
        if f"-{letter}" not in flags:
            return False
    return True
