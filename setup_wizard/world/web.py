"""The web: what is small is fetched whole; proxies, certificates and patience are the user's and ours."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from setup_wizard.errors import NetworkTrouble
from setup_wizard.world import words
from setup_wizard.world.data import Patience, Reply

if TYPE_CHECKING:
    import ssl

    import httpx

MOST = 64 << 20  # bytes: nothing that is fetched whole into memory is larger
LONGEST_PAUSE = 30.0  # seconds, however long a server asks us to wait


class Broken(Exception):
    """An attempt that did not come to its end, and may be made again; `trouble` is what to say at last."""

    def __init__(self, trouble: NetworkTrouble, wait: float = 0) -> None:
        super().__init__(trouble.problem)
        self.trouble = trouble
        self.wait = wait


@dataclass(frozen=True)
class Web:
    """The web, with the user's proxies and certificates (`env`) and our patience."""

    patience: Patience
    env: Mapping[str, str]
    sleep: Callable[[float], None]

    def fetch(self, method: str, url: str, headers: Mapping[str, str], proxies: bool, tries: int) -> Reply:
        """The answer of a server, whatever its status below 500."""
        trouble = None
        for attempt in range(tries or self.patience.tries):
            self.pause(attempt, trouble)
            try:
                with self.stream(method, url, headers, proxies) as r:
                    may_mend(url, r)
                    body = b"".join(self.paced(url, r.iter_bytes(), MOST))
                    return Reply(
                        r.status_code, body, {k.lower(): v for k, v in r.headers.items()}, str(r.url)
                    )
            except Broken as e:
                trouble = e
        assert trouble
        raise trouble.trouble

    def paced(self, url: str, blocks: Iterable[bytes], most: int | None) -> Iterator[bytes]:
        """The blocks, as long as they come fast enough and are not more than `most` bytes."""
        all_of_it = got = 0
        began = time.monotonic()
        for block in blocks:
            yield block
            all_of_it += len(block)
            got += len(block)
            if most is not None and all_of_it > most:
                raise words.cut_short(url, f"it sends more than the {most} bytes expected")
            if (took := time.monotonic() - began) > self.patience.slow_for:
                if got < took * self.patience.slowest:
                    raise Broken(words.cut_short(url, f"it sent only {got} bytes in {took:.0f} s"))
                began, got = time.monotonic(), 0

    def pause(self, attempt: int, trouble: Broken | None) -> None:
        """Wait before another attempt, longer each time, and as long as the server asks us to."""
        if attempt and trouble:
            self.sleep(max(self.patience.pause * attempt, min(trouble.wait, LONGEST_PAUSE)))

    @contextmanager
    def stream(
        self, method: str, url: str, headers: Mapping[str, str], proxies: bool = True
    ) -> Iterator[httpx.Response]:
        """An answer as it comes, redirects followed; Broken when the way there or the way back breaks."""
        import httpx

        _must_be_address(url)
        try:
            with self._client(url, proxies) as client, client.stream(method, url, headers=dict(headers)) as r:
                yield r
        except httpx.InvalidURL as e:
            raise words.bad_url(url, e) from e
        except httpx.HTTPError as e:
            raise Broken(words.unreachable(url, e)) from e

    def _client(self, url: str, proxies: bool) -> httpx.Client:
        import httpx

        limits = httpx.Timeout(self.patience.silence, connect=self.patience.connect)
        proxy = proxy_for(url, self.env) if proxies else ""
        trust = certificates(self.env.get("SSL_CERT_FILE", ""))
        try:
            urlsplit(proxy)
            return httpx.Client(
                follow_redirects=True, timeout=limits, trust_env=False, verify=trust, proxy=proxy or None
            )
        except (ValueError, ImportError, httpx.InvalidURL) as e:
            raise words.bad_proxy(proxy, e) from e


def read_file(url: str) -> Reply:
    """What a `file:` address leads to, as a server would answer."""
    path = path_of(url)
    try:
        return Reply(200, path.read_bytes())
    except FileNotFoundError:
        return Reply(404)
    except OSError as e:
        raise words.no_such_file(path) from e


def proxy_for(url: str, env: Mapping[str, str]) -> str:
    """The proxy that the environment names for a URL, "" for none (no_proxy is heeded)."""
    parts = urlsplit(url)
    if _goes_straight(parts.hostname or "", env.get("no_proxy") or env.get("NO_PROXY") or ""):
        return ""
    names = (f"{parts.scheme}_proxy", f"{parts.scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    proxy = next((env[name] for name in names if env.get(name)), "")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _must_be_address(url: str) -> None:
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError as e:
        raise words.bad_url(url, e) from e
    if not whole:
        raise words.bad_url(url, ValueError("it has no http(s):// or names no server"))


def _goes_straight(host: str, no_proxy: str) -> bool:
    names = [name.strip().lstrip("*.") for name in no_proxy.split(",")]
    return "*" in no_proxy.split(",") or any(n and (host == n or host.endswith(f".{n}")) for n in names)


@functools.cache
def certificates(path: str) -> ssl.SSLContext:
    """Whom we trust: the certificates in the file `path`, or the usual ones for ""."""
    import ssl

    import httpx

    try:
        return ssl.create_default_context(cafile=path) if path else httpx.create_ssl_context(trust_env=False)
    except OSError as e:
        raise words.bad_certificates(path, e) from e


def may_mend(url: str, r: httpx.Response) -> None:
    """A server in trouble may be asked again, when it says so not before the time it names."""
    if r.status_code >= 500 or r.status_code in (408, 429):
        wait = r.headers.get("retry-after", "")
        raise Broken(words.bad_status(url, r.status_code), float(wait) if wait.isdigit() else 0)


def path_of(url: str) -> Path:
    """The path that a `file:` address names."""
    return Path(unquote(urlsplit(url).path))
