"""One request to a server of our own: straight to it, once, whatever the environment says of proxies."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from setup_wizard.world import words
from setup_wizard.world.data import Reply

if TYPE_CHECKING:
    import http.client
    import socket
    import ssl

MOST = 16 << 20  # bytes: no answer of a server of ours is longer
CONNECT = 5.0  # seconds at most for a connection, before the time for the answer


@dataclass(frozen=True)
class Ask:
    """One request to a server of our own: method, URL, headers, body; `timeout` in seconds for its answer.

    `source` is the IPv4 address of ours that it comes from ("" for any, then IPv6 too), `ca` a file of the
    certificates to trust ("" for the usual ones). A certificate is always looked at.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout: float = 5.0
    source: str = ""
    ca: str = ""


def straight(ask: Ask) -> Reply:
    """Its answer: from the address that the URL names and nobody else."""
    import http.client

    url = urlsplit(ask.url)
    link = _link(ask)
    latest = time.monotonic() + min(CONNECT, ask.timeout) + ask.timeout
    try:
        link.connect()
        end = min(latest, time.monotonic() + ask.timeout)
        link.sock.settimeout(max(end - time.monotonic(), 0.001))
        link.request(
            ask.method, urlunsplit(("", "", url.path or "/", url.query, "")), ask.body, dict(ask.headers)
        )
        return _reply(link.sock, ask.method, end)
    except (OSError, http.client.HTTPException) as e:
        raise words.unreachable(ask.url, e) from e
    finally:
        link.close()


def _reply(sock: socket.socket, method: str, end: float) -> Reply:
    """What comes until `end`, however little at a time; TimeoutError for what comes later."""
    import http.client

    with http.client.HTTPResponse(sock, method=method) as r:
        r.fp.close()
        r.fp = io.BufferedReader(_Until(sock, end))
        r.begin()
        headers: dict[str, str] = {}
        for name, value in r.getheaders():
            key = name.lower()
            headers[key] = f"{headers[key]}\n{value}" if key in headers else value
        return Reply(r.status, r.read(MOST), headers)


class _Until(io.RawIOBase):
    """What a socket receives until `end`, of the monotonic clock."""

    def __init__(self, sock: socket.socket, end: float) -> None:
        self.sock, self.end = sock, end

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        self.sock.settimeout(left)
        return self.sock.recv_into(buffer)


def _link(ask: Ask) -> http.client.HTTPConnection:
    import http.client

    url = urlsplit(ask.url)
    host, source = url.hostname or "", (ask.source, 0) if ask.source else None
    patience = min(CONNECT, ask.timeout)
    if url.scheme == "http":
        return http.client.HTTPConnection(host, url.port, patience, source)
    trust = _trusted(ask.ca)
    return http.client.HTTPSConnection(host, url.port, timeout=patience, source_address=source, context=trust)


def _trusted(ca: str) -> ssl.SSLContext:
    import ssl

    try:
        return ssl.create_default_context(cafile=ca or None)
    except OSError as e:
        raise words.bad_authority(ca, e) from e


def our_address(url: str) -> str:
    """The IPv4 address of ours from which packets go to the server in the URL; no packet is sent."""
    import socket

    parts = urlsplit(url)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.connect((parts.hostname or "", parts.port or 443))
            return str(s.getsockname()[0])
    except OSError as e:
        raise words.unreachable(url, e) from e
