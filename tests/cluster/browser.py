"""Chromium on a node of the cluster: it resolves the cluster's names and trusts the service's certificate."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.cluster import Cluster
from tests.cluster.machine import line_of, program, until

DEVTOOLS = Path(__file__).with_name("devtools.py")
PORT = "9222"  # on the loopback of its node
SHIFT = 8


def installed() -> bool:
    """Whether there is one; apt-get install chromium."""
    return bool(program("chromium"))


@contextmanager
def visit(cluster: Cluster, url: str, *options: str, node: str = "laptop") -> Iterator[subprocess.Popen[str]]:
    """Open a page, headless, in a profile of its own, with the sandbox on; close the browser at the end.

    A page tells what it found by calling a server of the test; with --remote-debugging-port it can be driven.
    """
    where = cluster.node(node)
    profile = where.sh("mktemp -d").strip()
    trust = f"--ignore-certificate-errors-spki-list={cluster.rps.spki}"
    quiet = ["--headless", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
    argv = ["chromium", *quiet, f"--user-data-dir={profile}", trust, *options, url]
    browser = where.spawn(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield browser
    finally:
        browser.terminate()
        browser.wait()
        where.kill_all("chromium")
        where.sh(f"rm -rf {profile}")


@contextmanager
def pages(cluster: Cluster) -> Iterator[Callable[[str], Page]]:
    """A browser on the laptop, and how to open pages in it that can be used as a person would."""
    with visit(cluster, "about:blank", f"--remote-debugging-port={PORT}", "--window-size=1200,900"):
        leads = []

        def new(url: str) -> Page:
            argv, pipe = [sys.executable, DEVTOOLS, PORT], subprocess.PIPE
            leads.append(cluster.laptop.spawn(argv, stdin=pipe, stdout=pipe))
            return Page(leads[-1], url)

        try:
            yield new
        finally:
            for lead in leads:
                lead.terminate()
                lead.communicate()


class Page:
    """A page in a browser."""

    def __init__(self, lead: subprocess.Popen[str], url: str) -> None:
        self.lead = lead
        self._tell(url)

    def _tell(self, line: str) -> None:
        assert self.lead.stdin
        self.lead.stdin.write(f"{line}\n")
        self.lead.stdin.flush()

    def call(self, method: str, **params: Any) -> Any:
        """A call of the DevTools protocol."""
        self._tell(json.dumps({"method": method, "params": params}))
        said = json.loads(line_of(self.lead))
        assert "result" in said, said
        return said["result"]

    def see(self, script: str) -> Any:
        """The value of an expression of the page, awaited where it is a promise; None when it throws."""
        said = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        return None if "exceptionDetails" in said else said["result"].get("value")

    def until(self, script: str, seconds: float = 60) -> None:
        """Wait until an expression of the page is true."""
        until(lambda: bool(self.see(script)), seconds)

    def click(self, css: str) -> None:
        """Click into the middle of the first thing of that kind."""
        box = f"document.querySelector({css!r}).getBoundingClientRect()"
        x, y = self.see(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({box})")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def type(self, text: str) -> None:
        """Type where the cursor is."""
        self.call("Input.insertText", text=text)

    def shift_enter(self) -> None:
        """Press Shift and Enter."""
        key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "modifiers": SHIFT}
        self.call("Input.dispatchKeyEvent", type="keyDown", text="\r", **key)
        self.call("Input.dispatchKeyEvent", type="keyUp", **key)

    def frames(self) -> list[dict[str, Any]]:
        """The frames inside the page; one that may not be shown has an `unreachableUrl`."""
        tree = self.call("Page.getFrameTree")["frameTree"]
        return [child["frame"] for child in tree.get("childFrames", [])]
