"""The web: fetch what is small, download what is large and whose hash is known."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from setup_wizard.errors import NetworkTrouble
from setup_wizard.world import words
from setup_wizard.world.data import Patience, Progress, Reply, Report

if TYPE_CHECKING:
    import httpx

MOST = 64 << 20  # bytes: nothing that is fetched whole into memory is larger
A_LOT = 1 << 20  # bytes: an attempt that brought so much was worth it, and does not count
LONGEST_PAUSE = 30.0  # seconds, however long a server asks us to wait


class _Broken(Exception):
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
            self._pause(attempt, trouble)
            try:
                with self._stream(method, url, headers, proxies) as r:
                    _may_mend(url, r)
                    body = b"".join(self._paced(url, r.iter_bytes(), MOST))
                    return Reply(
                        r.status_code, body, {k.lower(): v for k, v in r.headers.items()}, str(r.url)
                    )
            except _Broken as e:
                trouble = e
        assert trouble
        raise trouble.trouble

    def download(self, wanted: Wanted, report: Report) -> None:
        """Bring `wanted.part` to its full length and right hash; an attempt goes on where the last ended."""
        attempt, trouble = 0, None
        while attempt < self.patience.tries:
            self._pause(attempt, trouble)
            have = wanted.have
            try:
                self._go_on(wanted, report)
                return wanted.verify(resumed=have > 0)
            except _Broken as e:
                trouble = e
            attempt = 1 if wanted.have - have > A_LOT else attempt + 1
        assert trouble
        raise trouble.trouble

    def _go_on(self, wanted: Wanted, report: Report) -> None:
        have = wanted.have
        if have and have == wanted.size:
            return
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        with self._stream("GET", wanted.url, headers) as r:
            _may_mend(wanted.url, r)
            if r.status_code == 416 or (r.status_code == 206 and not _goes_on_at(r, have)):
                wanted.part.unlink()
                raise _Broken(words.cut_short(wanted.url, "it could not be resumed"))
            if r.status_code >= 400:
                raise words.bad_status(wanted.url, r.status_code)
            if _is_page(r):
                raise words.web_page(wanted.url)
            self._save(wanted, r, have if r.status_code == 206 else 0, report)

    def _save(self, wanted: Wanted, r: httpx.Response, have: int, report: Report) -> None:
        total = wanted.size or have + int(r.headers.get("content-length") or 0)
        with wanted.part.open("ab" if have else "wb") as f:
            for block in self._paced(wanted.url, r.iter_raw(), total - have if total else None):
                f.write(block)
                have += len(block)
                report(Progress(wanted.path.name, have, total, "B"))
        if have < total:
            wanted.refuse_page()
            raise _Broken(words.cut_short(wanted.url, f"it ended after {have} of {total} bytes"))

    def _paced(self, url: str, blocks: Iterable[bytes], most: int | None) -> Iterator[bytes]:
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
                    raise _Broken(words.cut_short(url, f"it sent only {got} bytes in {took:.0f} s"))
                began, got = time.monotonic(), 0

    def _pause(self, attempt: int, trouble: _Broken | None) -> None:
        if attempt and trouble:
            self.sleep(max(self.patience.pause * attempt, min(trouble.wait, LONGEST_PAUSE)))

    @contextmanager
    def _stream(
        self, method: str, url: str, headers: Mapping[str, str], proxies: bool = True
    ) -> Iterator[httpx.Response]:
        import httpx

        _must_be_address(url)
        try:
            with self._client(url, proxies) as client, client.stream(method, url, headers=dict(headers)) as r:
                yield r
        except httpx.InvalidURL as e:
            raise words.bad_url(url, e) from e
        except httpx.HTTPError as e:
            raise _Broken(words.unreachable(url, e)) from e

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


@dataclass(frozen=True)
class Wanted:
    """A file to download: where from and to, its SHA-256, and its size in bytes (0: unknown)."""

    url: str
    path: Path
    sha256: str
    size: int = 0

    @property
    def part(self) -> Path:
        """Where it grows until it is whole."""
        return self.path.with_name(self.path.name + ".part")

    @property
    def have(self) -> int:
        """The bytes that are there already."""
        return self.part.stat().st_size if self.part.exists() else 0

    def verify(self, resumed: bool) -> None:
        """Nothing when the hash is right; else the part goes, and only a mended one is fetched once more."""
        got = sha256_of(self.part)
        if got == self.sha256:
            return
        self.refuse_page()
        self.part.unlink()
        trouble = words.wrong_bytes(self.url, self.sha256, got)
        raise _Broken(trouble) if resumed else trouble

    def refuse_page(self) -> None:
        """Whatever the server called it: a page for people is not the file, nor the beginning of it."""
        with self.part.open("rb") as f:
            start = f.read(200).lstrip().lower()
        if start.startswith((b"<!doctype html", b"<html")):
            self.part.unlink()
            raise words.web_page(self.url)


def download(web: Web, wanted: Wanted, report: Report) -> Path:
    """Have the file under its final name, with the right hash, or nothing there at all."""
    if not wanted.sha256:
        raise words.no_hash(wanted.url)
    try:
        if wanted.path.exists():
            if sha256_of(wanted.path) == wanted.sha256:
                return wanted.path
            wanted.path.unlink()
        make_private(wanted.path.parent)
        if wanted.url.startswith("file:"):
            _copy(wanted)
        else:
            web.download(wanted, report)
        os.replace(wanted.part, wanted.path)
    except OSError as e:
        raise words.cannot_save(wanted.path, e) from e
    return wanted.path


def read_file(url: str) -> Reply:
    """What a `file:` address leads to, as a server would answer."""
    path = _path_of(url)
    try:
        return Reply(200, path.read_bytes())
    except FileNotFoundError:
        return Reply(404)
    except OSError as e:
        raise words.no_such_file(path) from e


def make_private(folder: Path) -> None:
    """Make a folder and what is missing above it, for its owner only (0700)."""
    if not folder.exists():
        make_private(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in lower-case hex."""
    digest = hashlib.sha256()
    with path.open("rb") as f:
        while block := f.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


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
    import httpx

    try:
        return ssl.create_default_context(cafile=path) if path else httpx.create_ssl_context(trust_env=False)
    except OSError as e:
        raise words.bad_certificates(path, e) from e


def _may_mend(url: str, r: httpx.Response) -> None:
    """A server in trouble may be asked again, when it says so not before the time it names."""
    if r.status_code >= 500 or r.status_code in (408, 429):
        wait = r.headers.get("retry-after", "")
        raise _Broken(words.bad_status(url, r.status_code), float(wait) if wait.isdigit() else 0)


def _goes_on_at(r: httpx.Response, have: int) -> bool:
    said: str = r.headers.get("content-range", "")
    return said.startswith(f"bytes {have}-")


def _is_page(r: httpx.Response) -> bool:
    return r.status_code == 200 and str(r.headers.get("content-type", "")).startswith("text/html")


def _path_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


def _copy(wanted: Wanted) -> None:
    source = _path_of(wanted.url)
    if not os.access(source, os.R_OK):
        raise words.no_such_file(source)
    shutil.copyfile(source, wanted.part)
    wanted.verify(resumed=False)
