"""The proof that a session works: it is ours, it is closed to others, and a cell runs through its URL.

It goes the way of the browser: the page with the token gives the cookies, and the kernel is started and
spoken to with nothing but these and the page's own origin.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from setup_wizard.errors import NetworkTrouble, NotProven
from setup_wizard.jupyter.start import shows
from setup_wizard.world import Ask, Reply, World

CELL = "import sys; print(6 * 7); print(sys.prefix)"
ANSWER = "42"
NO_WORK = "?no_track_activity=1"  # a session in which nothing but this was done is idle
PATIENCE = 120.0  # seconds for a kernel to start and to answer
MOST = 1 << 20  # bytes of one message


class Target(msgspec.Struct, frozen=True):
    """What is to be proven: the URL as printed (with the token), and the prefix that its kernel must have.

    `sign` is what only our server shows without a token: its place below the URL, and its content. `ca` is
    a file of certificates to trust, "" for the usual ones. Not `here` is a prefix of another machine, whose
    links we cannot follow: it is not compared.
    """

    url: str
    token: str
    sign: tuple[str, str]
    prefix: Path
    ca: str = ""
    here: bool = True

    @property
    def base(self) -> str:
        """The address with its last slash, without page or token."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}/"

    @property
    def origin(self) -> str:
        return self.base.rstrip("/")


class Proof(msgspec.Struct, frozen=True):
    """What was seen: the prefix of the kernel that answered, its answer, and how we spoke to it."""

    kernel_prefix: str
    answer: str
    via: str


def prepare() -> None:
    """Load what a proof needs, so that it is quick; who makes none has no use for it."""
    import tornado.websocket  # noqa: F401


def prove(world: World, target: Target, patience: float = PATIENCE) -> Proof:
    """Run a cell through the URL; NotProven says what does not hold. `patience` in seconds."""
    try:
        it_is_ours(world, target)
        _it_is_closed(world, target)
        cookies = _open_page(world, target)
        kernel = _start_kernel(world, target, cookies)
        try:
            said = _run_cell(target, cookies, kernel, patience)
        finally:
            _call(world, target, f"api/kernels/{kernel}{NO_WORK}", cookies, method="DELETE")
    except NetworkTrouble as e:
        raise NotProven(f"Jupyter does not answer any more: {e.problem}", fix=READ_LOG) from e
    return _judge(target, said)


READ_LOG = "Read jupyter.log in the session's folder, then launch again."


def it_is_ours(world: World, target: Target) -> None:
    """Nothing when the server at the URL is ours; it is asked without the token: a stranger never gets it."""
    if not shows(world, target.base, target.sign, target.ca):
        raise NotProven(
            f"What answers at {target.base} is not the Jupyter of this session; it did not get the token.",
            fix="hpc-jupyter-setup stop, then launch again: another port will be chosen.",
        )


def _it_is_closed(world: World, target: Target) -> None:
    for headers in ({}, {"Authorization": "token wrong"}):
        reply = world.call(Ask(f"{target.base}api/status", headers=headers, ca=target.ca))
        if reply.status != 403:
            raise NotProven(
                f"Jupyter answered {reply.status} to somebody without the right token; 403 was expected.",
                fix="Look for settings of yours that switch the token off: jupyter --paths; ls ~/.jupyter",
            )


def _open_page(world: World, target: Target) -> dict[str, str]:
    """The cookies that the browser gets with the page."""
    reply = world.call(Ask(target.url, timeout=30, ca=target.ca))
    if reply.status != 200:
        raise NotProven(f"The page of Jupyter answered {reply.status}.", fix=READ_LOG)
    lines = reply.headers.get("set-cookie", "").split("\n")
    pairs = [line.partition(";")[0].partition("=") for line in lines]
    return {name: value for name, _, value in pairs if name}


