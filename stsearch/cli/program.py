"""How commands present themselves: help as written, values in words, errors with the way to it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from stsearch.errors import UsageError
from stsearch.memory import check_address_space
from stsearch.mounts import check_answers
from stsearch.worker_pool import usable_cores

_IN_COLUMNS = re.compile(r"\S  +\S")
_ADDRESSES, _ADDRESSES_PER_CORE = 500_000_000, 50_000_000
"""Bytes that numpy takes to start, with a thread a core; it ends the process where it gets fewer."""

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+")  # one letter would be a drive
_MARKUP = re.compile(r"\[(?=[a-z#/@])")  # what rich takes for the beginning of a tag


class Command(TyperCommand):
    """A command whose help wraps like prose, and names values as people do, not by Python's types."""

    def __init__(self, name: str | None, **options: Any) -> None:  # Any: those of typer's command
        super().__init__(name, **{**options, "help": _as_shown(options.get("help"))})

    def get_params(self, ctx: Any) -> list[Any]:  # Any: Typer's types are private
        """Return the parameters, each with a word for its value; flags have none."""
        return _with_words_for_values(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # Any: see above
        """Return the parts of the usage line; arguments that must be given stand without braces."""
        return [piece.replace("{", "").replace("}", "") for piece in super().collect_usage_pieces(ctx)]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # Any: Typer's types are private
        """Parse what was typed, which looks at the paths in it: each on a mount that answers."""
        for typed in (".", *args):
            with suppress(FileNotFoundError):  # the current folder was deleted
                check_answers(Path(typed.rpartition("=")[2]))
        rest: list[str] = super().parse_args(ctx, args)
        for param in self.get_params(ctx):
            if _takes_paths(param):
                _refuse_urls(_shown_name(param), ctx.params.get(param.name))
        return rest

    def invoke(self, ctx: Any) -> Any:  # Any: Typer's types are private
        """Run the command, unless this process may use too little memory for any."""
        check_address_space(_ADDRESSES + _ADDRESSES_PER_CORE * usable_cores())
        return super().invoke(ctx)


class _Group(TyperGroup):
    """Commands under a name, likewise; what a wrong name may have meant is ``explain``'s to say."""

    def __init__(self, **options: Any) -> None:  # Any: see above
        super().__init__(**{**options, "help": _as_shown(options.get("help"))})

    def get_params(self, ctx: Any) -> list[Any]:  # Any: Typer's types are private
        return _with_words_for_values(super().get_params(ctx))


class Program(typer.Typer):
    """A Typer program of such commands."""

    def __init__(self, **options: Any) -> None:  # Any: those of typer.Typer
        super().__init__(cls=_Group, suggest_commands=False, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[..., Any]:  # Any: see above
        """Return a decorator that makes a function a command, as ``typer.Typer.command`` does."""
        return super().command(name, cls=options.pop("cls", None) or Command, **options)


def explain(error: typer.TyperException) -> str:
    """Return what is wrong with a command line, what was meant if that is clear, and where its help is."""
    context = getattr(error, "ctx", None)
    place = context.command_path if context else "stsearch"
    message = error.format_message().replace(": Value error, ", ": ")
    if (option := getattr(error, "option_name", None)) and context:
        known = [name for param in context.command.get_params(context) for name in param.opts]
        message = f"{getattr(error, 'message', message)}{_suggestion(option, known)}"
    elif (unknown := re.fullmatch(r"No such command '(.*)'\.", message)) and context:
        names = context.command.list_commands(context)
        message = message.removesuffix(".") + _suggestion(unknown[1], names)
    return f"{message} ({place} --help lists what there is)"


def _suggestion(typed: str, known: Iterable[str]) -> str:
    """Return which of ``known`` was meant by ``typed``; nothing where that is not clear."""
    from rapidfuzz.distance import OSA

    long = [name for name in known if len(name) > len("-x")]
    beginnings = [name for name in long if name.startswith(typed)]
    if len(beginnings) == 1:
        return f"; did you mean {beginnings[0]}?"
    nearest = sorted((OSA.distance(typed, name), name) for name in long)[:2]
    if not nearest or nearest[0][0] > max(1, len(typed.lstrip("-")) // 3):
        return ""
    is_clear = len(nearest) == 1 or nearest[0][0] < nearest[1][0]
    return f"; did you mean {nearest[0][1]}?" if is_clear else ""


def _as_shown(text: str | None) -> str | None:
    """Return a docstring that rich shows whole: paragraphs unwrapped but tables, no brackets as markup."""
    if text is None:
        return None
    paragraphs = inspect.cleandoc(text).split("\n\n")
    unwrapped = [each if _IN_COLUMNS.search(each) else each.replace("\n", " ") for each in paragraphs]
    return _MARKUP.sub(r"\\[", "\n\n".join(unwrapped))


def _with_words_for_values(params: list[Any]) -> list[Any]:  # Any: Typer's types are private
    for param in params:
        is_argument = param.param_type_name == "argument"
        if getattr(param, "is_flag", False):
            param.metavar = ""
        elif param.metavar is None:
            param.metavar = param.name.upper() if is_argument else _word_for_value(param)
        if is_argument:  # its name says it
            param.display_type = lambda _: ""
    return params


def _takes_paths(param: Any) -> bool:  # Any: Typer's types are private
    kind = param.type_descriptor
    return bool(kind.is_path or kind.annotation == list[Path])


def _shown_name(param: Any) -> str:  # Any: see above
    return str(param.name.upper() if param.param_type_name == "argument" else max(param.opts, key=len))


def _refuse_urls(name: str, value: object) -> None:
    """Refuse a URL, which a ``Path`` would lose a slash of, among what a parameter was given.

    Raises:
        UsageError: it is one.
    """
    for given in value if isinstance(value, list | tuple) else [value]:
        if isinstance(given, str | Path) and _URL.match(str(given)):
            raise UsageError(f"{name} takes files and folders of this computer, not {given}")


def _word_for_value(option: Any) -> str | None:  # Any: Typer's types are private
    """Return what stands for the value of an option in its help; None where its choices do."""
    kind = option.type_descriptor
    if kind.is_choice:
        return "|".join(map(str, kind.choices))
    if kind.is_ranged:
        return "x"  # as in the range that follows
    if kind.annotation in (int, float):
        return "NUMBER"
    if _takes_paths(option):
        return {"dir": "FOLDER", "file": "FILE"}.get(kind.path_type, "PATH")
    return str(option.name.upper())
