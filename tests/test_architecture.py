from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "stsearch"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "_weights" not in path.parts)
SOURCES = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "examples").rglob("*.py"))]

# A module imports from its own layer and the ones above it in this list; the most specific name counts.
LAYERS = (
    {
        "errors",
        "types",
        "config",
        "conversion",
        "calibration",
        "charset",
        "frames",
        "geometry",
        "image",
        "likelihood",
        "metrics",
        "query",
        "drawing",
    },
    {"models", "index", "data"},
    {
        "agreement",
        "benchmarks",
        "cards",
        "query_encoder",
        "weights",
        "clip",
        "inference",
        "proposals",
        "reader",
        "spotter",
        "scoring",
        "phrases",
        "photo_filter",
        "likeness",
        "ranking",
        "search",
        "losses",
        "objective",
        "own_outlines",
        "presets",
        "data.dataset",
        "data.augment",
        "data.crops",
        "data.targets",
    },
    {
        "train",
        "checkpoint",
        "schedule",
        "validation",
        "measurement",
        "evaluate",
        "evaluate_words",
        "baselines",
        "predictions",
        "reports",
        "indexing",
        "side_by_side",
        "ahead",
        "preview",
        "walk",
    },
    {"cli"},
)
LAYER_OF = {name: number for number, layer in enumerate(LAYERS) for name in layer}
STRANGERS = ("models", "index", "data")  # one layer, and none knows the others
FACADE = ("", "__main__")  # the package itself offers names of every layer, lazily

# Who alone may import what; a name stands for a module and everything below it.
HOMES = {
    "hnswlib": ("index.store",),
    "pathspec": ("walk",),
    "pickle": (),
    "rich": ("cli",),
    "safetensors": ("query_encoder", "weights"),
    "sqlite3": ("index.database",),
    "typer": ("cli",),
}
CALLS = {"print": ("cli",), "sys.exit": ("cli",), "torch.load": ("checkpoint",)}
WITHOUT_TORCH = (
    "scoring",
    "phrases",
    "photo_filter",
    "likeness",
    "ranking",
    "search",
    "benchmarks",
    "cards",
    "query_encoder",
    "index",
    "cli",
    "data.readers",
    *LAYERS[0],
)


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> Iterator[tuple[str, bool]]:
    """Yield each imported name in full, and whether it is imported as soon as the module is."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node in tree.body) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = ["stsearch", *path.relative_to(PACKAGE).parts[:-1]]
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            yield from ((f"{source}.{alias.name}", node in tree.body) for alias in node.names)


def is_within(name: str, homes: tuple[str, ...] | set[str]) -> bool:
    return any(f"{name}.".startswith(f"{home}.") for home in homes)


def layer_of(name: str) -> int | None:
    while name and name not in LAYER_OF:
        name = name.rpartition(".")[0]
    return LAYER_OF.get(name)


def neighbours(path: Path) -> set[str]:
    """Return the stsearch modules that ``path`` imports, without the leading package name."""
    inside = {name.removeprefix("stsearch.") for name, _ in imports(path) if name.startswith("stsearch.")}
    return {name for name in inside if layer_of(name) is not None}


def within(homes: tuple[str, ...]) -> list[Path]:
    return [path for path in MODULES if is_within(name_of(path), homes)]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_has_a_layer_and_imports_only_downwards(path: Path) -> None:
    name = name_of(path)
    if name in FACADE:
        return
    layer = layer_of(name)
    assert layer is not None, "belongs to no layer: add it to LAYERS"
    assert {other for other in neighbours(path) if (layer_of(other) or 0) > layer} == set()


@pytest.mark.parametrize("group", STRANGERS)
def test_models_index_and_data_never_import_each_other(group: str) -> None:
    members = [path for path in within((group,)) if layer_of(name_of(path)) == 1]
    others = set(STRANGERS) - {group}
    assert {name for path in members for name in neighbours(path) if is_within(name, others)} == set()


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_only_at_its_home(library: str) -> None:
    users = [name_of(path) for path in MODULES for name, _ in imports(path) if is_within(name, (library,))]
    assert [user for user in users if not is_within(user, HOMES[library])] == []


def test_hnswlib_is_imported_only_when_used() -> None:
    assert [
        path for path in MODULES for name, at_once in imports(path) if at_once and name == "hnswlib"
    ] == []


@pytest.mark.parametrize("path", within(WITHOUT_TORCH), ids=name_of)
def test_torch_stays_out_of_searching_storing_and_the_command_line(path: Path) -> None:
    torch = ("torch", "open_clip")
    assert [name for name, at_once in imports(path) if at_once and is_within(name, torch)] == []


@pytest.mark.parametrize("call", CALLS)
def test_a_call_is_made_only_at_its_home(call: str) -> None:
    calls = {
        name_of(path)
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == call
    }
    assert {caller for caller in calls if not is_within(caller, CALLS[call])} == set()


def test_nothing_is_pickled() -> None:
    """Arrays are read without, and the optimizer file of a checkpoint holds nothing but tensors."""
    mentions = re.compile(r"(?<!allow_)pickle(?!=False)\b|allow_pickle=(?!False)|weights_only=(?!True)")
    lines = [line for path in MODULES for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line for line in lines if mentions.search(line) and "without pickle" not in line] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_stays_under_400_lines_and_a_function_under_50(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    functions = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef)]
    assert len(text.splitlines()) < 400
    assert {f.name for f in functions if (f.end_lineno or f.lineno) - f.lineno >= 50} == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_owns(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not text.strip() or ast.get_docstring(ast.parse(text))
