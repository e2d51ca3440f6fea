"""`launch` at a terminal of the login node, the first time and the second: asked once, then remembered."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pexpect
import pytest

from setup_wizard.mirror import build
from setup_wizard.world import World
from tests.cluster.cluster import CHECKOUT, Cluster
from tests.cluster.lab import PROGRAM, SESSIONS, Lab
from tests.cluster.machine import hear_ctrl_c, until
from tests.conftest import CACHE

pytestmark = pytest.mark.real
ENV = {"PYTHONPATH": str(CHECKOUT), "TERM": "xterm"}
LAUNCH = [*PROGRAM, "launch"]
# What the wizard needs not ask of a bare account; the last question is whether to launch.
SET_UP = ["--distribution", "miniforge", "--environments", "jupyterlab", "--channels", "conda-forge"]
SET_UP += ["--notebooks", "none", "--no-shell", "--no-login-file", "--no-old-blocks"]
ENTER = "\r"
SITE = "name: paid\ntitle: The paid one\nscheduler: slurm\naccount: required\naccess: [tunnel]\n"
FULL = "sbatch --parsable -p debug --exclusive -t 10 -o /dev/null"  # fills the node
# A slow sbatch: it tells that it has begun, and hands over to the real one when it is let.
SLOW = """#!/bin/sh
touch ~/handing-over
while [ ! -e ~/let-it ]; do sleep 0.05; done
exec /usr/bin/sbatch "$@"
"""


@pytest.fixture
def paid(cluster: Cluster) -> Cluster:
    """A site that wants to know who pays, and does not tell whose accounts there are."""
    return as_a_site(cluster)


def as_a_site(cluster: Cluster) -> Cluster:
    """The cluster, with the site file in alice's home."""
    folder = "~/.config/hpc-jupyter-setup/sites"
    cluster.login.sh(f"mkdir -p {folder}; printf %s {shlex.quote(SITE)} > {folder}/paid.yml")
    return cluster


@pytest.fixture
def lots(accounted: Cluster) -> Cluster:
    """A site that keeps accounts, and tells whose there are."""
    return as_a_site(accounted)


def launch(cluster: Cluster, *words: str, env: dict[str, str] | None = None) -> Any:
    """The command on a terminal of the login node."""
    return terminal(cluster, [*LAUNCH, "--site", "paid", *words], env)


def terminal(cluster: Cluster, argv: list[str], env: dict[str, str] | None = None) -> Any:
    """A terminal of the login node."""
    first, *rest = cluster.login.argv(argv)
    return pexpect.spawn(
        first,
        rest,
        env=cluster.login.env({**ENV, **(env or {})}),
        encoding="utf-8",
        timeout=60,
        dimensions=(40, 200),
        preexec_fn=hear_ctrl_c,
    )


def job(cluster: Cluster) -> str:
    """Account, partition and time of the one job that there is."""
    return cluster.login.sh("squeue -h -o '%a %P %l'").strip()


def test_what_is_open_is_asked_once_and_remembered(paid: Cluster, jupyter_prefix: Path) -> None:
    """Account, partition, time: what the site must know and what it offers; the next launch asks nothing."""
    child = launch(paid, "-e", str(jupyter_prefix), "--detach")
    child.expect("Which account\\?")
    child.send(f"proj1{ENTER}")
    child.expect("Which partition\\?")
    child.expect("up to 00:30:00, 1 of 1 nodes idle")
    child.send(f"\x1b[B{ENTER}")
    child.expect("For how long\\?")
    child.send(f"{ENTER}")
    child.expect("At most 00:30:00 there|was handed over")
    child.expect(pexpect.EOF)
    assert job(paid) == "proj1 debug 30:00"
    paid.login.sh("scancel -u alice")
    child = launch(paid, "--detach")
    child.expect(r"As last time: --environment \S+ .*--account proj1 --partition debug --time-limit 00:30:00")
    assert child.expect(["was handed over", r"\?"]) == 0
    child.expect(pexpect.EOF)
    child = launch(
        paid, "-e", str(jupyter_prefix), "--afresh", "-A", "proj2", "-p", "compute", "-t", "5", "--dry-run"
    )
    assert child.expect(["As last time", pexpect.EOF]) == 1


def test_a_partition_with_gpus_asks_how_many(paid: Cluster, jupyter_prefix: Path) -> None:
    """They are named beside it, and the job gets what was chosen."""
    child = launch(paid, "-e", str(jupyter_prefix), "-A", "proj1", "-t", "5", "--detach")
    child.expect("Which partition\\?")
    child.expect("2 GPUs a100")
    child.send("\x1b[B\x1b[B")
    child.send(ENTER)
    child.expect("How many GPUs\\?")
    child.send(f"\x1b[B{ENTER}")
    child.expect("was handed over")
    child.expect(pexpect.EOF)
    assert job(paid) == "proj1 gpu 5:00"
    assert "gpu:2" in paid.login.sh("squeue -h -o %b")


def test_the_qos_is_asked_for_where_the_account_has_several(lots: Cluster, jupyter_prefix: Path) -> None:
    """proj2 has one, so nothing is asked; proj1 has two, and what was chosen bounds the time and is kept."""
    child = launch(lots, "-e", str(jupyter_prefix), "-A", "proj2", "-p", "compute", "--detach")
    assert child.expect(["Which QOS\\?", "For how long\\?"]) == 1
    child.sendintr()
    child.expect(pexpect.EOF)
    child = launch(lots, "-e", str(jupyter_prefix), "-p", "compute", "--detach")
    child.expect("Which account\\?")
    child.send(ENTER)
    child.expect("Which QOS\\?")
    child.expect("fast.+up to 00:20:00")
    child.send(f"\x1b[A{ENTER}")
    child.expect("For how long\\?")
    child.send(ENTER)
    child.expect("was handed over")
    child.expect(pexpect.EOF)
    assert lots.login.sh("squeue -h -o '%a %P %q %l'").split() == ["proj1", "compute", "fast", "20:00"]
    lots.login.sh("scancel -u alice")
    child = launch(lots, "--detach")
    child.expect("As last time: .*--account proj1 --partition compute --qos fast")
    assert child.expect(["was handed over", r"\?"]) == 0
    child.expect(pexpect.EOF)


