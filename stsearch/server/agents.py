"""Tools for agents, by the Model Context Protocol: search, words, and pictures of photographs.

The galleries and the functions are those of the page and the JSON API.
"""

from __future__ import annotations

from typing import Annotated, Literal

from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field

from stsearch import __version__
from stsearch.errors import StsearchError
from stsearch.server.ask import MAX_TOP, Ask
from stsearch.server.json_api import answer_line
from stsearch.server.pictures import View, read_view
from stsearch.server.service import Service
from stsearch.server.summaries import gallery_lines, photograph_words, word_lines

_INSTRUCTIONS = (
    "Finds photographs by the words that can be read in them. Call search first; each hit names its"
    " photograph, whose words and picture the other tools return."
)
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_MOST_WORDS = 1000

Query = Annotated[
    str,
    Field(
        description='Words, a "phrase", RE16* or B?R with wildcards, -unwanted, tea OR milk; a to z, digits.'
    ),
]
Gallery = Annotated[str, Field(description="Name of a gallery, as status lists them; empty: all.")]
Path = Annotated[str, Field(description="Only photographs of this path in their folder, or below; a glob.")]
Date = Annotated[str, Field(description="YYYY, YYYY-MM or YYYY-MM-DD; empty: any.")]
MinScore = Annotated[float | None, Field(ge=0, le=1, description="Least probability; default 0.2.")]
Photograph = Annotated[str, Field(description="The photograph of a hit: its SHA-256.")]
Box = Annotated[
    list[tuple[float, float]] | None,
    Field(description="The box of a hit: then only this word, straightened, is shown."),
]


def make_server(service: Service) -> MCPServer:
    """Return the server of the tools; its galleries are those of ``service``."""
    server, tools = MCPServer("stsearch", instructions=_INSTRUCTIONS, version=__version__), _Tools(service)
    for tool in (tools.search, tools.words, tools.status):
        server.tool(annotations=_READS, structured_output=True)(tool)
    server.tool(annotations=_READS, structured_output=False)(tools.show)
    return server


class _Tools:
    """The tools; agents read their descriptions."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def search(  # noqa: PLR0913 - one parameter an option
        self,
        query: Query,
        top: Annotated[int, Field(ge=1, le=MAX_TOP)] = 10,
        group: Literal["word", "photo"] = "word",
        min_score: MinScore = None,
        fuzzy: Annotated[int | None, Field(ge=0, le=2, description="Letters that may differ.")] = None,
        gallery: Gallery = "",
        path: Path = "",
        since: Date = "",
        until: Date = "",
    ) -> dict[str, object]:
        """Rank words and photographs for a query, the best first; where none matches, what would."""
        ask = Ask(
            query,
            galleries=(gallery,) if gallery else (),
            paths=(path,) if path else (),
            since=since,
            until=until,
            min_score=min_score,
            group=group,
            fuzzy=fuzzy,
            top=top,
        )
        try:
            return _as_utf8(answer_line(await self._service.search(ask)))
        except StsearchError as error:
            raise ToolError(str(error)) from error

    async def words(
        self,
        photograph: Photograph = "",
        gallery: Gallery = "",
        top: Annotated[int, Field(ge=1, le=_MOST_WORDS)] = 100,
    ) -> dict[str, object]:
        """List the words read in one photograph, or those of a gallery, the most frequent first."""
        try:
            if photograph:
                found = photograph_words(await self._service.photograph(photograph))
            else:
                found = await word_lines(self._service, gallery)
        except StsearchError as error:
            raise ToolError(str(error)) from error
        return _as_utf8({"total": len(found), "words": found[:top]})

    async def show(self, photograph: Photograph, box: Box = None, page: int | None = None) -> Image:
        """Show a photograph, or one word of it cut out and straightened."""
        try:
            here = (await self._service.photograph(photograph)).photograph
            outline = ",".join(str(round(value)) for point in box or () for value in point)
            view = read_view("crop", page, outline) if box else View("whole", page)
            return Image(data=await self._service.jpeg(here, view), format="jpeg")
        except StsearchError as error:
            raise ToolError(str(error)) from error

    async def status(self) -> dict[str, object]:
        """Say which galleries there are, and how many photographs and words they hold."""
        try:
            return _as_utf8({"galleries": await gallery_lines(self._service)})
        except StsearchError as error:
            raise ToolError(str(error)) from error


def _as_utf8(line: dict[str, object]) -> dict[str, object]:
    """Return ``line`` with the bytes of names that are no UTF-8 spelled out: the protocol has none."""
    return {name: _spell(value) for name, value in line.items()}


def _spell(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, list):
        return [_spell(each) for each in value]
    return _as_utf8(value) if isinstance(value, dict) else value
