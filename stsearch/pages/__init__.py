"""Pages of HTML: one set of templates and one style, for the contact sheet, reports and the page of a server.

A page that is a file needs nothing else: its pictures and its style are in it, it runs no script and loads
nothing, and it says so in a Content-Security-Policy. One that is served has its style and its scripts beside
it. What comes from outside, such as a name, is text wherever it stands.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from stsearch.text.printable import printable

if TYPE_CHECKING:
    import jinja2

_TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: object) -> str:
    """Return the page that ``template`` makes of ``values``.

    Every value is escaped, and what no browser shows, such as a byte that is not UTF-8, is spelled out.

    Args:
        template: name of a file among the templates.
        values: what it uses; a name that it uses and that is not given is an error.
    """
    environment = _environment()
    style = environment.get_template("style.css").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    return environment.get_template(template).render(style=style, policy=policy, **values)


def render_served(template: str, **values: object) -> str:
    """Return the page, or the part of one, that a server answers with; its styles are ``style_of``."""
    return _environment().get_template(template).render(**values)


def style_of(name: str) -> str:
    """Return a style among the templates: ``style.css`` of every page, ``served.css`` of a server's."""
    return _environment().get_template(name).render()


@cache
def _environment() -> jinja2.Environment:
    import jinja2
    import markupsafe

    def show(value: object) -> object:
        return value if isinstance(value, markupsafe.Markup) else printable(str(value))

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=show,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
