"""One question to the scheduler for all who follow sessions."""

from __future__ import annotations

import fcntl
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from setup_wizard import asking, running, session
from setup_wizard.session import Address, Job, Place, Proven
from setup_wizard.world import World

SQUEUE = """#!/bin/sh
echo "$@" >> {log}
sleep 0.2
echo "7|PENDING|debug||N/A|N/A|1|proj1|normal|Priority"
"""


@pytest.fixture
def log(tmp_path: Path, world: World) -> Path:
    """Where a squeue, scripted and slow, writes down how it was called."""
    program, said = tmp_path / "bin/squeue", tmp_path / "asked"
    program.parent.mkdir()
    program.write_text(SQUEUE.format(log=said))
    program.chmod(0o755)
    world.env["PATH"] = f"{program.parent}:{world.env['PATH']}"
    session.home(world).mkdir(parents=True)
    return said


def test_many_who_ask_at_once_share_one_answer(world: World, log: Path) -> None:
    """Thirty followers that find the answer too old at the same moment make one squeue."""
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: asking.ask(world, "slurm", ["7"], fresh=60).out, range(30)))
    assert [a.partition("|")[0] for a in answers] == ["7"] * 30
    assert len(log.read_text().splitlines()) == 1


def test_an_answer_about_other_jobs_does_not_count(world: World, log: Path) -> None:
    """Who asks for a job that the last answer was not about asks anew."""
    asking.ask(world, "slurm", ["7"], fresh=60)
    asking.ask(world, "slurm", ["8"], fresh=60)
    assert [line.split()[4] for line in log.read_text().splitlines()] == ["7", "8"]


def test_who_is_stopped_while_asking_does_not_stop_the_others(
    world: World, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-Z in the middle of a question keeps its turn for hours: the next one asks for itself in time."""
    monkeypatch.setattr(asking, "TURN", 0.3)
    with (session.home(world) / ".slurm.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert asking.ask(world, "slurm", ["7"], fresh=60).out.startswith("7|")


def test_the_list_of_sessions_does_with_an_answer_that_another_had(world: World, log: Path) -> None:
    """Laptops that look every few seconds are no load; what the job itself has noted is seen at once."""
    job = Job(world.home, world.home, scheduler="slurm")
    mine = session.reserve(world, job, session.this_process(world))
    session.save(msgspec.structs.replace(mine, job_id="7"))
    assert [running.sessions(world, fresh=60)[0].state for _ in range(5)] == ["waiting"] * 5
    assert len(log.read_text().splitlines()) == 1
    session.write(mine.folder, Place(session.this_process(world), world.home))
    assert running.sessions(world, fresh=60)[0].state == "starting"
    session.write(mine.folder, Address("http://127.0.0.1:1/", "c1", 1, world.now()))
    assert running.sessions(world, fresh=60)[0].detail == running.UNPROVEN
    session.write(mine.folder, Proven("http://127.0.0.1:1/", "/prefix", "42", "websocket"))
    assert running.sessions(world, fresh=60)[0].state == "ready"
    assert len(log.read_text().splitlines()) == 1
    running.sessions(world)
    assert len(log.read_text().splitlines()) == 2
