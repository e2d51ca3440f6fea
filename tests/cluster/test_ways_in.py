"""The ways in on a real cluster: from a launch on the login node or the laptop to a cell that ran."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess

import pytest

from tests.cluster.cluster import CHECKOUT
from tests.cluster.lab import PROGRAM, Lab
from tests.cluster.machine import until

pytestmark = pytest.mark.real


def test_through_the_proxy(lab: Lab) -> None:
    """Slurm and RPS: the laptop gets Jupyter at the public address; the name is nowhere; nothing is left."""
    made = lab.launch()
    assert made["proof"]["answer"] == "42"
    ticket = lab.ticket(made["session"])
    assert made["url"].startswith(f"{ticket.origin}/lab?token=")
    assert '"version"' in lab.get("laptop", f"{ticket.origin}/api")
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
            lab.know(made["session"], made["url"])
            lab.run("stop", made["session"])
            assert child.wait(60) == 0
        finally:
            child.send_signal(signal.SIGTERM)
    until(lambda: not laptop.run(["pgrep", "-a", "ssh"]).stdout, 10)
