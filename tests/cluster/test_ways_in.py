"""The ways in on a real cluster: from a launch on the login node or the laptop to a cell that ran."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from setup_wizard.access import Ticket
from tests.cluster.cluster import CHECKOUT, Cluster
from tests.cluster.machine import until
from tests.cluster.secrets_search import where

pytestmark = pytest.mark.real
PROGRAM = [sys.executable, "-m", "setup_wizard"]
SITE = """
name: lab
title: The cluster of the tests
scheduler: slurm
login: [login]
access: [rps, tunnel]
rps: rps.test
ssh_to_compute: "{ssh}"
"""


class Lab:
    """The program on the cluster and on the laptop."""

    def __init__(self, cluster: Cluster, prefix: Path) -> None:
        self.cluster = cluster
        self.words = ["--site", "lab", "-e", str(prefix), "-p", "debug", "-t", "10"]
        self.env = {"PYTHONPATH": str(CHECKOUT), "SSL_CERT_FILE": str(cluster.rps.ca)}
        tool = "~/.local/bin/hpc-jupyter-setup"
        env = " ".join(f"{k}={v}" for k, v in self.env.items())
        run = f'#!/bin/sh\nexec env {env} {shlex.join(PROGRAM)} "$@"\n'
        cluster.login.sh(f"mkdir -p ~/.local/bin; printf %s {shlex.quote(run)} > {tool}; chmod +x {tool}")
        self.site(ssh="yes")

    def site(self, ssh: str) -> None:
        """Tell the program of the cluster."""
        folder = "~/.config/hpc-jupyter-setup/sites"
        self.cluster.login.sh(
            f"mkdir -p {folder}; printf %s {shlex.quote(SITE.format(ssh=ssh))} > {folder}/lab.yml"
        )

    def run(self, *words: str) -> Any:
        """What a command on the login node answers."""
        done = self.cluster.login.run([*PROGRAM, *words, "--json"], env=self.env)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def launch(self, *words: str) -> Any:
        """A session that is ready."""
        return self.run("launch", *self.words, *words)

    def ticket(self, session: str) -> Ticket:
        """The session's ticket."""
        import msgspec

        text = self.cluster.login.sh(f"cat ~/.local/state/hpc-jupyter-setup/sessions/{session}/ticket.json")
        return msgspec.json.decode(text, type=Ticket)

    def get(self, node: str, url: str) -> str:
        """What a node gets from a URL."""
        curl = ["curl", "-sS", "-m", "10", "--cacert", str(self.cluster.rps.ca), url]
        return self.cluster.node(node).run(curl).stdout


@pytest.fixture
def lab(cluster: Cluster, jupyter_prefix: Path) -> Lab:
    """The cluster as a site of the program's."""
    cluster.rps.set(period=1.0, lag=0.1)
    return Lab(cluster, jupyter_prefix)


def seen(lab: Lab, secret: str) -> list[str]:
    """Where others can read a secret; the proxy's own log, which only the proxy has, knows its names."""
    return [place for place in where(lab.cluster, secret) if place != "log/apache-access.log"]


def test_through_the_proxy(lab: Lab) -> None:
    """Slurm and RPS: the laptop gets Jupyter at the public address; the name is nowhere; nothing is left."""
    made = lab.launch()
    assert made["proof"]["answer"] == "42"
    ticket = lab.ticket(made["session"])
    assert made["url"].startswith(f"{ticket.origin}/lab?token=")
    assert '"version"' in lab.get("laptop", f"{ticket.origin}/api")
    token = made["url"].partition("token=")[2]
    assert seen(lab, ticket.name) == []
    assert seen(lab, token) == []
    lab.run("stop", made["session"])
    assert lab.cluster.rps.tokens() == {}


def test_a_mapping_that_another_destroys_is_replaced(lab: Lab) -> None:
    """Another user of the node destroys it: the session takes its spare name, and its address changes."""
    made = lab.launch()
    before = lab.ticket(made["session"])
    url = f"https://manage.rps.test/destroytoken.cgi?token={before.name}"
    assert "Success" in lab.get("c1", url)
    until(lambda: lab.ticket(made["session"]).name == before.spares[0], 90)
    until(lambda: '"version"' in lab.get("laptop", f"https://{before.spares[0]}.rps.test/api"), 30)
    until(lambda: before.spares[0] in lab.run("sessions")["sessions"][0]["url"], 60)
    lab.run("stop", made["session"])
    assert lab.cluster.rps.tokens() == {}


@pytest.mark.parametrize("ssh", ["yes", "no"])
def test_the_printed_command_opens_the_tunnel(lab: Lab, ssh: str) -> None:
    """Run on the laptop as it is printed, it leads to Jupyter on the node; through the job where ssh=no."""
    lab.site(ssh=ssh)
    if ssh == "no":
        lab.cluster.refuse_ssh("c1")
    made = lab.launch("--access", "tunnel")
    base = made["url"].partition("lab?")[0]
    tunnel = lab.cluster.laptop.spawn(shlex.split(made["command"]), stdin=subprocess.PIPE)
    try:
        until(lambda: '"version"' in lab.get("laptop", f"{base}api"), 30)
    finally:
        tunnel.terminate()
        tunnel.wait()
    lab.run("stop", made["session"])


@pytest.mark.parametrize("refused", [False, True])
def test_connect_from_the_laptop(lab: Lab, refused: bool) -> None:
    """One command on the laptop: launched, reached, proven; back after a cut; it ends with the job."""
    if refused:
        lab.cluster.refuse_ssh("c1")
    argv = [*PROGRAM, "connect", "login", "--json", "--no-browser", *lab.words]
    laptop = lab.cluster.laptop
    child = laptop.spawn(argv, env={"PYTHONPATH": str(CHECKOUT)}, stdout=subprocess.PIPE)
    with child:
        try:
            assert child.stdout
            text = ""
            while not text.rstrip().endswith("\n}"):
                line = child.stdout.readline()
                assert line, text
                text += line
            made = json.loads(text)
            assert made["proof"]["answer"] == "42"
            base = made["url"].partition("lab?")[0]
            assert '"version"' in lab.get("laptop", f"{base}api")
            lab.cluster.login.kill_all("sshd")
            until(lambda: lab.get("laptop", f"{base}api") == "", 30)
            lab.cluster.start_sshd("login")
            until(lambda: '"version"' in lab.get("laptop", f"{base}api"), 10)
            token = made["url"].partition("token=")[2]
            assert seen(lab, token) == []
            lab.run("stop", made["session"])
            assert child.wait(60) == 0
        finally:
            child.send_signal(signal.SIGTERM)
    until(lambda: not laptop.run(["pgrep", "-a", "ssh"]).stdout, 10)
