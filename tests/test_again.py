"""`launch --again`, and a system that its markers do not tell from another: nothing is taken for granted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import pexpect
import pytest

from setup_wizard.cli.ordering import Manner, Source, wanted
from setup_wizard.errors import MachineBlocks
from setup_wizard.schedulers import Resources
from setup_wizard.session import Job
from setup_wizard.wish import Wish, remember
from setup_wizard.world import World
from tests.program import ROOT, Account
from tests.test_launch_flags import GOOD, environment

DOWN, ENTER, CTRL_C = "\x1b[B", "\r", "\x03"


@pytest.fixture
def account(tmp_path: Path) -> Account:
    """Somebody who has launched a job on Expanse, as it may be."""
    account = Account(tmp_path / "home")
    prefix = environment(tmp_path / "env", {**GOOD, "notebook": "7.4.0"})
    resources = Resources(account="p1", partition="debug", time_limit=600)
    was = Job(prefix, account.home, site="expanse", scheduler="slurm", access="tunnel", resources=resources)
    remember(World(account.home, account.env), was)
    return account


def again(account: Account, *words: str) -> Any:
    """What `launch --again` would do."""
    return account.facts("launch", "--again", "--dry-run", *words)


def changed(account: Account, tmp_path: Path, **now: Any) -> None:
    """Let the last launch have been another one."""
    resources = Resources(account="p1", partition="debug", time_limit=600)
    was = Job(tmp_path / "env", account.home, site="expanse", scheduler="slurm", resources=resources)
    remember(World(account.home, account.env), msgspec.structs.replace(was, **now))


def test_the_same_is_judged_anew(account: Account, tmp_path: Path) -> None:
    """What may not be had any more is refused before it is submitted, as without --again."""
    assert "#SBATCH --partition=debug" in again(account)["script"]
    changed(account, tmp_path, resources=Resources(account="p1", partition="debug", time_limit=36000))
    said = again(account)
    assert said["error"]["code"] == 2
    assert "more than the partition debug allows" in said["error"]["problem"]


def test_what_is_said_beside_counts(account: Account) -> None:
    """--again but for these; another system is another launch."""
    script = again(account, "-p", "shared", "-t", "5", "--interface", "notebook")["script"]
    for line in ("--partition=shared", "--time=00:05:00", "--account=p1"):
        assert f"#SBATCH {line}" in script
    refused = again(account, "--site", "tscc2")["error"]
    assert (refused["code"], "The last launch was on expanse" in refused["problem"]) == (2, True)


def test_a_login_node_is_no_place_for_jupyter_the_second_time(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has said --here once says it again."""
    changed(account, tmp_path, scheduler="local", access="local", resources=Resources())
    monkeypatch.setattr(World, "hostname", "login01")
    world = World(account.home, account.env)
    with pytest.raises(MachineBlocks, match="login01 is a login node of SDSC Expanse"):
        wanted(world, Wish(), Source(again=True), Manner())
    order = wanted(world, Wish(here=True), Source(again=True), Manner())
    assert order
    assert order.job.prefix == tmp_path / "env"


@pytest.fixture
def twins(account: Account) -> Account:
    """The same on a system whose markers fit two site files."""
    folder = account.home / ".config/hpc-jupyter-setup/sites"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        (folder / f"{name}.yml").write_text(
            f"name: {name}\ntitle: Cluster {name}\nscheduler: slurm\naccount: required\n"
            "access: [tunnel]\nmarkers: {environment: {TWINS: ''}}\n"
        )
    account.env["TWINS"] = "1"
    return account


def test_which_of_two_systems_it_is_is_said(twins: Account, tmp_path: Path) -> None:
    """Without a terminal the first is taken, and the flag named."""
    done = twins.run("launch", "-e", str(tmp_path / "env"), "-A", "p1", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "This may be one or two, and is taken for one: --site NAME says which it is." in done.stderr


def test_which_of_two_systems_it_is_is_asked(twins: Account, tmp_path: Path) -> None:
    """At a terminal the person says it, and the launch goes on there."""
    argv = ["-m", "setup_wizard", "launch", "-e", str(tmp_path / "env")]
    env = {**twins.env, "TERM": "xterm", "PYTHONPATH": str(ROOT), "PROMPT_TOOLKIT_NO_CPR": "1"}
    child = pexpect.spawn(sys.executable, argv, env=env, encoding="utf-8", timeout=30, dimensions=(40, 120))
    child.expect_exact("Which system is this?")
    child.expect_exact("Cluster two")
    child.send(DOWN + ENTER)
    child.expect_exact("A job on Cluster two.")
    child.send(CTRL_C)
    child.expect(pexpect.EOF)
