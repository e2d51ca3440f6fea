"""Stopping a session whose scheduler does not do what it is told; its programs are scripted stand-ins."""

from __future__ import annotations

from pathlib import Path

import pytest

from setup_wizard import running, session
from setup_wizard.errors import MachineBlocks
from setup_wizard.session import Session
from setup_wizard.world import World

RUNS = "echo '7|RUNNING|debug|c1|2026-01-01T00:00:00|2026-01-02T00:00:00|1|proj1|normal|None'"


class Hasty(World):
    """A machine on which time passes only while one waits, and then at once."""

    waited = 0.0

    def now(self) -> float:
        return self.waited

    def sleep(self, seconds: float) -> None:
        self.waited += seconds


@pytest.fixture
def hasty(world: World, tmp_path: Path) -> Hasty:
    """With a Slurm whose job 7 runs, whatever is done."""
    return Hasty(world.home, {**world.env, "PATH": f"{tmp_path}/bin:{world.env['PATH']}"})


@pytest.fixture
def mine(hasty: Hasty) -> Session:
    """A session that is job 7."""
    job = session.Job(hasty.home, hasty.home, scheduler="slurm")
    made = session.reserve(hasty, job, session.this_process(hasty))
    session.save(made := session.Session(made.id, made.folder, job, made.launcher, 0, "7"))
    return made


def program(folder: Path, name: str, text: str) -> None:
    """A program in PATH that does so."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / "bin" / name).chmod(0o755)


def test_what_scancel_says_is_shown(hasty: Hasty, mine: Session, tmp_path: Path) -> None:
    """It refuses: that is told, in its words, and without waiting for an end that nobody has asked for."""
    program(tmp_path, "squeue", RUNS)
    program(
        tmp_path, "scancel", "echo 'scancel: error: Kill job error on job id 7: Access denied' >&2; exit 1"
    )
    with pytest.raises(MachineBlocks, match=r"does not end\. scancel said: .*Access denied"):
        running.stop(hasty, mine)
    assert hasty.waited < running.STOP


def test_a_job_that_cannot_be_cancelled_for_it_is_over_is_stopped(
    hasty: Hasty, mine: Session, tmp_path: Path
) -> None:
    """It ended just before: the scheduler has nothing to cancel any more, and so it is told."""
    program(tmp_path, "squeue", f"[ -e {tmp_path}/over ] || {RUNS}")
    program(
        tmp_path, "scancel", f"touch {tmp_path}/over; echo 'scancel: error: Invalid job id 7' >&2; exit 1"
    )
    assert running.stop(hasty, mine)


def test_a_job_that_takes_no_notice_is_told(hasty: Hasty, mine: Session, tmp_path: Path) -> None:
    """Asked and then ended, it goes on: said with the job's id, when it had its time."""
    program(tmp_path, "squeue", RUNS)
    program(tmp_path, "scancel", "")
    with pytest.raises(MachineBlocks, match=r"does not end\.$") as e:
        running.stop(hasty, mine)
    assert ("7" in e.value.fix, hasty.waited > 2 * running.STOP) == (True, True)
