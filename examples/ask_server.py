"""Search a running ``stsearch serve`` from another program, with nothing but the standard library.

python examples/ask_server.py coffee [http://127.0.0.1:8765] [TOKEN]
"""

from __future__ import annotations

import json
import sys
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen


def ask(server: str, token: str, **parameters: object) -> dict[str, list[dict[str, object]]]:
    """Return the answer to a search; SystemExit says what is wrong with it."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = Request(f"{server}/api/search?{urlencode(parameters)}", headers=headers)
    try:
        with urlopen(request) as reply:
            answer: dict[str, list[dict[str, object]]] = json.load(reply)
            return answer
    except HTTPError as error:
        raise SystemExit(json.load(error)["message"]) from error


def main(query: str, server: str = "http://127.0.0.1:8765", token: str = "") -> None:
    """Print the score, the word and the photograph of every hit, or what else would match."""
    answer = ask(server, token, q=query, group="photo", top=5)
    for hit in answer["hits"]:
        print(f"{hit['score']:.2f}  {hit['transcript']}  {hit['path']}")
        print(f"      {server}/api/image/{hit['photograph']}")
    for advice in answer["advice"]:
        print(f"{advice['query']}: {advice['reason']}")


if __name__ == "__main__":
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    main(*sys.argv[1:])
