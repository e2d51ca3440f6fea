"""slurmctld is killed hard, and is back after ten seconds, whatever the sessions are at."""

from __future__ import annotations

import json
import subprocess
import time
from typing import Any

import pytest

from tests.cluster.lab import PROGRAM, SESSIONS, Lab
from tests.cluster.machine import until

pytestmark = pytest.mark.real
AWAY = 10.0  # seconds without a controller


def states(lab: Lab) -> dict[str, str]:
    """How all sessions are, by name."""
    return {row["id"]: row["state"] for row in lab.run("sessions")["sessions"]}


def comes_back(lab: Lab, killed: float) -> None:
    """Wait for the end of the ten seconds, and start it again."""
    until(lambda: time.monotonic() > killed + AWAY, pause=0.2)
    lab.cluster.start_controller()


def test_while_sessions_wait_start_and_run(lab: Lab) -> None:
    """Nothing is ended meanwhile; then each goes on as before."""
    cluster, words = lab.cluster, ("-p", "gpu")
    cluster.login.sh("sbatch -p debug --exclusive --wrap 'sleep 300' -J busy -o /dev/null")
    runs = lab.launch("--access", "rps", *words)
    waits = lab.launch("--detach", "--access", "tunnel")
    starts = lab.launch("--detach", "--access", "rps", *words)
    place = cluster.home / SESSIONS[2:] / starts["session"] / "place.json"
    until(place.exists, 60)
    cluster.settle()
    cluster.login.kill_all("slurmctld")
    killed = time.monotonic()
    row = lab.row(runs["session"])
    assert (row["state"], row["url"]) == ("unknown", runs["url"])
    assert '"version"' in lab.get("laptop", f"{runs['url'].partition('/lab')[0]}/api")
    assert lab.call("stop", runs["session"])["ok"] is False
    comes_back(lab, killed)
    until(lambda: "unknown" not in states(lab).values(), 60)
    assert states(lab)[runs["session"]] == "ready"
    assert states(lab)[waits["session"]] == "waiting"
    cluster.login.sh("scancel -n busy")
    for made in (waits, starts):
        assert lab.run("url", made["session"])["proof"]["answer"] == "42"
    lab.run("stop", "--all")


def test_while_a_session_is_stopped(lab: Lab) -> None:
    """It has been told to end, and ends in order: that the controller is away then keeps nobody waiting."""
    made, login = lab.launch(), lab.cluster.login
    lab.cluster.settle()
    stopping = login.spawn([*PROGRAM, "stop", made["session"], "--json"], env=lab.env, stdout=subprocess.PIPE)
    log = lab.cluster.home / SESSIONS[2:] / made["session"] / "jupyter.log"
    until(lambda: "received signal 15" in log.read_text(), pause=0.001)
    login.kill_all("slurmctld")
    killed = time.monotonic()
    said: dict[str, Any] = json.loads(stopping.communicate(timeout=60)[0])
    assert said["stopped"] == {made["session"]: True}
    assert states(lab) == {made["session"]: "ended"}
    assert (lab.where(), lab.cluster.rps.tokens()) == ([], {})
    comes_back(lab, killed)
