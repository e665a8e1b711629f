"""``stsearch doctor``: what this installation runs on and how fast it is, in one block to share."""

from __future__ import annotations

import json
import os
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

from stsearch import __version__
from stsearch.cli import output
from stsearch.cli.completion import weights
from stsearch.errors import StsearchError, WriteError

PACKAGES = ("numpy", "opencv-python-headless", "openvino", "pillow", "safetensors", "shapely", "typer")
OPTIONAL = ("torch", "hnswlib", "onnxruntime", "pillow-heif", "obstore")


@dataclass(frozen=True, slots=True)
class Finding:
    """A line of the block.

    Attributes:
        name: what was looked at.
        text: what was found.
        exit_code: 0 when all is well.
    """

    name: str
    text: str
    exit_code: int = 0


def doctor(
    model: Annotated[str, typer.Option(help="Weights: a name or a folder.", autocompletion=weights)] = "tiny",
    device: Annotated[str, typer.Option(envvar="STSEARCH_DEVICE", help="auto, cpu or cuda[:N].")] = "auto",
    engine: Annotated[
        str, typer.Option(envvar="STSEARCH_ENGINE", help="auto, openvino, onnx or torch.")
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON line.")] = False,
    quiet: output.Quiet = False,
) -> None:
    """Show what stsearch runs on, whether it can write, and how fast it reads 10 rendered photographs.

    The block names no file of yours: paste it where you ask for help. The exit code is that of the first
    thing that is wrong.
    """
    findings = []
    for finding in _look(model, device, engine):
        findings.append(finding)
        if not as_json and (finding.exit_code or not quiet):
            mark = "  <- wrong" if finding.exit_code else ""
            print(f"{finding.name:<11}{output.printable(finding.text)}{mark}", flush=True)
    if as_json:
        rows = [asdict(finding) for finding in findings]
        print(json.dumps({"type": "doctor", "schema": output.JSON_SCHEMA, "findings": rows}))
    for finding in findings:
        if finding.exit_code:
            raise typer.Exit(finding.exit_code)


def _look(model: str, device: str, engine: str) -> Iterator[Finding]:
    yield Finding("stsearch", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")
    yield Finding("packages", ", ".join(f"{name} {_version(name)}" for name in (*PACKAGES, *OPTIONAL)))
    yield from _try("machine", _machine)
    yield from _try("weights", lambda: _weights(model))
    yield from _try("galleries", _galleries)
    yield from _try("temporary", lambda: _writable(Path(tempfile.gettempdir())))
    yield from _try("benchmark", lambda: _benchmark(model, device, engine))


def _try(name: str, look: Callable[[], str]) -> Iterator[Finding]:
    """Yield what ``look`` says, or the error that it ends with."""
    try:
        yield Finding(name, look())
    except StsearchError as error:
        yield Finding(name, _without_home(str(error)), error.exit_code)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _machine() -> str:
    from stsearch.evaluation.machine import processor

    page, pages = os.sysconf("SC_PAGE_SIZE"), os.sysconf("SC_PHYS_PAGES")
    return f"{processor()}, {page * pages / 1e9:.0f} GB of memory"


def _weights(name: str) -> str:
    from stsearch.weights.card import check_weights

    card = check_weights(name)
    graphs = f"{len(card.graphs)} graphs for CPUs" if card.graphs else "no graphs for CPUs"
    return f"{card.config.name}, sha256 {card.identity[:12]}, {graphs}; every file is whole"


def _galleries() -> str:
    from stsearch.gallery import registry

    home = registry.data_home(os.environ)
    place = _writable(home)
    return f"{len(registry.listed(home))} listed in {place}"


def _writable(folder: Path) -> str:
    """Return ``folder`` once a file was written there, or where it would be made.

    Raises:
        WriteError: none can be.
    """
    place = next(each for each in (folder, *folder.parents) if each.exists())
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"stsearch")
            file.flush()
    except OSError as error:
        raise WriteError(f"cannot write to {folder}: {error.strerror or error}") from error
    return f"{_without_home(str(folder))}, writable"


def _without_home(text: str) -> str:
    """Return ``text`` with ~ for the user's folder, whose name is nobody's business."""
    home = os.environ.get("HOME", "").rstrip("/")
    return text.replace(home, "~") if home else text


def _benchmark(model: str, device: str, engine: str) -> str:
    """Index 10 rendered photographs, and return how fast and how well, and with what.

    Raises:
        StsearchError: they cannot be rendered, or weights, device or engine cannot be used.
    """
    from stsearch.api.jobs import evaluate
    from stsearch.synth.renderer import load_assets
    from stsearch.synth.writer import DatasetOptions, write_dataset

    options = DatasetOptions(scenes=10, seed=1, difficulty=0.5)
    with tempfile.TemporaryDirectory(prefix="stsearch-doctor-") as folder:
        write_dataset(load_assets(), Path(folder), options)
        report = evaluate([folder], model=model, device=device, engine=engine)
    conditions = report.conditions
    return (
        f"{report.photos} rendered photographs on {conditions.hardware}, {conditions.precision}:"
        f" {report.photos_per_s:.1f} a second, {report.spotting.recall:.0%} of the words read right,"
        f" peak memory {conditions.peak_memory_bytes / 1e6:.0f} MB"
    )
