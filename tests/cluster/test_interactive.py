"""`launch --interactive` on the real cluster: from a terminal to a cell, and its end with the terminal."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.cluster.cluster import CHECKOUT, Cluster
from tests.cluster.lab import Lab
from tests.cluster.machine import until

pytestmark = pytest.mark.real
ENV = {"PYTHONPATH": str(CHECKOUT), "TERM": "xterm"}
TELL = [sys.executable, "-m", "setup_wizard"]
SESSIONS = "~/.local/state/hpc-jupyter-setup/sessions"


class Seat:
    """Alice at a terminal of a node."""

    def __init__(self, cluster: Cluster, prefix: Path) -> None:
        self.cluster, self.prefix = cluster, prefix

    def launch(self, *words: str, before: tuple[str, ...] = ()) -> Any:
        """The command on a terminal, in the login node; `before` is what calls it."""
        node = self.cluster.login
        way = () if "--site" in words else ("--access", "tunnel")
        what = [*before, *TELL, "launch", "--interactive", "-e", str(self.prefix), *way, *words]
        first, *rest = node.argv(what)
        return pexpect.spawn(
            first, rest, env=node.env(ENV), encoding="utf-8", timeout=90, dimensions=(40, 200)
        )

    def rows(self) -> list[dict[str, Any]]:
        """The sessions, as another terminal lists them."""
        done = self.cluster.login.run([*TELL, "sessions", "--json"], env=ENV, timeout=60)
        return [dict(row) for row in json.loads(done.stdout)["sessions"]]

    def left(self) -> str:
        """Secrets, folders on the node and jobs that are left."""
        secrets = self.cluster.login.sh(f"ls {SESSIONS}/*/token {SESSIONS}/*/cookie 2>/dev/null || true")
        nooks = self.cluster.node("c1").sh("ls -d /tmp/hjs-*/settings.py 2>/dev/null || true")
        return secrets + nooks + self.cluster.login.sh("squeue -h")


@pytest.fixture
def seat(cluster: Cluster, jupyter_prefix: Path) -> Seat:
    """Alice, with an environment."""
    return Seat(cluster, jupyter_prefix)


@pytest.mark.parametrize("scheduler", ["slurm", "torque"])
def test_it_takes_an_allocation_and_ends_with_ctrl_c(seat: Seat, scheduler: str) -> None:
    """srun --pty or qsub -I gives the node, a cell runs there, Ctrl-C ends it all, and nothing is left."""
    child = seat.launch("--scheduler", scheduler, "-p", "debug", "-t", "10")
    child.expect("Ctrl-C ends it")
    (row,) = seat.rows()
    assert (row["state"], row["node"]) == ("ready", "c1")
    child.sendintr()
    child.expect("was ended")
    child.expect(pexpect.EOF)
    assert [row["state"] for row in seat.rows()] == ["ended"]
    until(lambda: not seat.left())


def test_a_closed_terminal_ends_it_in_order(seat: Seat) -> None:
    """Somebody closes the window: Jupyter ends, and its secrets and its folder on the node are gone."""
    child = seat.launch("-p", "debug", "-t", "10")
    child.expect("Ctrl-C ends it")
    child.kill(signal.SIGHUP)
    until(lambda: [row["state"] for row in seat.rows()] == ["ended"], 60)
    until(lambda: not seat.left())


def test_inside_an_allocation_it_starts_right_there(seat: Seat) -> None:
    """On the node that one has already it takes no second job; the laptop comes through the login node."""
    child = seat.launch(before=("srun", "-p", "debug", "-c", "2", "--pty"))
    child.expect("-J alice@login alice@c1")
    child.expect("Ctrl-C ends it")
    assert [row["node"] for row in seat.rows()] == ["c1"]
    assert len(seat.cluster.login.sh("squeue -h").splitlines()) == 1
    child.sendintr()
    child.expect("was ended")
    child.expect(pexpect.EOF)
    until(lambda: not seat.left())


def test_who_waits_for_an_allocation_can_give_it_up(seat: Seat) -> None:
    """The list tells why it waits; Ctrl-C takes the request back."""
    seat.cluster.login.sh("sbatch -p debug --exclusive --wrap 'sleep 300' -o /dev/null")
    until(lambda: "R" in seat.cluster.login.sh("squeue -h -o %t"))
    child = seat.launch("-p", "debug", "-t", "10")
    child.expect("In the queue")
    assert [row["state"] for row in seat.rows()] == ["waiting"]
    child.sendintr()
    child.expect("was ended")
    child.expect(pexpect.EOF)
    until(lambda: "jupyter" not in seat.cluster.login.sh("squeue -h -o %j"))
    assert not seat.cluster.login.sh(f"ls {SESSIONS}/*/token 2>/dev/null || true")


def test_what_is_refused_is_explained(seat: Seat) -> None:
    """A refused request is told in words, and leaves nothing."""
    child = seat.launch("-p", "debug", "-t", "10", "-A", "nobody")
    child.expect("account")
    child.expect(pexpect.EOF)
    assert not seat.left()


# --- through the proxy -----------------------------------------------------------------------------------


INSIDE = ("srun", "-p", "debug", "-c", "2", "--pty")


@pytest.fixture
def proxied(lab: Lab, seat: Seat) -> Callable[..., Any]:
    """Launch an interactive session whose cell has run through the public address."""

    def launch(before: tuple[str, ...]) -> Any:
        child = seat.launch("--site", "lab", "-p", "debug", "-t", "10", before=before)
        child.expect(r"(https://[a-z]+-[a-z]+-[a-z]+\.rps\.test)/lab\?token=(\w+)")
        address, token = child.match.groups()
        child.expect("Ctrl-C ends it")
        (row,) = seat.rows()
        assert (row["state"], row["node"], row["way"]) == ("ready", "c1", "rps")
        lab.know(row["id"], f"{address}/lab?token={token}")
        assert '"version"' in lab.get("laptop", f"{address}/api")
        return child

    return launch


@pytest.mark.parametrize(("before", "how"), [((), "ctrl-c"), ((), "closed"), (INSIDE, "ctrl-c")])
def test_through_the_proxy(
    lab: Lab, seat: Seat, proxied: Callable[..., Any], before: tuple[str, ...], how: str
) -> None:
    """A cell runs through the public address; it ends in order with the terminal, the name is given back."""
    child = proxied(before)
    child.sendintr() if how == "ctrl-c" else child.kill(signal.SIGHUP)
    child.expect(pexpect.EOF)
    until(lambda: not seat.left(), 60)
    assert lab.where() == []
    assert lab.cluster.rps.tokens() == {}
    assert [row["state"] for row in seat.rows()] == ["ended"]


def test_a_launch_that_is_killed_takes_its_allocation_along(
    lab: Lab, seat: Seat, proxied: Callable[..., Any]
) -> None:
    """Slurm then ends all of it hard: the list tells so, and the next session on that node clears it away."""
    child = proxied(())
    child.kill(signal.SIGKILL)
    child.expect(pexpect.EOF)
    until(lambda: [row["state"] for row in seat.rows()] == ["died"], 60)
    assert "49 hours" in seat.rows()[0]["warning"]
    until(lambda: not lab.cluster.login.sh("squeue -h"))
    ticket = lab.ticket(lab.launch()["session"])
    until(lambda: set(lab.cluster.rps.tokens()) == {ticket.name}, 30)
    lab.run("stop", "--all")
    assert (lab.where(), lab.cluster.rps.tokens()) == ([], {})


def test_inside_an_allocation_it_ends_with_its_launch(
    lab: Lab, seat: Seat, proxied: Callable[..., Any]
) -> None:
    """The user's own srun is hung up, and kills the launch; Jupyter, unknown to it, ends in order."""
    child = proxied(INSIDE)
    child.kill(signal.SIGHUP)
    child.expect(pexpect.EOF)
    until(lambda: not seat.left(), 60)
    until(lambda: lab.cluster.rps.tokens() == {}, 30)
    assert lab.where() == []
    assert [row["state"] for row in seat.rows()] in (["ended"], ["died"])  # by itself, or seen before
