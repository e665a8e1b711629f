"""``stsearch serve``: options in, a page in the browser out; the server itself is ``stsearch.server``."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from stsearch.cli import output
from stsearch.cli.completion import folders, weights
from stsearch.cli.gallery import galleries_or_environment
from stsearch.errors import UsageError

Option = typer.Option
Folders = Annotated[
    list[str] | None,
    typer.Argument(
        help="Folders of photos, their URLs, or galleries; default: $STSEARCH_INDEX, else the nearest, else"
        " every gallery there is.",
        callback=galleries_or_environment,
        autocompletion=folders,
    ),
]
Port = Annotated[int, Option(min=0, max=65535, help="0 takes a free one.")]
Opens = Annotated[bool, Option("--open", help="Open the page in a browser.")]
Host = Annotated[str, Option(help="Listen there; beyond this machine a token is needed.")]
Token = Annotated[
    str | None,
    Option(envvar="STSEARCH_TOKEN", help="Who asks must bring it; default: none here, one made elsewhere."),
]
ReadOnly = Annotated[bool, Option("--read-only", help="Let nobody start indexing from the page.")]
Model = Annotated[
    str | None,
    Option(
        help="Weights that made the galleries: a folder; default: as they say.",
        autocompletion=weights,
    ),
]
Device = Annotated[
    str, Option(envvar="STSEARCH_DEVICE", help="For searches by picture: auto, cpu or cuda[:N].")
]
MaxMegapixels = Annotated[float, Option(min=0, help="Do not show larger photos.")]


def serve(
    folders: Folders = None,
    port: Port = 8765,
    opens: Opens = False,
    host: Host = "127.0.0.1",
    token: Token = None,
    read_only: ReadOnly = False,
    model: Model = None,
    device: Device = "auto",
    max_megapixels: MaxMegapixels = 178.0,
    quiet: output.Quiet = False,
) -> None:
    """Show the photos in a browser: a page to search in, and a JSON API for programs at /api/.

    Only this machine can open it unless --host says otherwise. Others then need the token that is printed;
    the connection is not encrypted, so take an SSH tunnel beyond a network you trust. Ctrl-C ends it.
    """
    try:
        with _single_threaded_products():
            from stsearch.server.run import address_of, grant_access, listen
            from stsearch.server.run import serve as run
            from stsearch.server.security import is_loopback
            from stsearch.server.service import Service
    except ModuleNotFoundError as error:
        raise missing_extra(error, "serve") from error

    logging.getLogger("uvicorn").addHandler(logging.NullHandler())  # what matters is said in our own words
    grant_access(host, port, token)  # what is wrong with it is said before anything is opened
    service = Service(folders or (), model, device, max_megapixels, output.note)
    with listen(host, port) as listening:
        access = grant_access(host, listening.getsockname()[1], token)
        address = address_of(access)
        if not is_loopback(host):
            output.note("Others can reach this: who has the address below sees every photo of the galleries.")

        def tell() -> None:
            names = ", ".join(service.library.names)
            output.note(f"Serving {names}; Ctrl-C ends it")
            print(address, flush=True)
            if opens:
                _open(address)

        run(service, access, listening, read_only, tell)


@contextmanager
def _single_threaded_products() -> Iterator[None]:
    """Let numpy, where it is imported inside, multiply in one thread, unless somebody said otherwise.

    Searches are many small products: threads of their own would only wait for each other.
    """
    name = "OPENBLAS_NUM_THREADS"
    is_said = name in os.environ
    os.environ.setdefault(name, "1")
    try:
        yield
    finally:
        if not is_said:  # what is started from here, such as indexing, decides for itself
            del os.environ[name]


def missing_extra(error: ModuleNotFoundError, extra: str) -> UsageError:
    """Return the error that says how to install what a command needs beside the rest."""
    return UsageError(f"this needs {error.name}, which is not installed: pip install 'stsearch[{extra}]'")


def _open(address: str) -> None:
    import webbrowser

    if not webbrowser.open(address):
        output.note("--open finds no browser here: open the address below in one")
