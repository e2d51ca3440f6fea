"""Consent to what others can read, asked on terminals of the real cluster: no by default, yes for real."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pexpect
import pytest

from tests.cluster.cluster import CHECKOUT
from tests.cluster.lab import PROGRAM, Lab
from tests.cluster.nodes import Node

pytestmark = pytest.mark.real


def typed(node: Node, words: Sequence[str]) -> Any:
    """The program on a terminal of that node."""
    first, *rest = node.argv([*PROGRAM, *words])
    env = node.env({"PYTHONPATH": str(CHECKOUT), "TERM": "dumb"})
    return pexpect.spawn(first, rest, env=env, encoding="utf-8", timeout=90, dimensions=(40, 200))


def code(terminal: Any) -> int:
    """How it ended."""
    terminal.expect(pexpect.EOF)
    terminal.close()
    return int(terminal.exitstatus)


def test_plain_http_is_asked_for_at_a_terminal(lab: Lab) -> None:
    """Enter submits nothing, though the flag is not typed; with a yes a cell runs at the node's address."""
    words = ["launch", *lab.words, "--access", "direct"]
    terminal = typed(lab.cluster.login, words)
    terminal.expect("can read the token")
    terminal.expect("Enter takes n")
    terminal.sendline("")
    terminal.expect("nothing was submitted")
    assert code(terminal) == 9
    assert lab.run("sessions")["sessions"] == []
    assert not lab.cluster.login.sh("squeue -h").strip()
    terminal = typed(lab.cluster.login, words)
    terminal.expect("Enter takes n")
    terminal.sendline("y")
    terminal.expect(r"http://10\.77\.0\.11:\d+/lab.token=")
    assert code(terminal) == 0
    (row,) = lab.run("sessions")["sessions"]
    lab.know(row["id"], row["url"])


def test_the_last_way_of_a_tunnel_is_asked_for(lab: Lab) -> None:
    """Neither ssh nor steps: Enter leaves no job behind, yes leads over the network, and it says so again."""
    lab.cluster.refuse_ssh("c1")
    words = ["connect", "login", "--no-browser", *lab.words, "--scheduler", "torque"]
    terminal = typed(lab.cluster.laptop, words)
    terminal.expect("can read along")
    terminal.expect("Enter takes n")
    terminal.sendline("")
    terminal.expect("the session was stopped")
    assert code(terminal) == 9
    assert [row["state"] for row in lab.run("sessions")["sessions"]] == ["ended"]
    terminal = typed(lab.cluster.laptop, words)
    terminal.expect("Enter takes n")
    terminal.sendline("y")
    terminal.expect("plain HTTP over the cluster's network")
    (row,) = [row for row in lab.run("sessions")["sessions"] if row["state"] == "ready"]
    assert lab.ticket(row["id"]).nodes == "address"
    lab.run("stop", row["id"])
    assert code(terminal) == 0


def test_without_a_terminal_the_last_way_is_refused(lab: Lab) -> None:
    """Nobody can be asked: the flag is named, and no job is left."""
    lab.cluster.refuse_ssh("c1")
    words = ["connect", "login", "--no-browser", *lab.words, "--scheduler", "torque"]
    done = lab.cluster.laptop.run([*PROGRAM, *words], env={"PYTHONPATH": str(CHECKOUT)}, timeout=120)
    assert done.returncode == 3
    assert "--i-understand-http-is-readable" in done.stderr
    assert [row["state"] for row in lab.run("sessions")["sessions"]] == ["ended"]
