"""`connect` on the laptop of the cluster: a pulled cable, Ctrl-C on a terminal, a password, the last way."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pexpect
import pytest

from tests.cluster.cluster import CHECKOUT
from tests.cluster.lab import PROGRAM, Lab
from tests.cluster.machine import hear_ctrl_c, until

pytestmark = pytest.mark.real


@contextlib.contextmanager
def connected(lab: Lab, *words: str) -> Iterator[Any]:
    """`connect` on the laptop, and what it says when all is ready."""
    argv = [*PROGRAM, "connect", "login", "--json", "--no-browser", *lab.words, *words]
    env = {"PYTHONPATH": str(CHECKOUT)}
    with lab.cluster.laptop.spawn(argv, env=env, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout
            text = ""
            while not text.rstrip().endswith("\n}"):
                line = child.stdout.readline()
                assert line, text
                text += line
            yield json.loads(text)
        finally:
            child.send_signal(signal.SIGTERM)


@pytest.mark.parametrize("refused", [False, True])
def test_the_cable_is_pulled(lab: Lab, refused: bool) -> None:
    """Meanwhile the same port says what is going on; with the network the tunnel is back."""
    if refused:
        lab.cluster.refuse_ssh("c1")
    with connected(lab) as made:
        base = made["url"].partition("lab?")[0]
        lab.cluster.laptop.unplug()
        until(lambda: "is away" in lab.get("laptop", base), 30)
        lab.cluster.laptop.plug()
        until(lambda: '"version"' in lab.get("laptop", f"{base}api"), 20)
        assert [s["id"] for s in lab.run("sessions")["sessions"]] == [made["session"]]
        lab.run("stop", made["session"])


def test_over_the_network_of_the_cluster_with_consent(lab: Lab) -> None:
    """Jupyter listens on the node's address, and the tunnel ends at the login node."""
    lab.cluster.refuse_ssh("c1")
    with connected(lab, "--i-understand-http-is-readable") as made:
        assert made["proof"]["answer"] == "42"
        assert lab.ticket(made["session"]).nodes == "address"
        lab.run("stop", made["session"])


def typed(program: str, words: list[str], env: dict[str, str]) -> pexpect.spawn[str]:
    """A program on a terminal of its own."""
    return pexpect.spawn(program, words, env=env, encoding="utf-8", timeout=60, preexec_fn=hear_ctrl_c)


@pytest.mark.parametrize("answer", ["leave", "again", "stop"])
def test_ctrl_c_asks_leave_or_stop(lab: Lab, answer: str) -> None:
    """On a terminal: left, the session goes on; stopped, its job is gone; a second Ctrl-C leaves."""
    laptop = lab.cluster.laptop
    first, *rest = laptop.argv([*PROGRAM, "connect", "login", "--no-browser", *lab.words])
    env = laptop.env({"PYTHONPATH": str(CHECKOUT), "TERM": "dumb"})
    terminal = typed(first, rest, env)
    terminal.expect("lab.token=")
    terminal.expect("The tunnel goes")
    terminal.sendintr()
    terminal.expect("Which one")
    if answer == "again":
        terminal.sendintr()
    else:
        terminal.sendline("l" if answer == "leave" else "s")
    terminal.expect("was stopped" if answer == "stop" else "goes on")
    terminal.expect(pexpect.EOF)
    terminal.close()
    ready = [s["state"] for s in lab.run("sessions")["sessions"]]
    assert ("ready" in ready) == (answer != "stop")
    assert bool(lab.cluster.login.sh("squeue -h").strip()) == (answer != "stop")
    assert not laptop.run(["pgrep", "-a", "ssh"]).stdout
    lab.run("stop", "--all")


PASSWORD = ("PasswordAuthentication=yes", "PubkeyAuthentication=no")
SECOND_FACTOR = (
    "UsePAM=yes",
    "KbdInteractiveAuthentication=yes",
    "AuthenticationMethods=publickey,keyboard-interactive:pam",
)


@pytest.mark.parametrize(
    ("how", "asks"), [("password", PASSWORD), ("keyboard-interactive/pam", SECOND_FACTOR)]
)
def test_what_ssh_asks_for_is_asked_once(lab: Lab, how: str, asks: tuple[str, ...]) -> None:
    """ssh asks on the terminal; all goes over the one connection, which outlasts a short cut."""
    if asks is SECOND_FACTOR and os.getuid() != 0:
        pytest.skip("PAM wants root")
    cluster, laptop = lab.cluster, lab.cluster.laptop
    passwd = cluster.base / "etc/passwd"
    before = passwd.read_text()
    made = laptop.sh("openssl passwd -6 correct-horse").strip()
    log = cluster.base / "log/sshd-login.log"
    cluster.ssh_with("login", *(f"-o{option}" for option in asks))
    cluster.refuse_ssh("c1")
    try:
        passwd.write_text(before.replace("alice:*:", f"alice:{made}:"))
        known = len(log.read_text())
        first, *rest = laptop.argv([*PROGRAM, "connect", "login", "--no-browser", *lab.words])
        env = laptop.env({"PYTHONPATH": str(CHECKOUT), "TERM": "dumb"})
        terminal = typed(first, rest, env)
        terminal.expect("[Pp]assword:")
        terminal.sendline("correct-horse")
        terminal.expect(r"(http://127\.0\.0\.1:\d+/)lab.token=")
        base = terminal.match[1]
        terminal.expect("The tunnel goes")
        laptop.unplug()
        until(lambda: "is away" in lab.get("laptop", base), 30)
        laptop.plug()
        until(lambda: '"version"' in lab.get("laptop", f"{base}api"), 20)
        terminal.sendintr()
        terminal.expect("Which one")
        terminal.sendline("s")
        terminal.expect(pexpect.EOF)
        terminal.close()
        assert re.findall("Accepted (.*) for", log.read_text()[known:]) == [how]
        assert "Failed " not in log.read_text()[known:]
    finally:
        passwd.write_text(before)
        cluster.ssh_with("login")


def test_ctrl_c_while_it_is_launched_asks_when_it_is_known_what(lab: Lab) -> None:
    """The far side is at work: what comes of it is waited for, and no job is left that nobody knows of."""
    cluster = lab.cluster
    sbatch = cluster.login.sh("command -v sbatch").strip()
    slow = f'#!/bin/sh\ntouch ~/asked\nuntil [ -e ~/go ]; do sleep 0.05; done\nexec {sbatch} "$@"\n'
    cluster.login.sh("mkdir ~/slow; cat > ~/slow/sbatch; chmod +x ~/slow/sbatch", input=slow)
    cluster.login.sh("sed -i 's,exec env,& PATH=$HOME/slow:$PATH,' ~/.local/bin/hpc-jupyter-setup")
    first, *rest = cluster.laptop.argv([*PROGRAM, "connect", "login", "--no-browser", *lab.words])
    terminal = typed(first, rest, cluster.laptop.env({"PYTHONPATH": str(CHECKOUT), "TERM": "dumb"}))
    until((cluster.home / "asked").exists)
    terminal.sendintr()
    terminal.expect("launching it right now")
    cluster.login.sh("touch ~/go")
    terminal.expect("Which one")
    terminal.sendline("s")
    terminal.expect("was stopped")
    terminal.expect(pexpect.EOF)
    assert not cluster.login.sh("squeue -h").strip()
