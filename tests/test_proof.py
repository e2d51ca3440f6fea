"""The proof against servers that are not what they should be."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from setup_wizard.errors import NotProven
from setup_wizard.proof import Target, _judge, prove
from setup_wizard.world import World

TOKEN = "0123456789abcdef" * 4
SIGN = ("static/9f", "c0ffee" * 8)
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def server(answer: Callable[[str], Answer]) -> Iterator[tuple[str, list[str]]]:
    """A server with these answers to paths: its address, and everything that it was ever sent."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(f"{self.requestline}\n{self.headers}")
            length = int(self.headers.get("Content-Length") or 0)
            heard.append(self.rfile.read(length).decode())
            status, headers, body = answer(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            """Nothing: pytest has enough to say."""

    web = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=web.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{web.server_address[1]}/", heard
    finally:
        web.shutdown()
        thread.join()
        web.server_close()


def target(base: str, prefix: Path = Path("/env")) -> Target:
    return Target(f"{base}lab?token={TOKEN}", TOKEN, SIGN, prefix)


def ours(path: str) -> Answer | None:
    return (200, {}, SIGN[1].encode()) if path == f"/{SIGN[0]}" else None


def test_a_stranger_on_the_port_never_hears_the_token(world: World) -> None:
    """A server that says yes to everything is not ours: it is told so, and was not sent the token."""
    with (
        server(lambda path: (200, {}, b'{"version": "2.21.1"}')) as (base, heard),
        pytest.raises(NotProven, match="is not the Jupyter of this session"),
    ):
        prove(world, target(base))
    assert heard
    assert TOKEN not in "".join(heard)


def test_a_stranger_who_points_to_us_is_not_us(world: World) -> None:
    """A redirect to the true server does not count as its answer, and neither gets the token."""
    with server(lambda path: ours(path) or (200, {}, b"")) as (true, heard_by_us):
        with (
            server(lambda path: (302, {"Location": true + path[1:]}, b"")) as (false, heard_by_him),
            pytest.raises(NotProven, match="is not the Jupyter of this session"),
        ):
            prove(world, target(false))
        assert TOKEN not in "".join(heard_by_us + heard_by_him)
        assert heard_by_us == []


def test_a_server_that_is_open_to_all_is_not_proven(world: World) -> None:
    """Ours, but it lets in who has no token: the proof fails before the token is used."""
    with (
        server(lambda path: ours(path) or (200, {}, b"{}")) as (base, heard),
        pytest.raises(NotProven, match="without the right token"),
    ):
        prove(world, target(base))
    assert TOKEN not in "".join(heard)


@pytest.mark.parametrize(
    ("page", "kernels", "says"),
    [
        (500, 201, "page of Jupyter answered 500"),
        (200, 500, "answered 500 when a kernel was to be started: no kernel"),
        (200, 201, "websocket to the kernel was refused"),
    ],
)
def test_each_stage_says_where_it_stopped(world: World, page: int, kernels: int, says: str) -> None:
    """A page, a kernel or a websocket that is refused is named as such."""

    def answer(path: str) -> Answer:
        if path == "/api/status":
            return 403, {}, b""
        if path.startswith("/lab"):
            return page, {"Set-Cookie": "_xsrf=x; Path=/"}, b""
        if path.partition("?")[0] == "/api/kernels":
            return kernels, {}, b'{"id": "k1", "message": "no kernel"}'
        return ours(path) or (404, {}, b"")

    with server(answer) as (base, heard), pytest.raises(NotProven, match=says):
        prove(world, target(base), patience=10)
    assert (kernels != 201 or page != 200) or any("DELETE /api/kernels/k1" in line for line in heard)


def test_nobody_there_is_not_proven(world: World) -> None:
    """A port where nothing answers is an error in the user's words, at once."""
    with server(lambda path: (200, {}, b"")) as (base, _):
        pass
    with pytest.raises(NotProven):
        prove(world, target(base))


def test_a_wrong_answer_is_no_proof(tmp_path: Path) -> None:
    """42 and the expected prefix, through links or not; nothing else is a proof."""
    prefix, link = tmp_path / "env", tmp_path / "link"
    prefix.mkdir()
    link.symlink_to(prefix)
    assert _judge(target("http://h/", link), f"42\n{prefix}\n").kernel_prefix == str(prefix)
    for said in ("", "41\n/env\n", f"{prefix}\n42\n"):
        with pytest.raises(NotProven, match="42 was expected"):
            _judge(target("http://h/", prefix), said)
    with pytest.raises(NotProven, match="runs in /other"):
        _judge(target("http://h/", prefix), "42\n/other\n")
