"""``stsearch galleries``: which galleries are used."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from stsearch.cli import output

galleries = typer.Typer(help="Say which galleries are used.")


@galleries.callback()
def _group() -> None:
    """Say which galleries are used."""


@galleries.command(epilog="Example: stsearch galleries trust /srv/photos")
def trust(
    path: Annotated[Path, typer.Argument(help="Photo folder or gallery of another user.")],
) -> None:
    """Use a gallery that another user made, for as long as its files belong to that user.

    Galleries of your own, and those of root, are used anyway.
    """
    from stsearch.gallery import registry
    from stsearch.gallery import trust as trust_module

    home = registry.data_home(os.environ)
    folder = registry.locate(path, home)
    trust_module.trust(folder, home)
    output.note(f"Trusted: {output.shown_path(folder)}.")
