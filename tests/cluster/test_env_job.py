"""Environments built by a batch job on the real cluster, and followed from the login node."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from setup_wizard.errors import MachineBlocks
from setup_wizard.mirror.tiny import stub
from tests.channels import channel
from tests.cluster.cluster import CHECKOUT, Cluster
from tests.cluster.machine import hear_ctrl_c, until

pytestmark = pytest.mark.real
WHERE = b"#!/bin/sh\nuname -n > $PREFIX/where\n"
HELD = b"#!/bin/sh\ntouch $PREFIX/held\nexec sleep 600\n"
PROGRAM = [sys.executable, "-m", "setup_wizard", "env"]


def env(cluster: Cluster, *words: str, told: str = "") -> dict[str, Any]:
    """What a command of `env` on the login node answers; `told` is what it says of its progress meanwhile."""
    argv = [*PROGRAM, *words, "--yes", "--json"]
    more = {"PYTHONPATH": str(CHECKOUT), "CONDA_OVERRIDE_CUDA": "12"}
    done = cluster.login.run(argv, env=more, timeout=120)
    assert done.stdout, done.stderr
    assert told in done.stderr
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
    made = env(
        cluster,
        "create",
        cluster.login.sh("echo ~/work.yml").strip(),
        *job,
        told="✔ Make the environment work",
    )
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


def test_ctrl_c_can_end_the_job(cluster: Cluster, tmp_path: Path) -> None:
    """Asked whether to leave it there, «n» cancels it with all that it has started, and its folder goes."""
    terminal = followed(cluster, tmp_path)
    terminal.sendintr()
    terminal.expect(r"Leave it there\?")
    terminal.expect("Enter takes y")
    terminal.sendline("n")
    terminal.expect(r"Job \d+ was ended")
    assert code(terminal) == 130
    until(lambda: not cluster.login.sh("squeue -h").strip())
    until(lambda: not cluster.node("c1").sh("pgrep -u alice -f '[a]s_job|[s]leep 600' || true"))
    assert cluster.login.sh("ls ~/.local/state/hpc-jupyter-setup/batch").split() == []


def test_a_job_that_somebody_else_ends_is_told(cluster: Cluster, tmp_path: Path) -> None:
    """That it ended before its work was done, and where its log is, which stays."""
    terminal = followed(cluster, tmp_path)
    cluster.login.sh("scancel -u alice")
    terminal.expect("ended before its work was done")
    terminal.expect(r"batch/(\w+)/job\.log")
    log = f"~/.local/state/hpc-jupyter-setup/batch/{terminal.match[1]}/job.log"
    assert code(terminal) == MachineBlocks.code
    assert "CANCELLED" in cluster.login.sh(f"cat {log}")


def followed(cluster: Cluster, folder: Path) -> Any:
    """`env create` on a terminal of the login node, whose job is at work and does not end by itself."""
    channel(folder / "channel", [stub("a", files={"bin/.a-post-link.sh": HELD}, noarch="generic")])
    shutil.copytree(folder / "channel", cluster.home / "channel")
    cluster.login.sh('printf "channels: [file://$HOME/channel]\\ndependencies: [a]\\n" > ~/work.yml')
    words = [
        "create",
        cluster.login.sh("echo ~/work.yml").strip(),
        "--yes",
        "--as-job",
        "--partition",
        "debug",
    ]
    held = "ls ~/.conda/envs/work/held 2>/dev/null || true"
    first, *rest = cluster.login.argv([*PROGRAM, *words])
    more = cluster.login.env({"PYTHONPATH": str(CHECKOUT), "TERM": "dumb"})
    terminal = pexpect.spawn(
        first, rest, env=more, encoding="utf-8", timeout=60, dimensions=(40, 200), preexec_fn=hear_ctrl_c
    )
    until(lambda: cluster.login.sh(held))
    return terminal


def code(terminal: Any) -> int:
    """How it ended."""
    terminal.expect(pexpect.EOF)
    terminal.close()
    return int(terminal.exitstatus)
