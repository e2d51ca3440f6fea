"""Environments built by a batch job on the real cluster, and followed from the login node."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from setup_wizard.mirror.tiny import stub
from tests.channels import channel
from tests.cluster.cluster import CHECKOUT, Cluster

pytestmark = pytest.mark.real
WHERE = b"#!/bin/sh\nuname -n > $PREFIX/where\n"
PROGRAM = [sys.executable, "-m", "setup_wizard", "env"]


def env(cluster: Cluster, *words: str) -> dict[str, Any]:
    """What a command of `env` on the login node answers."""
    argv = [*PROGRAM, *words, "--yes", "--json"]
    more = {"PYTHONPATH": str(CHECKOUT), "CONDA_OVERRIDE_CUDA": "12"}
    done = cluster.login.run(argv, env=more, timeout=120)
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


def test_a_job_builds_and_changes_an_environment(cluster: Cluster, tmp_path: Path) -> None:
    """Made and changed on a node, told on the login node, errors with their words; no folder stays."""
    folder = cluster.home / "channel"
    a = stub("a", files={"share/a": b"x", "bin/.a-post-link.sh": WHERE}, noarch="generic")
    b = stub("b", files={"share/b": b"x"}, depends=["__cuda >=12"], noarch="generic")
    channel(tmp_path / "channel", [a, b])
    shutil.copytree(tmp_path / "channel", folder)
    cluster.login.sh('printf "channels: [file://$HOME/channel]\\ndependencies: [a]\\n" > ~/work.yml')
    job = ("--as-job", "--partition", "debug", "--time-limit", "7", "--memory", "200M")
    made = env(cluster, "create", cluster.login.sh("echo ~/work.yml").strip(), *job)
    assert made["ok"], made
    assert any("environment work" in title for title in made["changed"])
    assert cluster.login.sh("cat ~/.conda/envs/work/where").strip() == "c1"
    changed = env(cluster, "install", "work", "b", *job)
    assert changed["difference"]["added"] == ["b 1.0"]
    assert cluster.login.sh("ls ~/.conda/envs/work/share").split() == ["a", "b"]
    assert "dependencies: [a, b]" in cluster.login.sh("cat ~/work.yml")
    refused = env(cluster, "install", "work", "c", *job)
    assert refused["error"]["code"] == 5
    wrong = env(cluster, "update", "work", "--as-job", "--partition", "nosuch")
    assert not wrong.get("changed")
    assert cluster.login.sh("ls ~/.local/state/hpc-jupyter-setup/batch 2>/dev/null || true").split() == []
