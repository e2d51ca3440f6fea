"""The weaker level: a real Slurm where no namespaces are needed, in every run, so that it does not rot."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from setup_wizard import connect, session
from setup_wizard.connect import logged_in
from setup_wizard.world import World
from tests import session_parts
from tests.cluster.nodes import CannotStart
from tests.cluster.plain import Plain
from tests.program import ROOT
from tests.session_parts import until
from tests.ssh_server import SshServer

pytestmark = pytest.mark.real
SITE = """
name: plain
title: Slurm on loopback
scheduler: slurm
login: [login]
access: [tunnel]
ssh_to_compute: "yes"
"""


@pytest.fixture(scope="module")
def plain() -> Iterator[Plain]:
    """Slurm, up for all tests here."""
    try:
        made = Plain()
    except CannotStart as e:
        pytest.skip(f"no Slurm on this machine: {e}")
    with made:
        yield made


@pytest.fixture
def account(plain: Plain, tmp_path: Path) -> Iterator[World]:
    """The account on the cluster, with our program and the site."""
    (tmp_path / "far").mkdir()
    world = session_parts.machine(tmp_path / "far")
    tool = world.home / ".local/bin/hpc-jupyter-setup"
    tool.parent.mkdir(parents=True)
    tool.write_text(f'#!/bin/sh\nexec {sys.executable} -m setup_wizard "$@"\n')
    tool.chmod(0o755)
    site = world.home / ".config/hpc-jupyter-setup/sites/plain.yml"
    site.parent.mkdir(parents=True)
    site.write_text(SITE)
    world.env.update(plain.env, PYTHONPATH=str(ROOT), XDG_CACHE_HOME=str(plain.base / "cache"))
    yield world
    plain.run("scancel", "--me")


def test_from_submission_to_a_cell_and_to_its_end(
    world: World, plain: Plain, account: World, jupyter_prefix: Path, tmp_path: Path
) -> None:
    """From the laptop: a job of Slurm, a tunnel to its node, a cell; stopped, nothing is left of it."""
    with (
        SshServer(tmp_path, account.env) as sshd,
        logged_in(world, "login", str(sshd.config)) as far,
    ):
        words = ["--site", "plain", "-e", str(jupyter_prefix), "-p", "debug", "-t", "10"]
        what = connect.reach(far, connect.launch(far, words))
        assert what.proof.answer == "42"
        assert what.tunnel
        assert what.tunnel.kind == "ssh"
        mine = session.find(account, what.seen.id)
        assert plain.run("squeue", "-h", "-o", "%i %N").split() == [mine.job_id, "c1"]
        connect.stop(far, mine.id)
    until(lambda: not plain.run("squeue", "-h"))
    session_parts.assert_nothing_left(account, mine)
