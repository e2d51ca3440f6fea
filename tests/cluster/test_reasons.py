"""Why a job waits, as the real Slurm says it, and what the user hears of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from setup_wizard.schedulers import Waiting
from setup_wizard.schedulers.slurm import Slurm
from setup_wizard.world import Output
from tests.cluster.cluster import Cluster
from tests.cluster.machine import until

FULL = "sbatch -N2 --exclusive -o /dev/null --wrap 'sleep 600'"


class Case(NamedTuple):
    """What Slurm calls it; what alice, or root, does before; the job; what root does then; what is heard."""

    reason: str
    says: str
    fix: str
    job: str
    before: str = ""
    root: str = ""
    after: str = ""


CASES = (
    Case("Resources", "it is next", "less time", "-N2", FULL),
    Case("Priority", "other jobs are before it", "--time-limit", "-N1", f"{FULL}; {FULL}"),
    Case("BeginTime", "not to begin yet", "", "--begin=now+1hour"),
    Case("JobHeldUser", "it is held", "scontrol release", "-H"),
    Case(
        "JobHeldAdmin", "an administrator holds it", "Ask", "--begin=now+1hour", after="scontrol hold {job}"
    ),
    Case("Dependency", "waits for another job", "", "--dependency=afterok:{last}", FULL),
    Case(
        "DependencyNeverSatisfied",
        "never end well",
        "hpc-jupyter-setup stop",
        "--dependency=afterok:{last}",
        "sbatch -o /dev/null --wrap false",
    ),
    Case("Licenses", "licences that it needs", "", "-L matlab", f"{FULL} -L matlab"),
    Case("Reservation", "has not begun", "scontrol show reservation", "--reservation=course"),
    Case(
        "PartitionTimeLimit",
        "more time than the partition debug allows",
        "--time-limit",
        "-p debug -t 20",
        FULL,
        after="scontrol update partitionname=debug maxtime=10",
    ),
    Case(
        "PartitionNodeLimit",
        "more nodes than the partition compute allows",
        "--nodes",
        "-N2",
        FULL,
        after="scontrol update partitionname=compute maxnodes=1",
    ),
    Case(
        "PartitionDown",
        "switched off",
        "sinfo -s",
        "-p debug",
        FULL,
        after="scontrol update partitionname=debug state=down",
    ),
    Case(
        "PartitionInactive",
        "switched off",
        "sinfo -s",
        "-p debug",
        FULL,
        after="scontrol update partitionname=debug state=inactive",
    ),
    Case(
        "ReqNodeNotAvail, UnavailableNodes:c1",
        "down or reserved",
        "sinfo -R",
        "-w c1",
        root="scontrol update nodename=c1 state=drain reason=test",
    ),
    Case(
        "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions",
        "down or reserved",
        "sinfo -R",
        "-p debug",
        root="scontrol update nodename=c1 state=drain reason=test",
    ),
    Case(
        "ReqNodeNotAvail, Reserved for maintenance",
        "a maintenance comes before",
        "ends before the maintenance",
        "-t 60",
        root="scontrol create reservationname=maintenance users=root starttime=now+10minutes duration=60 "
        "nodes=ALL flags=maint,ignore_jobs",
    ),
)
AS_BEFORE = (
    "scontrol update partitionname=debug maxtime=30 state=up",
    "scontrol update partitionname=compute maxnodes=unlimited",
    "scontrol update nodename=c1,c2 state=resume",
    "scontrol delete reservationname=maintenance",
)


@pytest.fixture
def managed(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster; what root changes of it is changed back."""
    yield cluster
    for command in AS_BEFORE:
        cluster.login.run(command.split(), user="root")


@pytest.mark.real
@pytest.mark.parametrize("case", CASES, ids=[case.reason.split()[-1] for case in CASES])
def test_each_reason_is_a_sentence(managed: Cluster, case: Case) -> None:
    """What the real Slurm gives as the reason is told in words, with what can be done."""
    login = managed.login
    if case.root:
        login.sh(case.root, user="root")
    last = login.sh(case.before).split()[-1] if case.before else ""
    words = case.job.format(last=last)
    job = login.sh(f"sbatch --parsable -o /dev/null {words} --wrap hostname").strip()
    if case.after:
        login.sh(case.after.format(job=job), user="root")
    raw = f"squeue -h -j {job} -t PD -o %r"
    until(lambda: login.sh(raw).strip() == case.reason, 60, pause=0.1)
    asked = login.run(Slurm().status([job]))
    state = Slurm().state(Output(asked.returncode, asked.stdout, asked.stderr), job)
    assert isinstance(state, Waiting), asked
    assert case.says in state.reason
    assert case.fix in state.fix
