"""What a centre's accounting allows one job: accounts, QOS and their limits, before anything is submitted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from setup_wizard import discovery, sites
from setup_wizard.discovery import Account, Limits, Offer, Partition, slurm
from setup_wizard.errors import BadInput
from setup_wizard.schedulers import Resources
from setup_wizard.world import World

TRANSCRIPTS = Path(__file__).parent / "transcripts/discovery"
HOUR, DAY = 3600, 86400


def said(name: str) -> str:
    return (TRANSCRIPTS / name).read_text()


@pytest.fixture
def offer() -> Offer:
    """Alice's, of the tests' own cluster with limits on accounts and QOS, as it was recorded."""
    accounts = slurm.accounts(said("sacctmgr-lab"), "lab")
    services = slurm.services(said("sacctmgr-qos-lab"), {"normal", "fast", "long", "gold"})
    return Offer(accounts, slurm.partitions(said("sinfo-lab"), said("partition-lab")), (), services)


TWO, ONE = ("normal", "fast"), ("normal",)
ROWS = (Account("a", "", TWO, "normal"), Account("a", "gpu", ONE, "normal"), Account("b", "", ONE))
PLACES = (
    Partition("compute", default=True),
    Partition("gpu"),
    Partition("quick", qos=("fast",)),
)


@pytest.mark.parametrize(
    ("wanted", "names", "usual"),
    [
        (Resources(account="a"), ["normal", "fast"], "normal"),
        (Resources(account="A", partition="compute"), ["normal", "fast"], "normal"),
        (Resources(account="a", partition="gpu"), ["normal"], "normal"),
        (Resources(account="a", partition="quick"), ["fast"], "normal"),
        (Resources(account="b"), ["normal"], ""),
        (Resources(account="c"), [], ""),
    ],
)
def test_which_qos_a_job_may_name(wanted: Resources, names: list[str], usual: str) -> None:
    """Those of its account, or of it in this partition alone, which the partition lets in."""
    assert discovery.qos_for(wanted, Offer(ROWS, PLACES)) == (names, usual)
    assert discovery.qos_for(wanted, Offer()) == ([], "")


def test_what_accounting_tells(offer: Offer) -> None:
    """Accounts of this cluster alone, the QOS of a job that names none, and what one job may have."""
    own = ("fast", "long", "normal")
    assert offer.accounts == (
        Account("proj1", "", own, "normal", Limits(2 * DAY, nodes=2, cores=8, gpus=1)),
        Account("proj2", "", own, "normal", Limits(90 * 60)),
    )
    assert slurm.clusters(said("sacctmgr-lab")) == {"lab", "other"}
    assert [a.name for a in slurm.accounts(said("sacctmgr-lab")) or ()] == ["proj1", "elsewhere", "proj2"]
    assert offer.qos
    assert {q.name: (q.limits, q.flags) for q in offer.qos} == {
        "normal": (Limits(), ()),
        "fast": (Limits(600, cores=4, gpus=2), ("DenyOnLimit", "OverPartQOS")),
        "gold": (Limits(DAY, nodes=1), ()),
        "long": (Limits(7 * DAY), ("PartitionTimeLimit",)),
    }
    doors = {p.name: (p.accounts, p.qos, p.own_qos) for p in offer.partitions or ()}
    assert doors == {
        "compute": (None, None, ""),
        "debug": (("proj2", "proj3"), ("fast",), ""),
        "gpu": (None, None, "gold"),
    }


@pytest.mark.parametrize("text", ["", "\n", "garbage", "||||||", "sacctmgr: error: not supported"])
def test_garbage_is_not_known(text: str) -> None:
    """What cannot be read forbids nothing."""
    assert slurm.accounts(text) is None
    assert slurm.services(text, {"normal"}) is None
    (first, *_) = slurm.partitions(said("sinfo-lab"), text) or ()
    assert (first.accounts, first.qos, first.own_qos) == (None, None, "")


@pytest.mark.parametrize(
    ("wanted", "problem", "fix"),
    [
        ({"account": "elsewhere"}, "no account «elsewhere» here", "proj1, proj2"),
        (
            {"partition": "debug", "account": "proj1", "qos": "fast"},
            "--account: «proj1» may not be used in this partition",
            "--account proj2",
        ),
        (
            {"partition": "debug", "account": "proj2"},
            "--qos: «normal» may not be used in this partition",
            "--qos fast",
        ),
        (
            {"account": "proj2", "time_limit": 2 * HOUR},
            "--time-limit: 02:00:00 is more than one job may have in the account proj2: 01:30:00",
            "Ask for at most 01:30:00, or take a QOS that allows it: --qos long",
        ),
        (
            {"account": "proj2", "qos": "fast", "time_limit": 900},
            "in the QOS fast: 00:10:00",
            "--qos long | normal",
        ),
        (
            {"account": "proj1", "cpus": 5, "nodes": 2},
            "--cpus: 10 cores is more than one job may have in the account proj1: 8 cores",
            "Ask for at most 8 cores",
        ),
        (
            {"account": "proj1", "partition": "gpu", "gpus": 2},
            "--gpus: 2 GPUs is more than one job may have in the account proj1: 1 GPU",
            "--qos fast",
        ),
        (
            {"account": "proj2", "partition": "gpu", "qos": "long", "cpus": 9},
            "--cpus: 9 is more than there is",
            "--cpus 8",
        ),
    ],
)
def test_each_objection_names_what_would_do(
    world: World, offer: Offer, wanted: dict[str, Any], problem: str, fix: str
) -> None:
    """What would be refused, or would wait for ever, is told with the way out."""
    with pytest.raises(BadInput) as caught:
        discovery.objections(msgspec.convert(wanted, Resources), sites.find("generic-slurm", world), offer)
    assert problem in caught.value.problem
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    "wanted",
    [
        {"account": "proj2", "time_limit": 90 * 60},
        {"account": "proj2", "partition": "debug", "qos": "fast", "time_limit": 600, "cpus": 4},
        {"account": "proj2", "partition": "compute,debug"},
        {"account": "proj2", "qos": "long", "time_limit": 7 * DAY},
        {"account": "proj2", "partition": "gpu", "time_limit": DAY},
        {"account": "proj1", "partition": "gpu", "qos": "fast", "gpus": 2, "time_limit": 600},
        {"time_limit": 2 * DAY},
    ],
)
def test_what_the_centre_allows_passes(world: World, offer: Offer, wanted: dict[str, Any]) -> None:
    """A QOS goes before the account, a partition's before the job's unless that says otherwise."""
    discovery.objections(msgspec.convert(wanted, Resources), sites.find("generic-slurm", world), offer)
