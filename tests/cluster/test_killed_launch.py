"""The launching process is killed hard, before and after the scheduler has its job: what is found of it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable

import pytest

from tests.cluster.lab import PROGRAM, SESSIONS, Lab
from tests.cluster.machine import until
from tests.cluster.nodes import PATH

pytestmark = pytest.mark.real
# A submission that stops at a moment: before the scheduler is asked, or when it has the job.
BEFORE = '#!/bin/sh\ntouch ~/asked; until [ -e ~/go ]; do sleep 0.05; done; exec {} "$@"\n'
AFTER = '#!/bin/sh\n{} "$@" >~/id; touch ~/asked; until [ -e ~/go ]; do sleep 0.05; done; cat ~/id\n'


@pytest.fixture
def killed(lab: Lab) -> Callable[..., str]:
    """Launch, and kill it at that moment of its submission; the session's name."""

    def launch(moment: str, command: str, *words: str) -> str:
        login, home = lab.cluster.login, lab.cluster.user.home
        real = login.sh(f"command -v {command}").strip()
        login.sh(f"mkdir ~/slow; cat >~/slow/{command}; chmod +x ~/slow/{command}", input=moment.format(real))
        env = {**lab.env, "PATH": f"{home}/slow:{PATH}"}
        child = login.spawn([*PROGRAM, "launch", *lab.words, *words], env=env)
        until((lab.cluster.home / "asked").exists)
        name = login.sh(f"ls {SESSIONS}").split()[0]
        lab.know(name)
        child.kill()
        child.wait()
        until(lambda: not login.run(["pgrep", "-f", "[s]etup_wizard launch|slow/"]).stdout)
        return name

    return launch


@pytest.fixture
def busy(lab: Lab) -> Callable[[], None]:
    """A job before all others on the node of the debug partition, and how to end it."""
    lab.cluster.login.sh("sbatch -p debug --exclusive --wrap 'sleep 300' -J busy -o /dev/null")
    until(lambda: "R" in lab.cluster.login.sh("squeue -h -o %t"))
    return lambda: lab.cluster.login.run(["scancel", "-n", "busy"]) and None


@pytest.mark.parametrize(("scheduler", "command"), [("slurm", "sbatch"), ("torque", "qsub")])
def test_before_the_submission(lab: Lab, killed: Callable[..., str], scheduler: str, command: str) -> None:
    """The list says that it did not start; nothing is submitted after its death, and nothing is left."""
    name = killed(BEFORE, command, "--scheduler", scheduler)
    row = lab.row(name)
    assert (row["state"], "launch was interrupted" in row["detail"]) == ("died", True)


def test_after_the_submission_the_job_is_found_and_goes_on(lab: Lab, killed: Callable[..., str]) -> None:
    """Before anybody could write down its id: the job is found by its script, proven, and stopped."""
    name = killed(AFTER, "sbatch")
    job = (lab.cluster.home / "id").read_text().strip()
    assert (lab.row(name)["state"], lab.row(name)["job"]) in [
        (s, job) for s in ("waiting", "starting", "ready")
    ]
    assert lab.run("url", name)["proof"]["answer"] == "42"
    lab.run("stop", name)


@pytest.mark.parametrize(
    ("how", "command"), [("stop", "sbatch"), ("sessions", "sbatch"), ("sessions", "qsub")]
)
def test_after_the_submission_a_waiting_job_is_found(
    lab: Lab, killed: Callable[..., str], busy: Callable[[], None], how: str, command: str
) -> None:
    """It waits for long: it is listed with the reason, and `stop` takes it out of the queue."""
    name = killed(AFTER, command, *(["--scheduler", "torque"] if command == "qsub" else []))
    if how == "sessions":
        assert lab.row(name)["state"] == "waiting"
    assert lab.run("stop", name)["stopped"] == {name: True}
    assert lab.cluster.login.sh("squeue -h -o %j").split() == ["busy"]
    busy()


def test_while_nobody_answers_nothing_is_ended(
    lab: Lab, killed: Callable[..., str], busy: Callable[[], None]
) -> None:
    """The controller is down when it is looked for: unknown, not dead; then it is found."""
    name = killed(AFTER, "sbatch")
    login = lab.cluster.login
    login.kill_all("slurmctld", signal.SIGTERM)
    until(lambda: not login.kill_all("slurmctld", 0))
    assert lab.row(name)["state"] == "unknown"
    lab.cluster.start_controller()
    until(lambda: lab.row(name)["state"] == "waiting", 60)
    lab.run("stop", name)
    busy()


def test_where_the_script_of_a_job_is_not_told_it_clears_itself_away(
    lab: Lab, killed: Callable[..., str], busy: Callable[[], None]
) -> None:
    """A squeue in its place, which knows none: the session is taken for dead, its name given back; its job,
    when it starts, ends at once.
    """
    name = killed(AFTER, "qsub", "--scheduler", "torque")
    lab.cluster.login.sh("printf '#!/bin/sh\\n' >~/slow/squeue; chmod +x ~/slow/squeue")
    lab.env["PATH"] = f"{lab.cluster.user.home}/slow:{PATH}"
    assert lab.row(name)["state"] == "died"
    assert (lab.where(), lab.cluster.rps.tokens()) == ([], {})
    busy()
    lab.clean()
    assert lab.row(name)["state"] == "died"


@pytest.mark.parametrize("note", ["", "place", "address"])
def test_who_follows_is_killed(lab: Lab, busy: Callable[[], None], note: str) -> None:
    """In the queue, while Jupyter starts, or at the proof: the session goes on, and answers later."""
    login = lab.cluster.login
    child = login.spawn([*PROGRAM, "launch", *lab.words, "--json"], env=lab.env, stderr=subprocess.DEVNULL)
    until(lambda: login.sh(f"ls {SESSIONS}/*/session.json 2>/dev/null || true"))
    name = login.sh(f"ls {SESSIONS}").split()[0]
    until(lambda: lab.row(name)["state"] == "waiting")
    if note:
        busy()
        until((lab.cluster.home / SESSIONS[2:] / name / f"{note}.json").exists, pause=0.001)
    child.kill()
    child.wait()
    busy()
    assert lab.run("url", name)["proof"]["answer"] == "42"
    lab.know(name, lab.row(name)["url"])
    lab.run("stop", name)
