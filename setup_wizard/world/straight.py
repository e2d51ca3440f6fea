"""One request to a server of our own: straight to it, once, whatever the environment says of proxies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from setup_wizard.world import words
from setup_wizard.world.data import Reply

if TYPE_CHECKING:
    import http.client
    import ssl

MOST = 16 << 20  # bytes: no answer of a server of ours is longer
CONNECT = 5.0  # seconds for a connection, where the whole may take longer


@dataclass(frozen=True)
class Ask:
    """One request to a server of our own: method, URL, headers, body; `timeout` in seconds of silence.

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
    try:
        link.connect()
        link.sock.settimeout(ask.timeout)
        link.request(
            ask.method, urlunsplit(("", "", url.path or "/", url.query, "")), ask.body, dict(ask.headers)
        )
        r = link.getresponse()
        headers: dict[str, str] = {}
        for name, value in r.getheaders():
            key = name.lower()
            headers[key] = f"{headers[key]}\n{value}" if key in headers else value
        return Reply(r.status, r.read(MOST), headers)
    except (OSError, http.client.HTTPException) as e:
        raise words.unreachable(ask.url, e) from e
    finally:
        link.close()


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
