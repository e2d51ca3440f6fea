"""A real web server on loopback that misbehaves as a test tells it, one fault a request, then well.

with WebServer() as web:
    url = web.serve("/big.bin", data, cut(after=1000), status(503))
    ...
    assert web.asked[1].headers["range"] == "bytes=1000-"
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PAGE = b"<!DOCTYPE html><html><title>Log in to the network</title></html>"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: Mapping[str, str]


class WebServer:
    """Serves bodies by path; `asked` keeps every request."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.over = threading.Event()
        self._bodies: dict[str, bytes] = {}
        self._faults: dict[str, list[Fault]] = {}
        self._server = _Quiet(("127.0.0.1", 0), type("Handler", (_Handler,), {"web": self}))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def serve(self, path: str, body: bytes, *faults: Fault) -> str:
        """Serve `body` at `path`, the first requests with these faults; give the URL."""
        self._bodies[path] = body
        self._faults[path] = list(faults)
        return self.url + path

    def body(self, path: str) -> bytes:
        """What is served at a path."""
        return self._bodies[path]

    def __enter__(self) -> WebServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A reader who leaves early is nothing to print."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    web: WebServer

    def do_GET(self) -> None:
        self.web.asked.append(Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        body = self.web._bodies.get(self.path)
        faults = self.web._faults.get(self.path)
        if body is None:
            return self.answer(404, b"not here")
        if faults:
            return faults.pop(0)(self, body)
        return self.good(body)

    do_HEAD = do_GET

    def good(self, body: bytes) -> None:
        """The answer of a server that is well, ranges included."""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        if wanted and start >= len(body):
            return self.answer(416, b"", {"Content-Range": f"bytes */{len(body)}"})
        if wanted:
            where = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"}
            return self.answer(206, body[start:], where)
        return self.answer(200, body)

    def answer(self, code: int, body: bytes, headers: Mapping[str, str] = {}, length: int = -1) -> None:
        """Any answer; `length` is what the header claims when that is not the truth."""
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length < 0 else length))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
            self.wfile.flush()

    def hang_up(self) -> None:
        """Close the connection here and now."""
        self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


Fault = Callable[[_Handler, bytes], None]


def cut(after: int) -> Fault:
    """Promises the whole and hangs up after so many bytes of it; heeds ranges."""

    def fault(handler: _Handler, body: bytes) -> None:
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        start = int(wanted[1]) if wanted else 0
        where = {"Content-Range": f"bytes {start}-{len(body) - 1}/{len(body)}"} if wanted else {}
        rest = body[start:]
        handler.answer(206 if wanted else 200, rest[:after], where, length=len(rest))
        handler.hang_up()

    return fault


def status(code: int, **headers: str) -> Fault:
    """Answers with that status and nothing of use."""

    def fault(handler: _Handler, body: bytes) -> None:
        handler.answer(code, b"no", {k.replace("_", "-"): v for k, v in headers.items()})

    return fault


def page(kind: str = "text/html; charset=utf-8") -> Fault:
    """The log-in page of a network, with 200, in place of what was asked for."""

    def fault(handler: _Handler, body: bytes) -> None:
        handler.answer(200, PAGE, {"Content-Type": kind})

    return fault


def whole(handler: _Handler, body: bytes) -> None:
    """A server that knows nothing of ranges."""
    handler.answer(200, body)


def elsewhere(handler: _Handler, body: bytes) -> None:
    """A 206 that does not go on where it was asked to."""
    handler.answer(206, body[5:], {"Content-Range": f"bytes 5-{len(body) - 1}/{len(body)}"})


def changed(handler: _Handler, body: bytes) -> None:
    """The right length, one byte wrong."""
    handler.answer(200, body[:-1] + bytes([body[-1] ^ 1]))


def endless(handler: _Handler, body: bytes) -> None:
    """More and more of it, without saying how much there is."""
    handler.send_response(200)
    handler.end_headers()
    handler.hang_up()
    try:
        while not handler.web.over.is_set():
            handler.wfile.write(body)
    except OSError:
        pass


def stall(after: int = 0) -> Fault:
    """Sends so many bytes and then nothing more, the connection open."""

    def fault(handler: _Handler, body: bytes) -> None:
        handler.answer(200, body[:after], length=len(body))
        handler.web.over.wait()
        handler.hang_up()

    return fault


def mute(handler: _Handler, body: bytes) -> None:
    """Takes the request, and never says a word."""
    handler.web.over.wait()
    handler.hang_up()


def drip(every: float) -> Fault:
    """One byte at a time, so many seconds apart."""

    def fault(handler: _Handler, body: bytes) -> None:
        handler.answer(200, b"", length=len(body))
        handler.hang_up()
        try:
            for byte in body:
                handler.wfile.write(bytes([byte]))
                if handler.web.over.wait(every):
                    return
        except OSError:
            return

    return fault


def drip_head(every: float) -> Fault:
    """The same with what comes before the body."""

    def fault(handler: _Handler, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        handler.hang_up()
        try:
            for byte in head:
                handler.wfile.write(bytes([byte]))
                if handler.web.over.wait(every):
                    return
            handler.wfile.write(body)
        except OSError:
            return

    return fault


def moved(to: str) -> Fault:
    """Sends the reader to another place."""
    return status(302, Location=to)
