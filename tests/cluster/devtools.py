"""Leads a page of a browser on its own machine, over the DevTools protocol.

    python devtools.py PORT

The first line of stdin is an address, for which it opens a page. Each line after that is a call, in JSON, and
each line of stdout the answer to it: {"result": …} or {"error": …}.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote

from tornado.websocket import websocket_connect

PATIENCE = 30.0  # seconds for the browser to start


def new_page(port: str, url: str) -> str:
    """The address of the socket that leads a new page, as soon as there is a browser."""
    asked = urllib.request.Request(f"http://127.0.0.1:{port}/json/new?{quote(url, safe='')}", method="PUT")
    end = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(asked) as said:
                return str(json.load(said)["webSocketDebuggerUrl"])
        except urllib.error.URLError:
            if time.monotonic() > end:
                raise
        time.sleep(0.05)


async def main(port: str) -> None:
    """Pass on each call, and tell the answer to it."""
    socket = await websocket_connect(new_page(port, sys.stdin.readline().strip()), max_message_size=1 << 26)
    loop = asyncio.get_running_loop()
    number = 0
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        number += 1
        await socket.write_message(json.dumps({"id": number, **json.loads(line)}))
        print(json.dumps(await answer(socket, number)), flush=True)


async def answer(socket: Any, number: int) -> dict[str, Any]:
    """The answer to the call of that number; what else the browser tells is passed over."""
    while (text := await socket.read_message()) is not None:
        said = json.loads(text)
        if said.get("id") == number:
            return {key: said[key] for key in ("result", "error") if key in said}
    raise SystemExit("the browser has gone")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