def _start_kernel(world: World, target: Target, cookies: dict[str, str]) -> str:
    reply = _call(world, target, f"api/kernels{NO_WORK}", cookies, method="POST", body=b"{}")
    if reply.status != 201:
        raise NotProven(
            f"Jupyter answered {reply.status} when a kernel was to be started: {_message(reply)}",
            fix=f"See whether it has one: {target.prefix}/bin/python -m ipykernel --version",
        )
    return str(json.loads(reply.body)["id"])


def _call(
    world: World, target: Target, path: str, cookies: dict[str, str], *, method: str, body: bytes = b""
) -> Reply:
    headers = {**_headers(target, cookies), "X-XSRFToken": cookies.get("_xsrf", "")}
    return world.call(Ask(target.base + path, method, headers, body, timeout=PATIENCE, ca=target.ca))


def _headers(target: Target, cookies: dict[str, str]) -> dict[str, str]:
    return {"Origin": target.origin, "Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}


def _message(reply: Reply) -> str:
    try:
        return str(json.loads(reply.body)["message"])
    except (ValueError, KeyError, TypeError):
        return reply.text[:200]


def _run_cell(target: Target, cookies: dict[str, str], kernel: str, patience: float) -> str:
    """What the cell printed."""
    import asyncio  # a launch that does not wait has no use for it

    try:
        return asyncio.run(asyncio.wait_for(_converse(target, cookies, kernel, CELL), patience))
    except asyncio.TimeoutError as e:
        raise NotProven(
            f"The kernel gave no answer within {patience:.0f} s.",
            fix=f"Try it by hand: {target.prefix}/bin/python -c 'import ipykernel'",
        ) from e


async def _converse(target: Target, cookies: dict[str, str], kernel: str, code: str) -> str:
    from jupyter_client.jsonutil import json_default
    from jupyter_client.session import Session
    from tornado.httpclient import HTTPClientError, HTTPRequest
    from tornado.websocket import websocket_connect

    session = Session(key=b"")
    url = f"ws{target.base.removeprefix('http')}api/kernels/{kernel}/channels?session_id={session.session}"
    request = HTTPRequest(
        url, headers=_headers(target, cookies), connect_timeout=30, ca_certs=target.ca or None
    )
    try:
        socket = await websocket_connect(request, max_message_size=MOST)
    except (HTTPClientError, OSError) as e:
        raise NotProven(f"The websocket to the kernel was refused: {e}", fix=READ_LOG) from e
    try:
        cell = session.msg("execute_request", {"code": code, "store_history": False, "allow_stdin": False})
        await socket.write_message(json.dumps({**cell, "channel": "shell"}, default=json_default))
        return await _hear(socket, cell["header"]["msg_id"])
    finally:
        socket.close()


async def _hear(socket: Any, cell: str) -> str:
    """What the cell prints, until its kernel is idle again."""
    said = ""
    while (text := await socket.read_message()) is not None:
        message = json.loads(text)
        if message["parent_header"].get("msg_id") != cell:
            continue
        kind, content = message["msg_type"], message["content"]
        if kind == "stream" and content["name"] == "stdout":
            said += content["text"]
        if kind == "error":
            raise NotProven(f"The cell ended with {content['ename']}: {content['evalue']}", fix=READ_LOG)
        if kind == "status" and content["execution_state"] == "idle":
            return said
    raise NotProven("The websocket to the kernel was closed before the cell had answered.", fix=READ_LOG)


def _judge(target: Target, said: str) -> Proof:
    answer, _, prefix = said.strip().partition("\n")
    if answer != ANSWER:
        raise NotProven(f"The kernel answered «{said.strip()[:200]}»; {ANSWER} was expected.", fix=READ_LOG)
    if target.here and Path(prefix).resolve() != target.prefix.resolve():
        raise NotProven(
            f"The kernel runs in {prefix}, not in {target.prefix}.",
            fix=f"{target.prefix}/bin/python -m ipykernel install --sys-prefix",
        )
    return Proof(prefix, answer, f"websocket through {target.base}")
