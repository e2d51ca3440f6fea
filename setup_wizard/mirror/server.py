"""The mirror, served on this machine: files with ranges and ETags, and git over smart HTTP."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from functools import cache, partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

SILENCE = 60  # seconds after which a connection that says nothing is closed


@contextlib.contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Serve a mirror on 127.0.0.1, on a free port, while the context lasts; gives its URL."""
    server = _Server(("127.0.0.1", 0), partial(_Connection, folder.resolve()))
    thread = threading.Thread(target=partial(server.serve_forever, poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # connections that are only kept open must not hold us up
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client went away."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "hpc-jupyter-setup"
    disable_nagle_algorithm = True  # head and body go out as two writes
    timeout = SILENCE

    def __init__(self, folder: Path, *more: Any) -> None:
        self.folder = folder
        super().__init__(*more)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path.startswith("/git/"):
            self._git(unquote(url.path).removeprefix("/git"), url.query)
        else:
            self._file(unquote(url.path))

    do_HEAD = do_GET

    def do_POST(self) -> None:
        if self.path.startswith("/git/"):
            self.do_GET()
        else:
            self._refuse(HTTPStatus.METHOD_NOT_ALLOWED)

    # --- files ------------------------------------------------------------------------------------------

    def _file(self, path: str) -> None:
        target = inside(self.folder, path)
        if target is None:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        with target.open("rb") as f:
            tag = etag(os.fstat(f.fileno()))
            if tag in self.headers.get("If-None-Match", "").replace("*", tag):
                self._head(HTTPStatus.NOT_MODIFIED, {"ETag": tag})
            else:
                self._send(f, tag)

    def _send(self, f: BinaryIO, tag: str) -> None:
        """Send the file, or the range of it that was asked for."""
        size = os.fstat(f.fileno()).st_size
        as_asked = self.headers.get("If-Range", tag) == tag
        asked = span(self.headers.get("Range", ""), size) if as_asked else range(size)
        if asked is None:
            status, what = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, f"bytes */{size}"
            self._head(status, {"Content-Range": what, "Content-Length": "0"})
            return
        about = {"ETag": tag, "Accept-Ranges": "bytes", "Content-Length": str(len(asked))}
        if len(asked) < size:
            about["Content-Range"] = f"bytes {asked.start}-{asked.stop - 1}/{size}"
        status = HTTPStatus.PARTIAL_CONTENT if len(asked) < size else HTTPStatus.OK
        self._head(status, {**about, "Content-Type": "application/octet-stream"})
        if self.command == "GET" and asked:
            self.connection.sendfile(f, asked.start, len(asked))

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Cache-Control": "no-cache", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _refuse(self, status: HTTPStatus) -> None:
        self.close_connection = True  # a body that we did not read may follow
        self.send_error(status)

    # --- git --------------------------------------------------------------------------------------------

    def _git(self, path: str, query: str) -> None:
        """Hand the request to git's own program for it, and give its answer back."""
        backend = _git_core() / "git-http-backend"
        if ".." in path.split("/") or not backend.exists():
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        body = self._body()
        request = {
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        with subprocess.Popen(
            [backend],
            env={**_git_env(self.folder), **request},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as child:
            assert child.stdin
            assert child.stdout
            with contextlib.suppress(BrokenPipeError):
                child.stdin.write(body)
                child.stdin.close()
            self._pass_on(child.stdout)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while length := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(length)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _pass_on(self, answer: BinaryIO | Any) -> None:
        """Send what a CGI program answers: its own head, and a body of unknown length."""
        headers: dict[str, str] = {}
        while line := answer.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name] = value.strip()
        status = int(headers.pop("Status", "200").split()[0])
        self.close_connection = True
        self._head(status, {**headers, "Connection": "close"})
        if self.command != "HEAD":
            shutil.copyfileobj(answer, self.wfile)


# --- what was asked -------------------------------------------------------------------------------------


def inside(folder: Path, path: str) -> Path | None:
    """The file in `folder` that a URL path names; None for what is none, or lies outside."""
    if "\0" in path:
        return None
    target = (folder / path.lstrip("/")).resolve()
    return target if target.is_relative_to(folder) and target.is_file() else None


def etag(about: os.stat_result) -> str:
    """A strong tag: another one as soon as the file is another."""
    what = f"{about.st_ino} {about.st_size} {about.st_mtime_ns}"
    return f'"{hashlib.sha256(what.encode()).hexdigest()[:32]}"'


def span(asked: str, size: int) -> range | None:
    """The bytes that a Range header asks for, of a file of `size`; None when they are not there.

    All of them where it asks for none, or for more than one range.
    """
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", asked.strip())
    if not match or match[0] == "bytes=-":
        return range(size)
    first, last = match[1], match[2]
    if not first:
        wanted = range(max(0, size - int(last)), size)
    else:
        wanted = range(int(first), min(int(last or size), size - 1) + 1)
    return wanted or None


@cache
def _git_core() -> Path:
    """The folder of git's own programs; one that is not there when git is not."""
    try:
        return Path(
            subprocess.run(["git", "--exec-path"], capture_output=True, text=True).stdout.strip()
            or "/nowhere"
        )
    except FileNotFoundError:
        return Path("/nowhere")


def _git_env(folder: Path) -> dict[str, str]:
    """The environment of git's program: nobody's settings, reading only, whoever owns the mirror."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_PROJECT_ROOT": str(folder / "git"),
        "GIT_HTTP_EXPORT_ALL": "1",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }
