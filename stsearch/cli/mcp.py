"""``stsearch mcp``: tools for agents on stdin and stdout; they are in ``stsearch.server.agents``."""

from __future__ import annotations

from stsearch.cli import output
from stsearch.cli.serve import Folders, MaxMegapixels, Model, missing_extra


def mcp(
    folders: Folders = None,
    model: Model = None,
    max_megapixels: MaxMegapixels = 178.0,
    quiet: output.Quiet = False,
) -> None:
    """Let agents search the photos: the Model Context Protocol on stdin and stdout.

    An agent starts this command itself. Its tools are search, words, show and status; they read only.
    """
    try:
        from stsearch.server.agents import make_server
        from stsearch.server.service import Service
    except ModuleNotFoundError as error:
        raise missing_extra(error, "mcp") from error
    service = Service(folders or (), model, "cpu", max_megapixels, output.note)
    try:
        make_server(service).run("stdio")
    finally:
        service.close()
