"""Chromium on a node of the cluster: it resolves the cluster's names and trusts the service's certificate."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.cluster import Cluster
from tests.cluster.machine import program


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
