"""One question to the scheduler for all who follow sessions."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from setup_wizard import asking, session
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
