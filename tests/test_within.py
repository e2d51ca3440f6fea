"""A session in an allocation that the user had already: seen from elsewhere, and from its own node."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from setup_wizard import running, schedulers, session
from setup_wizard.deadline import Deadline
from setup_wizard.errors import MachineBlocks
from setup_wizard.schedulers import Allocation, Gone, Resources, Running
from setup_wizard.session import Job, Process, Session
from setup_wizard.world import World

SQUEUE = """#!/bin/sh
case "$*" in *"-j 7 "*) echo '7|{}|debug|c1|2026-11-22T19:21:15|2026-11-22T20:21:15|4|a|q|None';; esac
"""


@pytest.fixture
def inside(world: World) -> Session:
    """An interactive session that was launched on c1, in the allocation 7."""
    job = Job(world.home / "env", world.home, interactive=True, within=Allocation("slurm", "7"))
    made = session.reserve(world, job, Process("c1", 5, "77"))
    made = msgspec.structs.replace(made, job_id="c1:boot:9:99")
    session.save(made)
    return made


def squeue(world: World, tmp_path: Path, state: str) -> None:
    """A scripted squeue that knows the allocation 7 and nothing else."""
    program = tmp_path / "bin/squeue"
    program.parent.mkdir(exist_ok=True)
    program.write_text(SQUEUE.format(state))
    program.chmod(0o755)
    world.env["PATH"] = f"{program.parent}:{world.env['PATH']}"


@pytest.mark.parametrize(
    ("env", "is_in"),
    [
        ({"SLURM_JOB_ID": "7"}, Allocation("slurm", "7")),
        ({"PBS_JOBID": "7.server"}, Allocation("torque", "7.server")),
        ({"SLURM_JOB_ID": "7", "PBS_JOBID": "7"}, Allocation("slurm", "7")),
        ({"SLURM_JOB_ID": ""}, None),
    ],
)
def test_an_allocation_is_known_by_its_variables(env: dict[str, str], is_in: Allocation | None) -> None:
    """Slurm's own id goes before the one that it gives for Torque's sake."""
    assert schedulers.allocation(env) == is_in


def test_from_another_machine_the_allocation_tells(world: World, inside: Session, tmp_path: Path) -> None:
    """While it lasts, the session runs on its node; when it is over, so is the session, secrets too."""
    squeue(world, tmp_path, "RUNNING")
    assert running.states(world, [inside], fresh=60)[inside.id] == running.states(world, [inside])[inside.id]
    (row,) = running.sessions(world)
    assert (row.state, row.node, row.until > row.started) == ("starting", "c1", False)
    squeue(world, tmp_path, "CANCELLED")
    assert isinstance(running.states(world, [inside])[inside.id], Gone)
    (row,) = running.sessions(world)
    assert (row.state, "its job was cancelled" in row.detail) == ("died", True)
    assert not (inside.folder / "token").exists()


def test_it_is_not_ended_from_another_machine(world: World, inside: Session, tmp_path: Path) -> None:
    """Its process has a number there, which is somebody else's here: that one is left alone."""
    squeue(world, tmp_path, "RUNNING")
    with subprocess.Popen(["sleep", "60"]) as other:
        mine = msgspec.structs.replace(inside, job_id=f"c1:boot:{other.pid}:99")
        session.save(mine)
        with pytest.raises(MachineBlocks, match="runs in your allocation 7 on c1") as told:
            running.stop(world, mine)
        assert f"hpc-jupyter-setup stop {mine.id}" in told.value.fix
        assert other.poll() is None
        other.kill()


def test_the_end_of_the_allocation_is_its_end(world: World, inside: Session, tmp_path: Path) -> None:
    """On its node it ends itself before the allocation does, a minute at most."""
    squeue(world, tmp_path, "RUNNING")
    deadline = Deadline(world, inside)
    deadline.ask()
    state = schedulers.find("slurm").state(world.run(["squeue", "-j", "7 "]), "7")
    assert isinstance(state, Running)
    assert deadline.at == state.until - 60


@pytest.mark.parametrize(
    ("env", "limit", "seconds"),
    [
        ({"SLURM_JOB_END_TIME": "5000"}, 600, 3940),
        ({"PBS_WALLTIME": "900"}, 600, 840),
        ({"PBS_WALLTIME": "?"}, 600, 540),
        ({}, 600, 540),
        ({}, 0, float("inf")),
    ],
)
def test_a_node_that_cannot_ask_goes_by_what_the_job_was_told(
    world: World, monkeypatch: pytest.MonkeyPatch, env: dict[str, str], limit: int, seconds: float
) -> None:
    """No squeue and no qstat there: the job's variables tell, then what was asked for; a minute is kept."""
    monkeypatch.setattr(world, "now", lambda: 1000.0)
    world.env.update(env, PATH=str(world.home))
    job = Job(world.home / "env", world.home, scheduler="torque", resources=Resources(time_limit=limit))
    deadline = Deadline(world, Session("x", world.home, job, Process("c1", 5, "77"), 0, job_id="7"))
    deadline.ask()
    assert deadline.left() == seconds


def test_it_ends_with_the_launch_that_it_belongs_to(world: World, inside: Session) -> None:
    """Who launched it is gone, however that came: it is alone. A job of its own belongs to nobody."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as launch:
        by = Process(world.hostname, launch.pid, world.born(launch.pid))
        deadline = Deadline(world, msgspec.structs.replace(inside, launcher=by))
        assert not deadline.is_alone()
        launch.kill()
        launch.wait()
        assert deadline.is_alone()
    apart = msgspec.structs.replace(inside.job, interactive=False)
    assert not Deadline(world, msgspec.structs.replace(inside, job=apart, launcher=by)).is_alone()
