"""A report as Markdown, to be kept beside the weights or pasted into a discussion."""

from __future__ import annotations

from collections.abc import Iterator

from stsearch.evaluation.reports.comparison import Comparison, comparisons_of
from stsearch.evaluation.reports.figures import figures_of
from stsearch.evaluation.scoring import Report
from stsearch.text.printable import printable


def to_markdown(report: Report) -> str:
    """Return the whole report: figures, published results, and every query, worst first."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    (_, title), *figures = figures_of(report)
    yield f"# {title}"
    yield from ("", "| | |", "|---|---|")
    yield from (f"| {name} | {_cell(text)} |" for name, text in figures)
    for comparison in comparisons_of(report):
        yield from _comparison(comparison)
    if report.average_precision:
        yield from (
            "",
            "## Average precision",
            "",
            "| query | AP % | photographs that answer |",
            "|---|---|---|",
        )
        ordered = sorted(report.average_precision.items(), key=lambda item: (item[1], item[0]))
        for query, figure in ordered:
            yield f"| {_cell(query)} | {100 * figure:.1f} | {len(report.truth.relevant[query])} |"


def _comparison(comparison: Comparison) -> Iterator[str]:
    yield from ("", "## Beside published results", "", f"{comparison.source}.", "")
    yield from (f"| method | {comparison.title} | photographs/s | remark |", "|---|---|---|---|")
    for row in comparison.rows:
        mark = "**" if row is comparison.ours else ""
        yield f"| {mark}{_cell(row.method)}{mark} | {row.figure:.2f} | {row.speed} | {row.remark} |"


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")
