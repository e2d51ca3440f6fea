"""One request to a server of our own: straight to it, once, whatever the environment says of proxies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from setup_wizard.world import words
from setup_wizard.world.data import Reply

MOST = 16 << 20  # bytes: no answer of a server of ours is longer


@dataclass(frozen=True)
class Ask:
    """One request to a server of our own: method, URL, headers, body; `timeout` in seconds."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    timeout: float = 5.0


def straight(ask: Ask) -> Reply:
    """Its answer: from the address that the URL names and nobody else."""
    import http.client

    url = urlsplit(ask.url)
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    link = kind(url.hostname or "", url.port, timeout=ask.timeout)
    try:
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
