"""Why a job waits where a real accounting holds it back, and what the user hears of it.

Every case has an account or a QOS of its own with its one limit. All jobs are handed in at once, on one
cluster: Slurm looks at them together, and none of them is in the way of another.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from setup_wizard.schedulers import Waiting
from setup_wizard.schedulers.slurm import Slurm
from setup_wizard.world import Output
from tests.cluster.cluster import Cluster
from tests.cluster.machine import until

pytestmark = pytest.mark.real
SLEEP = "sbatch --parsable -o /dev/null --wrap 'sleep 600'"


class Case(NamedTuple):
    """What Slurm calls it, the limit as sacctmgr sets it, the job; what is heard, with what to do.

    `of` is who has the limit: the account, alice in it, or the QOS. `beside`: another such job runs already.
    """

    reason: str
    of: str
    limit: str
    job: str
    says: str
    fix: str
    beside: bool = False


NEVER = "it will not start like this; cancel it (hpc-jupyter-setup stop), and launch "
OURS, HERS, QOS = "account {}", "user alice account={}", "qos {}"
CASES = (
    Case(
        "AssocMaxJobsLimit",
        HERS,
        "maxjobs=1",
        "",
        "running as you may have in the account",
        "squeue --me",
        True,
    ),
    Case(
        "AssocMaxWallDurationPerJobLimit",
        HERS,
        "maxwall=10",
        "-t 20",
        "more time than a job of the account",
        NEVER,
    ),
    Case(
        "AssocMaxCpuPerJobLimit", HERS, "maxtresperjob=cpu=1", "-c 2", "more than a job of the account", NEVER
    ),
    Case(
        "AssocMaxNodePerJobLimit",
        HERS,
        "maxtresperjob=node=1",
        "-N 2",
        "more than a job of the account",
        NEVER,
    ),
    Case(
        "AssocMaxCpuMinutesPerJobLimit",
        HERS,
        "maxtresminsperjob=cpu=10",
        "-t 20",
        "processors times hours",
        NEVER,
    ),
    Case(
        "AssocGrpCpuLimit", OURS, "grptres=cpu=1", "", "have together, with this job, more", "squeue -A", True
    ),
    Case("AssocGrpMemLimit", OURS, "grptres=mem=1000", "", "have together, with this job", "--account", True),
    Case(
        "AssocGrpGRES", OURS, "grptres=gres/gpu=1", "-p gpu --gres=gpu:1", "have together", "--account", True
    ),
    Case("AssocGrpJobsLimit", OURS, "grpjobs=1", "", "have together", "--account", True),
    Case("AssocGrpCPUMinutesLimit", OURS, "grptresmins=cpu=0", "", "hours of the account", "--account"),
    Case(
        "AssocGrpCPURunMinutesLimit", OURS, "grptresrunmins=cpu=10", "-t 60", "been promised", "--time-limit"
    ),
    Case("AssocGrpWallLimit", OURS, "grpwall=0", "", "hours of the account", "--account"),
    Case(
        "QOSMaxJobsPerUserLimit",
        QOS,
        "maxjobsperuser=1",
        "",
        "running as you may have in the QOS",
        "--me",
        True,
    ),
    Case("QOSMaxCpuPerUserLimit", QOS, "maxtresperuser=cpu=1", "-c 2", "may have in the QOS", "ask for less"),
    Case("QOSMaxCpuPerJobLimit", QOS, "maxtresperjob=cpu=1", "-c 2", "more than a job of the QOS", NEVER),
    Case(
        "QOSMaxWallDurationPerJobLimit", QOS, "maxwall=10", "-t 20", "more time than a job of the QOS", NEVER
    ),
    Case("QOSGrpJobsLimit", QOS, "grpjobs=1", "", "all jobs of the QOS", "squeue -q", True),
    Case("QOSGrpCpuLimit", QOS, "grptres=cpu=1", "", "all jobs of the QOS", "--qos", True),
    Case("QOSGrpCPUMinutesLimit", QOS, "grptresmins=cpu=0", "", "hours of the QOS", "--account"),
    Case("QOSMinCpuNotSatisfied", QOS, "mintresperjob=cpu=4", "", "less than the QOS", NEVER),
    Case("MaxJobsPerAccount", QOS, "maxjobspa=1", "", "more than it may have in the QOS", "--qos", True),
    Case("MaxCpuPerAccount", QOS, "maxtrespa=cpu=1", "-c 2", "more than it may have in the QOS", "for less"),
    Case("InvalidAccount", OURS, "", "-L matlab", "is not yours any more", NEVER + "with another --account"),
    Case("InvalidQOS", QOS, "", "-L matlab", "is not yours any more", NEVER + "with another --qos"),
    Case("PartitionConfig", OURS, "", "-p debug -L matlab", "an account or QOS that may not", NEVER),
)
NAMES = {case.reason: case.reason.lower().removesuffix("limit") for case in CASES}
# What is changed when the jobs of these cases wait for a licence that another has.
AFTER = (
    "sacctmgr -i remove user alice account=invalidaccount cluster=lab",
    "sacctmgr -i modify user alice account=proj1 cluster=lab set qos-=invalidqos",
    "scontrol update partitionname=debug allowaccounts=proj1",
)


def limits() -> Iterator[str]:
    """What sacctmgr is told."""
    for case in CASES:
        name = NAMES[case.reason]
        if case.of == QOS:
            yield f"add qos {name} {case.limit}"
            yield f"modify user alice account=proj1 cluster=lab set qos+={name}"
        else:
            yield f"add account {name} cluster=lab"
            yield f"add user alice account={name} cluster=lab"
            if case.limit:
                yield f"modify {case.of.format(name)} cluster=lab set {case.limit}"


def taken_back() -> Iterator[str]:
    """What sacctmgr is told in the end; some of it is gone already."""
    for name, of in ((NAMES[case.reason], case.of) for case in CASES):
        if of == QOS:
            yield f"modify user alice account=proj1 cluster=lab set qos-={name}"
            yield f"remove qos {name}"
        else:
            yield f"remove user alice account={name} cluster=lab"
            yield f"remove account {name} cluster=lab"


def jobs() -> Iterator[str]:
    """What alice hands in: of each case a line with the id of the job that is to wait."""
    yield f"{SLEEP} -L matlab"
    for case in CASES:
        job = f"{SLEEP} {'-q' if case.of == QOS else '-A'} {NAMES[case.reason]} {case.job}"
        yield f"{job} >/dev/null; {job}" if case.beside else job


@pytest.fixture(scope="module")
def waiting(with_accounts: Cluster) -> Iterator[dict[str, tuple[str, Output]]]:
    """By reason, the id of the job that has it, and what squeue says."""
    cluster, login = with_accounts, with_accounts.login
    cluster.tidy()
    made = login.run(["sacctmgr", "-i"], user="root", input="\n".join([*limits(), ""]))
    assert made.returncode == 0, made
    _, *ids = login.sh("\n".join(jobs())).split()
    by_reason = dict(zip(NAMES, ids, strict=True))
    for command in AFTER:
        login.sh(command, user="root")
    try:
        with contextlib.suppress(AssertionError):  # each test says what its own job waits for
            until(lambda: reasons(cluster).items() >= {(job, r) for r, job in by_reason.items()}, 30)
        asked = login.run(Slurm().status(ids))
        yield {r: (job, Output(asked.returncode, asked.stdout, asked.stderr)) for r, job in by_reason.items()}
    finally:
        login.sh("scontrol update partitionname=debug allowaccounts=all", user="root")
        cluster.tidy()
        login.run(["sacctmgr", "-i"], user="root", input="\n".join([*taken_back(), ""]))


def reasons(cluster: Cluster) -> dict[str, str]:
    """Why each job waits, in Slurm's words."""
    return dict(line.split() for line in cluster.login.sh("squeue -h -t PD -o '%i %r'").splitlines())


@pytest.mark.parametrize("case", CASES, ids=[case.reason for case in CASES])
def test_each_reason_is_a_sentence(waiting: dict[str, tuple[str, Output]], case: Case) -> None:
    """What the real Slurm gives as the reason is told in words, with whose limit it is and what helps."""
    job, output = waiting[case.reason]
    assert re.search(rf"^{job}\|.*\|{case.reason}$", output.out, re.MULTILINE), output.out
    state = Slurm().state(output, job)
    assert isinstance(state, Waiting), output
    assert case.says in state.reason
    assert case.fix in state.fix
