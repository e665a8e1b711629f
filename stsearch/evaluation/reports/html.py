"""A report as one page of HTML that needs nothing else: pictures and plots are in it."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np

from stsearch.evaluation.reports.comparison import Comparison, comparisons_of
from stsearch.evaluation.reports.figures import figures_of
from stsearch.evaluation.reports.misses import Miss, picture_of, worst_misses
from stsearch.evaluation.reports.plots import curve_svg, precision_at_recalls
from stsearch.evaluation.scoring import Report

MISSES = 12
PLOTS = 12
"""The number of queries, worst first, that get a plot of their own."""

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;margin:1rem 0}
td,th{padding:.2rem .8rem;text-align:left;vertical-align:top;border-bottom:1px solid #ddd}
.ours{font-weight:bold;background:#fff4e5}
.row{display:flex;flex-wrap:wrap;gap:1rem}
figure{margin:0;width:280px}
figcaption{font-size:13px;overflow-wrap:anywhere}
img{max-width:100%}
svg{font-size:10px}
svg rect{fill:none;stroke:#bbb}
svg polyline{fill:none;stroke:#d60;stroke-width:2}
svg .title{font-size:12px;font-weight:bold}
.bar{background:#d60;height:.6rem}
.bars td:nth-child(2){width:12rem}
"""


def to_html(report: Report) -> str:
    """Return the page: figures, published results, plots, the worst misses as pictures, and every query."""
    (_, title), *figures = figures_of(report)
    rows = "".join(f"<tr><th>{name}</th><td>{escape(text)}</td></tr>" for name, text in figures)
    body = "".join(
        (
            f"<h1>{escape(title)}</h1><table>{rows}</table>",
            *map(_comparison, comparisons_of(report)),
            *(_retrieval(report) if report.average_precision else ()),
        )
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _comparison(comparison: Comparison) -> str:
    rows = "".join(
        f"<tr{' class=ours' if row is comparison.ours else ''}><td>{escape(row.method)}</td>"
        f"<td>{row.figure:.2f}</td><td>{escape(row.speed)}</td><td>{escape(row.remark)}</td></tr>"
        for row in comparison.rows
    )
    heading = f"<tr><th>method</th><th>{comparison.title}</th><th>photographs/s</th><th>remark</th></tr>"
    return (
        f"<h2>Beside published results</h2><p>{escape(comparison.source)}.</p><table>{heading}{rows}</table>"
    )


def _retrieval(report: Report) -> Iterator[str]:
    ordered = sorted(report.average_precision.items(), key=lambda item: (item[1], item[0]))
    curves = dict(
        zip(
            report.truth.queries,
            map(precision_at_recalls, report.truth.relevance(), report.scores),
            strict=True,
        )
    )
    plots = [curve_svg(np.mean(list(curves.values()), axis=0).tolist(), "all queries", size=300)]
    plots += [curve_svg(curves[query].tolist(), escape(query)) for query, _ in ordered[:PLOTS]]
    yield "<h2>Precision and recall</h2><p>The mean over queries, and the worst queries. Precision is the"
    yield f' best at that recall or beyond.</p><div class="row">{"".join(plots)}</div>'
    misses = worst_misses(report, MISSES)
    if misses:
        yield f'<h2>Worst misses</h2><div class="row">{"".join(map(_miss, misses))}</div>'
    yield '<h2>Average precision</h2><table class="bars"><tr><th>query</th><th></th><th>AP %</th>'
    yield "<th>photographs that answer</th></tr>"
    for query, figure in ordered:
        bar = f'<div class="bar" style="width:{100 * figure:.0f}%"></div>'
        answers = len(report.truth.relevant[query])
        yield f"<tr><td>{escape(query)}</td><td>{bar}</td><td>{100 * figure:.1f}</td><td>{answers}</td></tr>"
    yield "</table>"


def _miss(miss: Miss) -> str:
    name, query = escape(miss.photo.name), escape(miss.query)
    picture = picture_of(miss)
    shown = f'<img src="{picture}" alt="{name}">' if picture else "<p>cannot be read</p>"
    return (
        f"<figure>{shown}<figcaption><b>{query}</b> in {name}: score {miss.score:.2f}, {miss.above} without"
        " it score as high or higher</figcaption></figure>"
    )
