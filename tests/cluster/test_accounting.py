"""With a real accounting: what alice has, what is objected to before a submission, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cluster.cluster import Cluster
from tests.cluster.lab import ITS_PLACE, PROGRAM, Lab
from tests.cluster.machine import until
from tests.cluster.test_real_discovery import detect

pytestmark = pytest.mark.real
AS_BEFORE = (
    "add user alice account=proj2 cluster=lab qos=normal",
    "modify user alice account=proj1 cluster=lab set qos=normal,fast",
    "modify qos fast set maxwall=20 flags=-1",
)


@pytest.fixture
def lab(accounted: Cluster, jupyter_prefix: Path) -> Lab:
    """The program on a cluster with accounting."""
    return Lab(accounted, jupyter_prefix)


def change(cluster: Cluster, *lines: str) -> None:
    """What an administrator changes with sacctmgr; the controller hears of it at once."""
    done = cluster.login.run(["sacctmgr", "-i"], user="root", input="\n".join([*lines, ""]))
    assert not done.stderr, done


def test_what_alice_has_is_found(accounted: Cluster) -> None:
    """Her accounts on this cluster and on no other, the QOS of each, and what one job may have in both."""
    offer = detect(accounted)["offer"]
    assert {a["name"]: set(a["qos"]) for a in offer["accounts"]} == {
        "proj1": {"normal", "fast"},
        "proj2": {"normal"},
        "small": {"normal"},
        "full": {"normal"},
    }
    limits = {
        a["name"]: (a["default_qos"], a["limits"]["time"], a["limits"]["cores"]) for a in offer["accounts"]
    }
    assert (limits["proj1"], limits["small"]) == (("normal", None, None), ("normal", 900, 2))
    assert {q["name"]: q["limits"]["time"] for q in offer["qos"]} == {"normal": None, "fast": 1200}
    said = accounted.login.run([*PROGRAM, "sites", "detect"]).stdout
    assert re.search(r"proj1 +QOS fast, normal \(the default\)", said)
    assert re.search(r"small +QOS normal +a job: at most 00:15:00, 2 cores", said)
    assert re.search(r"fast +a job: at most 00:20:00", said)


@pytest.mark.parametrize(
    ("words", "says", "fix"),
    [
        (("-A", "elsewhere"), "--account: you have no account «elsewhere» here", "proj1"),
        (("-A", "proj3"), "--account: you have no account «proj3» here. Did you mean", "proj2"),
        (("-q", "gold"), "--qos: you have no QOS «gold» here", "fast"),
        (("-A", "proj2", "-q", "fast"), "--qos: you have no QOS «fast» here", "There is: normal"),
        (
            ("-A", "small", "-t", "20"),
            "more than one job may have in the account small: 00:15:00",
            "00:15:00",
        ),
        (("-A", "small", "-c", "3"), "3 cores is more than one job may have in the account small", "2 cores"),
        (("-q", "fast", "-t", "30"), "more than one job may have in the QOS fast: 00:20:00", "--qos normal"),
    ],
)
def test_what_is_not_hers_is_objected_to(lab: Lab, words: tuple[str, ...], says: str, fix: str) -> None:
    """Before anything is submitted, with what she has; nothing is left of it."""
    error = lab.call("launch", *lab.words, *words)["error"]
    assert says in error["problem"]
    assert fix in error["fix"]
    assert "It said" not in error["problem"]
    assert lab.run("sessions")["sessions"] == []


@pytest.mark.parametrize("scheduler", ["slurm", "torque"])
def test_a_limit_that_refuses_is_explained(lab: Lab, scheduler: str) -> None:
    """What only the controller knows, how many jobs there are, is told in a sentence; no name is left."""
    error = lab.call("launch", *lab.words, "--scheduler", scheduler, "-A", "full")["error"]
    assert "as many jobs as the account allows, waiting ones included" in error["problem"]
    assert "AssocMaxSubmitJobLimit" in error["problem"]
    assert "squeue --me" in error["fix"]
    assert lab.run("sessions")["sessions"] == []
    assert lab.cluster.rps.tokens() == {}


@pytest.mark.parametrize(
    ("words", "taken", "says"),
    [
        (("-A", "proj2"), "remove user alice account=proj2 cluster=lab", "account is not one of yours"),
        (("-q", "fast"), "modify user alice account=proj1 cluster=lab set qos=normal", "QOS) is not there"),
        (
            ("-q", "fast"),
            "modify qos fast set maxwall=5 flags=denyonlimit",
            "more time than a job of the QOS may",
        ),
    ],
)
def test_what_was_hers_a_moment_ago_is_refused_in_words(
    lab: Lab, words: tuple[str, ...], taken: str, says: str
) -> None:
    """Remembered from the last look, it passes here; the controller knows better."""
    lab.cluster.login.sh("mkdir -p ~/.cache/hpc-jupyter-setup")
    lab.run("launch", *lab.words, *words, "--dry-run")
    try:
        change(lab.cluster, taken)
        error = lab.call("launch", *lab.words, *words)["error"]
    finally:
        change(lab.cluster, *AS_BEFORE)
    assert says in error["problem"]
    assert "It said" in error["problem"]


def test_a_session_that_is_charged_is_one(lab: Lab) -> None:
    """Account and QOS are those that were asked for; what accounting keeps of it holds no secret.

    Next time the QOS is taken again, but not with another account.
    """
    made = lab.launch("-A", "proj1", "-q", "fast")
    assert made["proof"]["answer"] == "42"
    row = lab.cluster.login.sh(f"squeue -h -j {made['job']} -o '%a %q'").split()
    assert row == ["proj1", "fast"]
    kept = f"sacct -j {made['job']} --batch-script"  # the database hears of it a little later
    until(lambda: "setup_wizard.serve" in lab.cluster.login.sh(kept, user="root"))
    assert all(ITS_PLACE.fullmatch(place) for place in lab.where())
    lab.run("stop", made["session"])
    assert lab.where() == []
    scripts = [lab.run("launch", *lab.words[:4], *of, "--dry-run")["script"] for of in ((), ("-A", "proj2"))]
    assert [("--qos=fast" in script, "--account=proj2" in script) for script in scripts] == [
        (True, False),
        (False, True),
    ]