def test_without_a_terminal_nothing_is_asked(paid: Cluster, jupyter_prefix: Path) -> None:
    """The error names the flag; nothing is handed over."""
    words = ["--site", "paid", "-e", str(jupyter_prefix), "-p", "debug", "--json"]
    done = paid.login.run([*LAUNCH, *words], env=ENV, timeout=60)
    assert "--account" in json.loads(done.stdout)["error"]["fix"]
    assert job(paid) == ""


@pytest.mark.parametrize("answer", ["y", "n"])
def test_ctrl_c_while_it_is_handed_over(paid: Cluster, jupyter_prefix: Path, answer: str) -> None:
    """The job is not lost: sbatch ends its work, then it is asked whether to leave it or to end it."""
    paid.login.sh(f"mkdir -p ~/bin; printf %s {shlex.quote(SLOW)} > ~/bin/sbatch; chmod +x ~/bin/sbatch")
    words = ("-e", str(jupyter_prefix), "-A", "proj1", "-p", "debug", "-t", "10")
    path = f"{paid.home}/bin:/usr/bin:/bin"
    child = launch(paid, *words, env={"PATH": paid.login.sh(f"echo ~/bin:{path}").strip()})
    until(lambda: "handing-over" in paid.login.sh("ls"))
    child.sendintr()
    child.expect("just being handed over")
    paid.login.sh("touch let-it")
    child.expect("Leave it there\\?")
    child.send(answer + ENTER)
    child.expect(r"\w+-\w+ (goes on|was ended)\.")
    assert child.match[1] == ("goes on" if answer == "y" else "was ended")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    until(lambda: bool(job(paid)) == (answer == "y"))


def test_the_wizard_launches_at_the_end(lab: Lab) -> None:
    """It says how Jupyter will be reached, and reaches it so; it packs for a site that wants it packed.

    Whose rc file is to stay hears which file of conda's makes it known.
    """
    more = "markers: {cluster: lab}\npacked: true\n"
    lab.cluster.login.sh("cat >> ~/.config/hpc-jupyter-setup/sites/lab.yml", input=more)
    mirror = build.build(World.here(), CACHE / "mirror").path
    where = ("--prefix", f"{lab.cluster.user.home}/miniforge3", "--mirror", str(mirror))
    child = terminal(lab.cluster, [*PROGRAM, "setup", *SET_UP, *where])
    child.expect("Start Jupyter when all is done\\?")
    child.expect("As a job on The cluster of the tests, reached by its Reverse Proxy Service")
    child.send(ENTER)
    child.expect("change nothing and leave")
    child.send(ENTER)
    child.expect("source ~/miniforge3/etc/profile.d/conda.sh", timeout=180)
    child.expect("Which partition\\?")
    child.expect("2 GPUs a100")
    child.send(f"\x1b[B{ENTER}")
    child.expect("For how long\\?")
    child.send(ENTER)
    child.expect(r"a cell has run through this address in\s+/tmp/hjs-", timeout=120)
    child.expect(r"https://(\S+)\.rps\.test/lab\?token=(\w+)")
    child.expect(pexpect.EOF)
    (row,) = lab.run("sessions")["sessions"]
    lab.know(row["id"], row["url"])
    assert '"42"' in lab.cluster.login.sh(f"cat {SESSIONS}/{row['id']}/proven.json")


def test_ctrl_c_while_it_waits(paid: Cluster, jupyter_prefix: Path) -> None:
    """The node is busy: asked, who leaves the job finds it in the queue, who ends it does not."""
    paid.login.sh(f"{FULL} --wrap 'sleep 300'")
    words = ("-e", str(jupyter_prefix), "-A", "proj1", "-p", "debug", "-t", "10")
    for answer, said, queue in (("y", "goes on", "PENDING\n"), ("n", "was ended", "")):
        child = launch(paid, *words)
        child.expect("In the queue")
        child.sendintr()
        child.expect("is in the queue\\. Leave it there\\?")
        child.expect("end the session")
        child.send(answer + ENTER)
        child.expect(rf"\w+-\w+ {said}\.")
        child.expect(pexpect.EOF)
        child.close()
        assert child.exitstatus == 130
        until(lambda queue=queue: paid.login.sh("squeue -h -n jupyter -o %T") == queue)  # type: ignore[misc]
        paid.login.sh("scancel -n jupyter")


def test_it_is_not_waited_for_without_an_end(paid: Cluster, jupyter_prefix: Path) -> None:
    """After --patience minutes in the queue it says so, leaves the session there, and how to go on."""
    paid.login.sh(f"{FULL} --wrap 'sleep 300'")
    words = ("-e", str(jupyter_prefix), "-A", "proj1", "-p", "debug", "-t", "10", "--patience", "0.01")
    done = paid.login.run([*LAUNCH, "--site", "paid", *words, "--json"], env=ENV, timeout=60)
    error = json.loads(done.stdout)["error"]
    assert "did not start within 1 s. It was left as it is." in error["problem"]
    assert ("hpc-jupyter-setup url" in error["fix"], done.returncode) == (True, 3)
    assert paid.login.sh("squeue -h -n jupyter -o %T") == "PENDING\n"
