"""What cannot be had on the real cluster is refused with its fix, and nothing is submitted for it."""

from __future__ import annotations

import json
import sys

import pytest

from tests.cluster.cluster import CHECKOUT
from tests.cluster.lab import PROGRAM, SITE, Lab

pytestmark = pytest.mark.real
# What is added to a launch that would go well; what is said, problem and fix; the exit code.
REFUSED = (
    (["--site", "lap"], "no site «lap». Did you mean lab?", "sites list", 2),
    (["--site", "odd"], "odd.yml:10:1: the key «colour» is not known", "Allowed are", 2),
    (["-p", "debgu"], "no partition «debgu» here. Did you mean debug?", "compute, debug, gpu", 2),
    (["-A", "nobody"], "the account is not one of yours", "sacctmgr", 2),
    (["-t", "-5"], "cannot be negative", "HH:MM:SS", 2),
    (["-t", "99999999999"], "is not a time", "HH:MM:SS", 2),
    (["-t", "5:00:00"], "than the partition debug allows: 00:30:00", "--partition compute", 2),
    (["-g", "1"], "the partition debug has none", "--partition compute | gpu", 2),
    (["-c", "99"], "8 cores on a node", "--cpus 8", 2),
    (["-m", "999G"], "16000 MB of memory on a node", "--memory 16000M", 2),
    (["--reservation", "exma"], "no reservation «exma» here. Did you mean exam?", "exam, course", 2),
    (["--reservation", "exam"], "Slurm did not take the job: the reservation is not for you", "scontrol", 2),
    (["--env-modules", "no/such"], "The module no/such cannot be loaded", "module", 2),
    (["-C", "quick"], "no node has the feature", "sinfo", 2),
    (["-d", "/home/alice/nowhere"], "is not a folder", "mkdir -p /home/alice/nowhere", 2),
    (["-d", "/home/alice/closed"], "cannot be written to", "--notebook-dir", 2),
    (["--access", "rsp"], "Did you mean rps?", "rps, tunnel", 2),
)
OTHERS = (
    (["-e", "/home/alice/bare"], "jupyterlab is not installed", "pip install jupyterlab", 2),
    (["-e", "nowhere"], "no environment «nowhere»", "env create nowhere", 2),
    (["--sif", "/home/alice/no.sif"], "there is no image /home/alice/no.sif", "ls -l /home/alice", 2),
)
ON_THE_LOGIN_NODE = (
    (["--site", "shared", "--scheduler", "local"], "At most ten minutes of CPU.", "compute node", 3),
)


def test_when_it_would_start_is_asked_and_nothing_is_submitted(lab: Lab) -> None:
    """`--test-only`: the scheduler's own words; the queue, the sessions and the proxy stay as they were."""
    assert " to start at " in lab.run("launch", *lab.words, "--test-only")["said"]
    assert lab.run("sessions")["sessions"] == []
    assert not lab.cluster.login.sh("squeue -h").strip()
    assert lab.cluster.rps.tokens() == {}


def test_nothing_is_submitted_for_it(lab: Lab) -> None:
    """Each is told in words with its exit code; no job, no session and no name at the proxy is left of it."""
    odd = SITE.format(ca=lab.cluster.rps.ca, ssh="yes").replace("lab", "odd") + "colour: blue\n"
    make = "cd .config/hpc-jupyter-setup/sites; cat > odd.yml; sed 's/: lab/: shared/' lab.yml > shared.yml"
    policy = "echo 'login_hosts: [login]\nlogin_policy: At most ten minutes of CPU.' >> shared.yml"
    lab.cluster.login.sh(
        f"mkdir -m 500 closed; {sys.executable} -m venv --without-pip bare; {make}; {policy}", input=odd
    )
    cases = [([*lab.words, *more], *rest) for more, *rest in REFUSED]
    cases += [(["--site", "lab", "-p", "debug", *more], *rest) for more, *rest in OTHERS]
    cases += [([*lab.words[2:4], *more], *rest) for more, *rest in ON_THE_LOGIN_NODE]
    for words, problem, fix, code in cases:
        said = lab.call("launch", *words)["error"]
        assert problem in said["problem"], said
        assert fix in said["fix"], said
        assert said["code"] == code, said
    assert lab.run("sessions")["sessions"] == []
    assert not lab.cluster.login.sh("squeue -h").strip()
    assert lab.cluster.rps.tokens() == {}


def test_from_outside_of_the_cluster_there_is_no_proxy(lab: Lab) -> None:
    """On the laptop, with the site's own file: nothing is submitted, and the other way is named."""
    laptop, folder = lab.cluster.laptop, "~/.config/hpc-jupyter-setup/sites"
    site = SITE.format(ca=lab.cluster.rps.ca, ssh="yes")
    laptop.sh(f"mkdir -p {folder}; cat > {folder}/lab.yml", input=site)
    words = [*PROGRAM, "launch", *lab.words, "--here", "--access", "rps", "--json"]
    said = json.loads(laptop.run(words, env={"PYTHONPATH": str(CHECKOUT)}).stdout)["error"]
    assert "serves only machines of its cluster" in said["problem"]
    assert "--access tunnel" in said["fix"]
    assert said["code"] == 3


def test_connect_has_the_exit_code_of_the_launch_there(lab: Lab) -> None:
    """A partition that is not there: the cluster's words, and bad input on the laptop too."""
    words = [*PROGRAM, "connect", "login", "--no-browser", *lab.words, "-p", "debgu"]
    done = lab.cluster.laptop.run(words, env={"PYTHONPATH": str(CHECKOUT)})
    assert done.returncode == 2
    assert "login: --partition: you have no partition «debgu» here" in done.stderr
