"""Sessions as jobs on the real cluster: from submission to a cell, in every way that a job can end."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.cluster import CHECKOUT, Cluster
from tests.cluster.machine import until

pytestmark = pytest.mark.real
SESSIONS = "~/.local/state/hpc-jupyter-setup/sessions"


class Login:
    """The program, called by alice on the login node."""

    def __init__(self, cluster: Cluster, prefix: Path) -> None:
        self.cluster, self.prefix = cluster, prefix

    def call(self, *words: str) -> dict[str, Any]:
        """What a command answers in JSON."""
        argv = [sys.executable, "-m", "setup_wizard", *words, "--json"]
        done = self.cluster.login.run(argv, env={"PYTHONPATH": str(CHECKOUT)}, timeout=180)
        return dict(json.loads(done.stdout))

    def launch(self, *words: str) -> dict[str, Any]:
        """Launch through a tunnel, in the debug partition where nothing else is said."""
        where = () if "-p" in words else ("-p", "debug")
        return self.call("launch", "-e", str(self.prefix), "-t", "10", "--access", "tunnel", *where, *words)

    def row(self, session: str) -> dict[str, Any]:
        """The session in the list."""
        return next(dict(row) for row in self.call("sessions")["sessions"] if row["id"] == session)

    def secrets(self) -> list[str]:
        """What is left of secrets in the folders of the sessions."""
        return self.cluster.login.sh(
            f"ls {SESSIONS}/*/token {SESSIONS}/*/cookie {SESSIONS}/*/identity 2>/dev/null || true"
        ).split()

    def nooks(self, node: str) -> list[str]:
        """What is left on the disk of a node."""
        return self.cluster.node(node).sh("ls -d /tmp/hjs-*/settings.py 2>/dev/null || true").split()


@pytest.fixture
def login(cluster: Cluster, jupyter_prefix: Path) -> Login:
    """Alice on the login node, with an environment."""
    return Login(cluster, jupyter_prefix)


@pytest.mark.parametrize("scheduler", ["slurm", "torque"])
def test_a_job_is_proven_listed_and_stopped(login: Login, scheduler: str) -> None:
    """A cell ran on the node; the list tells node, end and cost; after the stop nothing of it is left."""
    made = login.launch("--scheduler", scheduler)
    assert made["ok"], made
    assert (made["node"], made["proof"]["answer"]) == ("c1", "42")
    row = login.row(made["session"])
    assert (row["state"], row["node"], row["way"]) == ("ready", "c1", "tunnel")
    assert row["until"] > row["started"]
    assert row["core_hours"] > 0
    assert login.call("stop", made["session"])["stopped"] == {made["session"]: True}
    assert login.row(made["session"])["state"] == "ended"
    assert (login.secrets(), login.nooks("c1")) == ([], [])
    until(lambda: not login.cluster.login.sh("squeue -h").strip())


def test_a_job_that_waits_tells_why_and_can_be_followed_later(login: Login) -> None:
    """Held behind another job it is listed with the reason; `url` waits for it, and proves it then."""
    login.cluster.login.sh("sbatch -p debug --exclusive --wrap 'sleep 300' -o /dev/null")
    until(lambda: "R" in login.cluster.login.sh("squeue -h -o %t"))
    made = login.launch("--detach")
    row = login.row(made["session"])
    assert (row["state"], row["url"]) == ("waiting", "")
    assert row["detail"]
    login.cluster.login.sh("scancel -n wrap")
    assert login.call("url", made["session"])["proof"]["answer"] == "42"
    login.call("stop", "--all")


def test_a_waiting_job_is_cancelled_whole(login: Login) -> None:
    """Stopped in the queue, it never starts, and its secrets are gone at once."""
    login.cluster.login.sh("sbatch -p debug --exclusive --wrap 'sleep 300' -o /dev/null")
    until(lambda: "R" in login.cluster.login.sh("squeue -h -o %t"))
    made = login.launch("--detach")
    assert login.call("stop", made["session"])["stopped"] == {made["session"]: True}
    assert login.secrets() == []
    assert "jupyter" not in login.cluster.login.sh("squeue -h -o %j")


def test_a_broken_node_is_told_and_cleared_away(login: Login) -> None:
    """The node crashes: the session is dead for that reason, with its secrets gone."""
    made = login.launch()
    login.cluster.kill("c1")
    until(lambda: login.row(made["session"])["state"] in ("died", "ended"), 90)
    assert login.row(made["session"])["state"] == "died"
    assert "node" in login.row(made["session"])["detail"]
    assert login.secrets() == []


def test_scancel_ends_it_in_order(login: Login) -> None:
    """Cancelled behind our back, it still clears away what it had on the node."""
    made = login.launch()
    login.cluster.login.run(["scancel", made["job"]], check=True)
    until(lambda: login.row(made["session"])["state"] == "ended", 60)
    assert (login.secrets(), login.nooks("c1")) == ([], [])


def test_a_killed_jupyter_is_told(login: Login) -> None:
    """Jupyter is killed: the job ends, and the cause is in the list."""
    made = login.launch()
    assert (
        login.cluster.node("c1").sh("pkill -9 -u alice -f -- [-]-config=/tmp/hjs- && echo done").strip()
        == "done"
    )
    until(lambda: login.row(made["session"])["state"] == "died", 60)
    assert "memory" in login.row(made["session"])["detail"]
    assert (login.secrets(), login.nooks("c1")) == ([], [])


def test_a_silent_controller_ends_nothing(login: Login) -> None:
    """While it is down, the session is unknown, with the address that it had; then it is ready again."""
    made = login.launch()
    login.cluster.settle()
    login.cluster.login.kill_all("slurmctld")
    row = login.row(made["session"])
    assert (row["state"], row["url"]) == ("unknown", made["url"])
    assert login.call("stop", made["session"])["ok"] is False
    login.cluster.start_controller()
    until(lambda: login.row(made["session"])["state"] == "ready", 60)
    assert login.call("stop", made["session"])["stopped"] == {made["session"]: True}


def test_a_killed_watcher_is_told_and_swept_away_by_the_next_job(login: Login) -> None:
    """Without a heartbeat it is not believed to answer; killed, it is dead; the next job clears the node."""
    made, c1 = login.launch(), login.cluster.node("c1")
    c1.sh("pkill -STOP -u alice -f [s]etup_wizard.serve")
    login.cluster.login.sh(f"touch -d '-10 minutes' {SESSIONS}/{made['session']}/heartbeat")
    row = login.row(made["session"])
    assert (row["state"], row["url"]) == ("unknown", made["url"])
    assert "no sign of life for 10 min" in row["detail"]
    c1.sh("pkill -KILL -u alice -f [s]etup_wizard.serve")
    until(lambda: login.row(made["session"])["state"] == "died", 60)
    assert (login.secrets(), len(login.nooks("c1"))) == ([], 1)
    second = login.launch()
    assert second["ok"], second
    assert len(login.nooks("c1")) == 1
    login.call("stop", second["session"])
    assert login.nooks("c1") == []


def test_who_follows_outlasts_a_silent_controller(login: Login) -> None:
    """The controller is away while a waiting job is followed: nothing ends, and it is proven in the end."""
    login.cluster.login.sh("sbatch -p debug --exclusive --wrap 'sleep 300' -o /dev/null")
    until(lambda: "R" in login.cluster.login.sh("squeue -h -o %t"))
    made = login.launch("--detach")
    argv = [sys.executable, "-m", "setup_wizard", "url", made["session"], "--json"]
    follows = login.cluster.login.spawn(argv, env={"PYTHONPATH": str(CHECKOUT)}, stdout=subprocess.PIPE)
    login.cluster.login.kill_all("slurmctld", signal.SIGTERM)  # killed, it would forget the new job
    until(lambda: not login.cluster.login.kill_all("slurmctld", 0))
    assert login.row(made["session"])["state"] == "unknown"
    assert follows.poll() is None
    login.cluster.start_controller()
    until(lambda: login.row(made["session"])["state"] == "waiting", 60)
    login.cluster.login.sh("scancel -n wrap")
    said, _ = follows.communicate(timeout=60)
    assert json.loads(said)["proof"]["answer"] == "42"
    login.call("stop", "--all")


def test_the_end_of_the_time_on_a_graphics_card_is_in_order(login: Login) -> None:
    """A card is there for the session; before Slurm ends the job, it has ended itself, and says so."""
    made = login.launch("-p", "gpu", "--gpus", "1", "-t", "2")
    assert (made["node"], made["proof"]["answer"]) == ("c2", "42")
    assert "gpu" in login.cluster.login.sh(f"scontrol show job {made['job']} | grep -i tres")
    until(lambda: login.row(made["session"])["state"] == "ended", 120, pause=1)
    assert login.row(made["session"])["detail"] == "time"
    assert (login.secrets(), login.nooks("c2")) == ([], [])
    until(lambda: not login.cluster.login.sh("squeue -h").strip())


def test_a_minute_is_a_session_too(login: Login) -> None:
    """With a limit as short as the usual warning it is proven, and ends itself before Slurm does."""
    made = login.launch("-t", "1")
    assert made["proof"]["answer"] == "42"
    script = login.cluster.login.sh(f"cat {SESSIONS}/{made['session']}/job.sh")
    assert "--signal" not in script
    until(lambda: login.row(made["session"])["state"] == "ended", 90, pause=1)
    assert login.row(made["session"])["detail"] == "time"
    assert (login.secrets(), login.nooks("c1")) == ([], [])


def test_the_signal_of_slurm_before_the_end_is_heard(login: Login) -> None:
    """The limit is lowered while it runs: the signal is the first word of it, and the end in order."""
    made = login.launch()
    login.cluster.login.sh(f"scontrol update jobid={made['job']} timelimit=1", user="root")
    until(lambda: login.row(made["session"])["state"] == "ended", 90, pause=1)
    assert login.row(made["session"])["detail"] == "time"
    assert (login.secrets(), login.nooks("c1")) == ([], [])


def test_more_time_that_was_given_is_used(login: Login) -> None:
    """The centre makes the job's limit longer while it runs: it does not end itself at the old one."""
    made = login.launch("-t", "1")
    login.cluster.login.sh(f"scontrol update jobid={made['job']} timelimit=10", user="root")
    began = login.row(made["session"])["started"]
    until(lambda: time.time() > began + 50, 90, pause=1)
    assert login.row(made["session"])["state"] == "ready"
    login.call("stop", made["session"])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-A", "nobody"), "account"),
        (("-p", "nowhere"), "partition"),
        (("--reservation", "none"), "reservation"),
        (("-t", "2-00:00:00"), "--time-limit"),
        (("--gpus", "1"), "--gpus"),
        (("--env-modules", "no/such"), "The module no/such cannot be loaded"),
    ],
)
def test_what_cannot_be_had_is_refused_with_a_fix(login: Login, words: tuple[str, str], says: str) -> None:
    """Before or by the scheduler, in words; and no session and no job is left of it."""
    answer = login.launch(*words)
    assert answer["ok"] is False
    assert says in answer["error"]["problem"]
    assert answer["error"]["fix"]
    assert login.call("sessions")["sessions"] == []
    assert not login.cluster.login.sh("squeue -h").strip()
