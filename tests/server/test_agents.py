"""The tools for agents, called by the client of the official SDK, in this process and over pipes."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import PIL.Image
import pytest

pytest.importorskip("mcp", reason="mcp is not installed: pip install 'stsearch[mcp]'")

from mcp import Client, StdioServerParameters
from mcp.types import ImageContent, TextContent
from server_fixtures import make_photos

from stsearch.gallery.gallery import Gallery
from stsearch.search.query_encoder import load_query_encoder
from stsearch.server.agents import make_server
from stsearch.server.service import Service

Ask = Callable[[Client], Awaitable[Any]]  # Any: each test returns its own


def ask(photos: Path, what: Ask) -> Any:  # Any: see above
    async def talk() -> Any:
        service = Service([photos], None, "cpu", 178.0, lambda _: None)
        try:
            async with Client(make_server(service)) as client:
                return await what(client)
        finally:
            service.close()

    return anyio.run(talk)


def test_the_tools_are_described_and_read_only(photos: Path) -> None:
    tools = ask(photos, lambda client: client.list_tools()).tools
    assert {tool.name for tool in tools} == {"search", "words", "show", "status"}
    assert all(tool.description and tool.annotations.read_only_hint for tool in tools)


def test_search_returns_the_fields_of_the_json_api(photos: Path) -> None:
    result = ask(photos, lambda client: client.call_tool("search", {"query": "hotel", "top": 1}))
    answer = result.structured_content
    assert (answer["type"], answer["total"], answer["hits"][0]["transcript"]) == ("answer", 1, "HOTEL")
    assert isinstance(result.content[0], TextContent)
    assert json.loads(result.content[0].text) == answer


def test_the_crop_of_a_hit_is_a_picture(photos: Path) -> None:
    async def look(client: Client) -> Any:  # Any: see above
        found = (await client.call_tool("search", {"query": "hotel", "top": 1})).structured_content
        assert found
        [hit] = found["hits"]
        return await client.call_tool("show", {"photograph": hit["photograph"], "box": hit["box"]})

    [content] = ask(photos, look).content
    assert isinstance(content, ImageContent)
    crop = PIL.Image.open(io.BytesIO(base64.b64decode(content.data)))
    assert (content.mime_type, crop.height) == ("image/jpeg", 96)


def test_a_name_that_is_no_utf_8_is_spelled_out(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos", {"caf\udce9.png": ["hotel"]})
    answer = ask(photos, lambda client: client.call_tool("search", {"query": "hotel"})).structured_content
    assert answer["hits"][0]["path"].endswith("caf\\udce9.png")


def test_words_and_status_are_listed(photos: Path) -> None:
    words = ask(photos, lambda client: client.call_tool("words", {"top": 1})).structured_content
    assert (words["total"], words["words"][0]["word"]) == (8, "coffee")
    [gallery] = ask(photos, lambda client: client.call_tool("status", {})).structured_content["galleries"]
    assert (gallery["name"], gallery["photos"]) == ("photos", 3)


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        pytest.param("search", {"query": "-tea"}, "only excludes words", id="query"),
        pytest.param("search", {"query": "tea", "since": "soon"}, "not a valid date", id="date"),
        pytest.param("words", {"photograph": "0" * 64}, "no gallery has this photograph", id="photograph"),
        pytest.param("show", {"photograph": "../../etc/passwd"}, "no gallery has this photograph", id="path"),
    ],
)
def test_errors_are_the_sentences_of_the_command_line(
    photos: Path, tool: str, arguments: dict[str, object], says: str
) -> None:
    result = ask(photos, lambda client: client.call_tool(tool, arguments))
    assert result.is_error
    assert says in result.content[0].text


def test_the_program_speaks_on_stdin_and_stdout(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    with Gallery.create(photos / ".stsearch", photos, load_query_encoder().info) as gallery:
        gallery.finish()

    async def talk() -> Any:  # Any: see above
        program = StdioServerParameters(command=sys.executable, args=["-m", "stsearch", "mcp", str(photos)])
        async with Client(program) as client:
            return await client.call_tool("status", {})

    assert anyio.run(talk).structured_content["galleries"][0]["photos"] == 0
