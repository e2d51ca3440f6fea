"""What only the user's own machine has: a browser, ports that somebody may hold."""

from __future__ import annotations

import contextlib
import html
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from setup_wizard.world.downloads import make_private

REFRESH = '<!DOCTYPE html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={url}">\n'


def free_port(wanted: int) -> int:
    """That port of the loopback when nobody holds it, else one that is free."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError, OverflowError), socket.socket() as s:
            s.bind(("127.0.0.1", port))
            return int(s.getsockname()[1])
    return wanted


def browse(url: str, folder: Path) -> bool:
    """Show a URL in the user's browser; False when there is none.

    No command line shows the URL: it is in a page in `folder` that only the user can read.
    """
    import webbrowser

    with contextlib.suppress(Exception):
        make_private(folder)
        fd, name = tempfile.mkstemp(prefix="open-", suffix=".html", dir=folder)
        with os.fdopen(fd, "w") as page:
            page.write(REFRESH.format(url=html.escape(url, quote=True)))
        return webbrowser.open(Path(name).as_uri())
    return False


@contextlib.contextmanager
def notice(port: int, text: str) -> Iterator[None]:
    """While the block runs, who asks that port of the loopback hears the text, and is to ask again soon.

    Where somebody holds the port already, nothing is said.
    """
    import http.server
    import threading

    class Says(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = text.encode()
            self.send_response(503)
            for name, value in (("Retry-After", "1"), ("Refresh", "1"), ("Content-Length", str(len(body)))):
                self.send_header(name, value)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Nobody reads it."""

    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Says)
    except OSError:
        yield
        return
    server.daemon_threads = True
    with server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield
        finally:
            server.shutdown()
