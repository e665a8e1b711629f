"""What ``import stsearch`` offers, and that the command line has the same defaults."""

from __future__ import annotations

import inspect
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import stsearch
from stsearch.cli.eval import evaluate as eval_command
from stsearch.cli.index import index as index_command
from stsearch.cli.search import search as search_command
from stsearch.cli.train import train as train_command


def test_every_public_name_is_there() -> None:
    assert {name for name in stsearch.__all__ if getattr(stsearch, name) is None} == set()
    assert dir(stsearch) == stsearch.__all__


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = stsearch.nothing


def test_searching_with_the_library_imports_no_torch() -> None:
    program = "import sys, stsearch as s; s.Photos, s.open, s.index, s.load; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def defaults(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the defaults of a function's parameters; no sequence is as good as an empty one."""
    parameters = inspect.signature(function).parameters.values()
    return {each.name: each.default or None for each in parameters}


@pytest.mark.parametrize(
    ("command", "function", "names"),
    [
        pytest.param(
            index_command,
            stsearch.index,
            {name: name for name in ("device", "model", "batch", "exclude", "follow", "max_megapixels")}
            | {"photo_timeout": "photo_timeout_s"},
            id="index",
        ),
        pytest.param(
            search_command,
            stsearch.Photos.search,
            {
                name: name
                for name in ("top", "group", "min_score", "exact", "fuzzy", "since", "until", "explain")
            }
            | {"path": "paths"},
            id="search",
        ),
        pytest.param(
            eval_command,
            stsearch.evaluate,
            {name: name for name in ("dataset", "model", "device", "baseline", "predictions", "rescore")}
            | {"queries_min_length": "min_query_length"},
            id="eval",
        ),
        pytest.param(
            train_command,
            stsearch.TrainOptions,
            {
                name: name
                for name in (
                    "preset",
                    "config",
                    "stage",
                    "init",
                    "max_minutes",
                    "steps",
                    "workers",
                    "device",
                    "seed",
                )
            },
            id="train",
        ),
    ],
)
def test_a_command_has_the_defaults_of_the_library(
    command: Callable[..., None], function: Callable[..., Any], names: dict[str, str]
) -> None:
    ours, theirs = defaults(command), defaults(function)
    assert {name: ours[name] for name in names} == {name: theirs[other] for name, other in names.items()}
