"""Sessions as jobs on the real cluster: from submission to a cell, in every way that a job can end.

Each end comes to two sessions at once, one behind the proxy and one behind a tunnel. What must be left of
neither, the fixture `lab` looks for in the end.
"""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

from tests.cluster.lab import PROGRAM, SESSIONS, Lab
from tests.cluster.machine import until

pytestmark = pytest.mark.real
BUSY = "sbatch -p debug --exclusive --wrap 'sleep 300' -J busy -o /dev/null"


@pytest.fixture
def busy(lab: Lab) -> Lab:
    """Another job, «busy», has the node of the debug partition for itself."""
    lab.cluster.login.sh(BUSY)
    until(lambda: "R" in lab.cluster.login.sh("squeue -h -o %t"))
    return lab


@pytest.mark.parametrize("access", ["rps", "tunnel"])
@pytest.mark.parametrize("scheduler", ["slurm", "torque"])
def test_a_job_is_proven_listed_and_stopped(lab: Lab, scheduler: str, access: str) -> None:
    """A cell runs there, called by the laptop; the list tells node, end and cost; then it is stopped."""
    made = lab.launch("--scheduler", scheduler, "--access", access)
    assert (made["node"], made["proof"]["answer"]) == ("c1", "42")
    row = lab.row(made["session"])
    assert (row["state"], row["node"], row["way"]) == ("ready", "c1", access)
    assert row["until"] > row["started"]
    assert row["core_hours"] > 0
    if access == "rps":
        assert made["url"].startswith(f"{lab.ticket(made['session']).origin}/lab?token=")
        assert lab.cell(made) == "42"
    else:
        with lab.tunnel(made):
            assert lab.cell(made) == "42"
    assert lab.run("stop", made["session"])["stopped"] == {made["session"]: True}
    assert lab.row(made["session"])["state"] == "ended"


def test_qstat_tells_how_its_qsub_is_asked(lab: Lab) -> None:
    """Where nothing is known but that there is a qsub: Slurm's speaks as Torque does, not as PBS Pro."""
    said = lab.run("launch", *lab.words, "--site", "generic-pbs", "--dry-run")
    assert "#PBS -l nodes=1:ppn=1\n" in said["script"]


def test_a_job_that_waits_tells_why_and_can_be_followed_later(busy: Lab) -> None:
    """Held behind another job it is listed with the reason; `url` waits for it, and proves it then."""
    made = busy.launch("--detach")
    row = busy.row(made["session"])
    assert (row["state"], row["url"]) == ("waiting", "")
    assert row["detail"]
    busy.cluster.login.sh("scancel -n busy")
    assert busy.run("url", made["session"])["proof"]["answer"] == "42"


@pytest.mark.parametrize("scheduler", ["slurm", "torque"])
def test_a_waiting_job_is_cancelled_whole(busy: Lab, scheduler: str) -> None:
    """Stopped in the queue, it never starts; its secrets are gone at once, and its name is given back."""
    made = busy.launch("--detach", "--scheduler", scheduler)
    assert busy.run("stop", made["session"])["stopped"] == {made["session"]: True}
    assert busy.cluster.login.sh("squeue -h -o %j").split() == ["busy"]
    assert (busy.where(), busy.cluster.rps.tokens()) == ([], {})


def test_a_broken_node_is_told_and_mended(lab: Lab) -> None:
    """The node crashes: both are dead for that reason. Only the node may give the mapping back: till then
    the list warns; the next session there does it.
    """
    proxied, tunnelled = lab.both()
    ticket = lab.ticket(proxied["session"])
    lab.cluster.kill("c1")
    for row in lab.ended("died", proxied, tunnelled, seconds=90):
        assert "node" in row["detail"]
    assert [lab.row(made["session"])["warning"] != "" for made in (proxied, tunnelled)] == [True, False]
    assert "49 hours" in lab.row(proxied["session"])["warning"]
    assert lab.where() == [f"home/{SESSIONS[2:]}/{proxied['session']}/ticket.json"]
    assert list(lab.cluster.rps.tokens()) == [ticket.name]
    lab.cluster.boot("c1")
    lab.cluster.wait_idle()
    lab.launch("--access", "rps")
    until(lambda: ticket.name not in lab.cluster.rps.tokens())
    assert lab.row(proxied["session"])["warning"] == ""


