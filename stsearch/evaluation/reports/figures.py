"""The figures of a report as named lines: the terminal, Markdown and HTML show the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stsearch.evaluation.predictions import Conditions
from stsearch.evaluation.scoring import Report

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure of the headline, with what else is to be said of it."""

    name: str
    value: str
    note: str


def data_set_of(report: Report) -> str:
    """Return the name of the labelled photographs: of a benchmark, or of the folders that they lie in."""
    if report.benchmark != "folder":
        return report.benchmark
    folders = dict.fromkeys(sample.image.resolve().parent.name for sample in report.truth.samples)
    return ", ".join(folders) or report.benchmark


def headline_of(report: Report) -> Iterator[Figure]:
    """Yield the figures that a reader looks for first."""
    if "retrieval" in report.measures:
        queries = f"mean over {len(report.average_precision)} queries"
        yield Figure("Retrieval (mAP)", f"{report.mean_average_precision:.1%}", queries)
    if "detection" in report.measures:
        found = report.detection
        note = f"precision {found.precision:.1%}, recall {found.recall:.1%}"
        yield Figure("Detection (hmean)", f"{found.hmean:.1%}", note)
    if "reading" in report.measures:
        yield Figure("Reading", f"{report.spotting.recall:.1%}", "of the readable words spotted")
    search = f"{report.ms_per_query:.1f} ms a query" if "retrieval" in report.measures else ""
    yield Figure(
        "Speed", f"{report.photos_per_s:.2f}/s", f"photographs; {search}" if search else "photographs"
    )


def figures_of(report: Report) -> Iterator[tuple[str, str]]:
    """Yield each figure with its name; the first line, the title, has none."""
    queries = f", {len(report.average_precision)} queries" if "retrieval" in report.measures else ""
    yield "", f"{report.benchmark}: {report.photos} photos{queries}"
    if "retrieval" in report.measures:
        yield "retrieval", f"mAP {report.mean_average_precision:.1%}"
    if "detection" in report.measures:
        detection = report.detection
        yield (
            "detection",
            f"hmean {detection.hmean:.1%}, precision {detection.precision:.1%}, "
            f"recall {detection.recall:.1%}",
        )
    if "reading" in report.measures:
        yield "reading", f"{report.spotting.recall:.1%} of the readable words spotted"
    yield "speed", speed_of(report)
    yield from figures_of_conditions(report.conditions)
    if report.weights_sha256:
        yield "weights", f"sha256 {report.weights_sha256}"
    if report.query_rule:
        yield "queries", report.query_rule
    yield "scoring", report.scoring_rule
    if report.truth.deviation:
        yield "warning", report.truth.deviation


def figures_of_conditions(conditions: Conditions) -> Iterator[tuple[str, str]]:
    """Yield the known conditions of the run, each with its name."""
    if conditions.hardware:
        yield "hardware", conditions.hardware
        yield "input", f"{conditions.input_size}, {conditions.precision}; peak memory {_memory(conditions)}"
    if conditions.system:
        yield "system", conditions.system


def speed_of(report: Report) -> str:
    """Return photographs a second and, where there are queries, milliseconds a query."""
    search = f", {report.ms_per_query:.1f} ms/query" if "retrieval" in report.measures else ""
    return f"{report.photos_per_s:.2f} photos/s{search}"


def _memory(conditions: Conditions) -> str:
    device = f", {conditions.device_memory_bytes / MIB:.0f} MiB on the GPU"
    return f"{conditions.peak_memory_bytes / MIB:.0f} MiB{device if conditions.device_memory_bytes else ''}"
