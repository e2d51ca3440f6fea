"""A job of the real cluster that unpacks its environment on the node's own disk."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import CHECKOUT, Cluster
from tests.session_parts import packed_lab

pytestmark = pytest.mark.real


def test_it_runs_from_the_disk_of_the_node(cluster: Cluster, tmp_path: Path) -> None:
    """The environment is on no shared disk at all; a cell runs in the copy, and the stop takes it away."""
    _, file = packed_lab(tmp_path)
    shutil.copyfile(file, shared := cluster.home / "lab.tar.zst")
    shared.chmod(0o644)

    def call(*words: str) -> dict[str, Any]:
        argv = [sys.executable, "-m", "setup_wizard", *words, "--json"]
        done = cluster.login.run(argv, env={"PYTHONPATH": str(CHECKOUT)}, timeout=240)
        assert done.stdout, done.stderr
        return dict(json.loads(done.stdout))

    home = cluster.login.sh("echo ~").strip()
    words = ("-p", "debug", "-t", "10", "--access", "tunnel")
    made = call("launch", "--from-pack", f"{home}/lab.tar.zst", *words)
    assert made["ok"], made
    copy = made["proof"]["kernel_prefix"]
    assert copy.startswith("/tmp/hjs-")
    assert cluster.node("c1").sh(f"ls -d {copy}/bin/python").strip() == f"{copy}/bin/python"
    assert not Path(copy).exists()  # it is the node's, and nobody else's
    call("stop", made["session"])
    assert cluster.node("c1").sh(f"ls -d {copy} 2>/dev/null || true") == ""
