"""A job of the real cluster that unpacks its environment on the node's own disk."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import images
from tests.cluster.cluster import CHECKOUT, Cluster
from tests.cluster.machine import until
from tests.session_parts import packed_lab

pytestmark = pytest.mark.real
WORDS = ("-p", "debug", "-t", "10", "--access", "tunnel")


def call(cluster: Cluster, *words: str) -> dict[str, Any]:
    """What a command on the login node answers."""
    argv = [sys.executable, "-m", "setup_wizard", *words, "--json"]
    done = cluster.login.run(argv, env={"PYTHONPATH": str(CHECKOUT)}, timeout=240)
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


def launched(cluster: Cluster, file: Path) -> dict[str, Any]:
    """A session from that packed environment, which lies nowhere where a node could see it."""
    shared = cluster.home / file.name
    shutil.copyfile(file, shared)
    shared.chmod(0o644)
    home = cluster.login.sh("echo ~").strip()
    made = call(cluster, "launch", "--from-pack", f"{home}/{file.name}", *WORDS)
    assert made["ok"], made
    return made


@pytest.fixture
def closed(cluster: Cluster) -> Iterator[Path]:
    """A folder that the nodes see, and nobody else may enter."""
    folder = cluster.base / "closed"
    folder.mkdir(0o700)
    yield folder
    shutil.rmtree(folder)


def test_it_runs_from_the_disk_of_the_node(cluster: Cluster, tmp_path: Path) -> None:
    """The environment is on no shared disk at all; a cell runs in the copy, and the stop takes it away."""
    _, file = packed_lab(tmp_path)
    made = launched(cluster, file)
    copy = made["proof"]["kernel_prefix"]
    assert copy.startswith("/tmp/hjs-")
    assert cluster.node("c1").sh(f"ls -d {copy}/bin/python").strip() == f"{copy}/bin/python"
    assert not Path(copy).exists()  # it is the node's, and nobody else's
    call(cluster, "stop", made["session"])
    assert cluster.node("c1").sh(f"ls -d {copy} 2>/dev/null || true") == ""


@images.needs_mksquashfs
def test_it_runs_from_an_image(cluster: Cluster, closed: Path) -> None:
    """Mounted by the user alone where FUSE is to be had, else taken out; a cell runs; the stop clears it.

    It is somebody else's, in a folder that is closed to the user.
    """
    _, file = packed_lab(closed, "squashfs")
    node = cluster.node("c1")
    made = launched(cluster, file)
    try_it = f"mkdir /tmp/try && squashfuse ~/{file.name} /tmp/try && fusermount3 -u /tmp/try"
    fuse = node.run(["sh", "-c", try_it]).returncode == 0
    nook = Path(made["proof"]["kernel_prefix"]).parent
    assert nook.match("/tmp/hjs-*")
    assert (f" {nook}/image fuse" in node.sh("cat /proc/mounts")) == fuse
    assert made.get("warning", "") == ""
    call(cluster, "stop", made["session"])
    assert node.sh(f"ls -d {nook} 2>/dev/null || true") == ""
    assert str(nook) not in node.sh("cat /proc/mounts")
    until(lambda: node.run(["pgrep", "-f", f"squashfuse.*{nook}"]).returncode == 1)
