"""What import contracts (pyproject.toml) cannot say: homes of libraries and calls, and the size of files."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "stsearch"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if "_weights" not in path.parts
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}

# Who alone may import or call what; a name stands for a module and everything below it.
LIBRARY_HOMES = {
    "hnswlib": ["stsearch.gallery.vector_store"],
    "jinja2": ["stsearch.pages"],
    "mcp": ["stsearch.server"],
    "obstore": ["stsearch.objects"],
    "pathspec": ["stsearch.indexing.ignore_patterns"],
    "pgvector": ["stsearch.gallery.postgres"],
    "pickle": [],
    "psycopg": ["stsearch.gallery.postgres"],
    "ray": ["stsearch.indexing.cluster"],
    "rich": ["stsearch.cli"],
    "safetensors": ["stsearch.weights"],
    "sqlite3": ["stsearch.gallery.connection"],
    "starlette": ["stsearch.server"],
    "typer": ["stsearch.cli"],
    "uvicorn": ["stsearch.server"],
}
CALL_HOMES = {
    "print": ["stsearch.cli"],
    "sys.exit": ["stsearch.cli"],
    "torch.load": ["stsearch.training.checkpoint"],
}
WITHOUT_TORCH = [
    "stsearch.search",
    "stsearch.gallery",
    "stsearch.evaluation.benchmark",
    "stsearch.datasets",
    "stsearch.cli",
    "stsearch.weights.card",
]


def imported_modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def is_within(name: str, homes: list[str]) -> bool:
    return any(f"{name}.".startswith(f"{home}.") for home in homes)


@pytest.mark.parametrize("library", LIBRARY_HOMES)
def test_a_library_is_imported_only_at_its_home(library: str) -> None:
    users = [
        name for name, tree in TREES.items() if any(is_within(m, [library]) for m in imported_modules(tree))
    ]
    assert [user for user in users if not is_within(user, LIBRARY_HOMES[library])] == []


@pytest.mark.parametrize("call", CALL_HOMES)
def test_a_call_is_made_only_at_its_home(call: str) -> None:
    callers = {
        name
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == call
    }
    assert {caller for caller in callers if not is_within(caller, CALL_HOMES[call])} == set()


def test_nothing_is_pickled() -> None:
    """Arrays are read without, and the optimizer file of a checkpoint holds nothing but tensors."""
    mentions = re.compile(r"(?<!allow_)pickle(?!=False)\b|allow_pickle=(?!False)|weights_only=(?!True)")
    lines = [line for path in MODULES.values() for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if mentions.search(line) and "without pickle" not in line] == []


def test_search_storage_and_command_line_import_torch_and_hnswlib_only_when_needed() -> None:
    names = [name for name in MODULES if is_within(name, WITHOUT_TORCH)]
    program = f"""
import importlib, sys
for name in {names}:
    importlib.import_module(name)
print([name for name in ("torch", "open_clip", "hnswlib") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def body_lines(function: ast.FunctionDef) -> int:
    """Return the lines of a function below its signature and docstring."""
    statements = function.body[1:] if ast.get_docstring(function) else function.body
    return (function.end_lineno or 0) - statements[0].lineno + 1 if statements else 0


def test_files_stay_under_400_lines_and_functions_under_50() -> None:
    sources = [path for folder in ("stsearch", "tests", "examples") for path in (ROOT / folder).rglob("*.py")]
    texts = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sources}
    long_files = {name for name, text in texts.items() if len(text.splitlines()) >= 400}
    long_functions = {
        f"{name}:{node.name}"
        for name, text in texts.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and body_lines(node) >= 50
    }
    assert (long_files, long_functions) == (set(), set())
