"""The real `squeue --json` of this Slurm, beside its columns, and a squeue that folds its lines."""

from __future__ import annotations

import pytest

from setup_wizard.schedulers import Running
from setup_wizard.schedulers.slurm import Slurm
from setup_wizard.world import Output
from tests.cluster.cluster import Cluster
from tests.cluster.lab import Lab
from tests.cluster.machine import until

pytestmark = pytest.mark.real
FULL = "sbatch --parsable -p debug --exclusive -t 10 -o /dev/null"
# In front of the real one in PATH: what a site could put there.
FOLDS = """#!/bin/sh
case "$*" in *--json*) exec {squeue} "$@" ;; esac
exec {squeue} "$@" | fold -w 25
"""


def test_both_say_the_same_of_each_job(cluster: Cluster) -> None:
    """One that runs, one that waits for it, one that is held, one that was cancelled."""
    login = cluster.login
    jobs = [login.sh(f"{FULL} {more} --wrap 'sleep 300'").strip() for more in ("", "", "-H", "-H")]
    login.sh(f"scancel {jobs[3]}")
    until(lambda: "N/A" not in login.sh(f"squeue -h -o %T%S -j {jobs[0]},{jobs[1]}"))  # an estimate, too
    until(lambda: "RUNNING" in login.sh(f"squeue -h -o %T -j {jobs[0]}"))
    asked = Slurm().status(jobs)
    said = [
        login.run(argv).stdout for argv in (asked, ["squeue", "--json", "-t", "all", "-j", ",".join(jobs)])
    ]
    columns, json = ([Slurm().state(Output(0, text), job) for job in jobs] for text in said)
    assert columns == json
    assert isinstance(json[0], Running)


def test_sessions_are_followed_through_a_squeue_that_folds_its_lines(lab: Lab) -> None:
    """A job that waits is not taken for gone, and its reason is told."""
    login = lab.cluster.login
    squeue = login.sh("command -v squeue").strip()
    login.sh(
        "mkdir -p ~/folds; cat > ~/folds/squeue; chmod +x ~/folds/squeue", input=FOLDS.format(squeue=squeue)
    )
    lab.env["PATH"] = f"{login.person(None).home}/folds:/usr/bin:/bin"
    login.sh(f"{FULL} --wrap 'sleep 300'")
    made = lab.launch("--detach")
    until(lambda: "it is next" in lab.row(made["session"])["detail"], 60)
    assert lab.row(made["session"])["state"] == "waiting"