@pytest.mark.parametrize(("scheduler", "command"), [("slurm", "scancel"), ("torque", "qdel")])
def test_cancelled_behind_our_back_it_ends_in_order(lab: Lab, scheduler: str, command: str) -> None:
    """Each still clears away what it had on the node and at the proxy."""
    both = lab.both("--scheduler", scheduler)
    lab.cluster.login.run([command, *(made["job"] for made in both)], check=True)
    lab.ended("ended", *both)


def test_a_killed_jupyter_is_told(lab: Lab) -> None:
    """Jupyter is killed: the job ends in order, and the cause is in the list."""
    both = lab.both("--scheduler", "torque")
    lab.cluster.node("c1").sh("pkill -9 -u alice -f -- [-]-config=/tmp/hjs-")
    for row in lab.ended("died", *both):
        assert "memory" in row["detail"]


def test_a_killed_watcher_is_told_and_swept_away_by_the_next_job(lab: Lab) -> None:
    """Without a heartbeat it is not believed to answer; killed, it is dead; the next job clears the node."""
    both, c1 = lab.both(), lab.cluster.node("c1")
    c1.sh("pkill -STOP -u alice -f [s]etup_wizard.serve")
    for made in both:
        lab.cluster.login.sh(f"touch -d '-10 minutes' {SESSIONS}/{made['session']}/heartbeat")
        row = lab.row(made["session"])
        assert (row["state"], row["url"]) == ("unknown", made["url"])
        assert "no sign of life for 10 min" in row["detail"]
    c1.sh("pkill -KILL -u alice -f [s]etup_wizard.serve")
    lab.ended("died", *both)
    assert lab.where() == [f"home/{SESSIONS[2:]}/{both[0]['session']}/ticket.json"]
    assert len(c1.sh("ls /tmp/hjs-*/owner").split()) == 2
    again = lab.launch("--access", "rps")
    assert set(lab.cluster.rps.tokens()) == {lab.ticket(again["session"]).name}
    assert len(c1.sh("ls /tmp/hjs-*/owner").split()) == 1


def test_who_follows_outlasts_a_silent_controller(busy: Lab) -> None:
    """The controller is away while a waiting job is followed: nothing ends, and it is proven in the end."""
    login = busy.cluster.login
    made = busy.launch("--detach", "--access", "tunnel")
    follows = login.spawn([*PROGRAM, "url", made["session"], "--json"], env=busy.env, stdout=subprocess.PIPE)
    login.kill_all("slurmctld", signal.SIGTERM)  # killed, it would forget the new job
    until(lambda: not login.kill_all("slurmctld", 0))
    assert busy.row(made["session"])["state"] == "unknown"
    assert follows.poll() is None
    busy.cluster.start_controller()
    until(lambda: busy.row(made["session"])["state"] == "waiting", 60)
    login.sh("scancel -n busy")
    said, _ = follows.communicate(timeout=60)
    assert json.loads(said)["proof"]["answer"] == "42"


def test_the_end_of_the_time_is_in_order(lab: Lab) -> None:
    """Each ends itself before Slurm does, and says so; one that was given more time goes on.

    One has a graphics card, one a minute, as short as the usual warning; of one the limit is lowered while it
    runs, and Slurm's signal is the first word of it; of one the centre makes it longer.
    """
    login = lab.cluster.login
    card = lab.launch("-p", "gpu", "--gpus", "1", "-t", "2", "--access", "tunnel")
    assert (card["node"], card["proof"]["answer"]) == ("c2", "42")
    assert "gpu" in login.sh(f"scontrol show job {card['job']} | grep -i tres")
    lowered = lab.launch("--access", "rps")
    login.sh(f"scontrol update jobid={lowered['job']} timelimit=1", user="root")
    longer = lab.launch("-t", "1", "--access", "tunnel")
    login.sh(f"scontrol update jobid={longer['job']} timelimit=10", user="root")
    began = lab.row(longer["session"])["started"]
    minute = lab.launch("-t", "1", "--access", "rps")
    assert "--signal" not in login.sh(f"cat {SESSIONS}/{minute['session']}/job.sh")
    for row in lab.ended("ended", card, lowered, minute, seconds=150):
        assert row["detail"] == "time"
    until(lambda: time.time() > began + 60, 60, pause=1)
    assert lab.row(longer["session"])["state"] == "ready"
