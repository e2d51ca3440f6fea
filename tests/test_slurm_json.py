"""`squeue --json`, where the columns cannot be read: each of its dialects, and when it is asked at all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from setup_wizard import asking, session
from setup_wizard.schedulers import Gone, Running, Unknown, Waiting
from setup_wizard.schedulers.slurm import Slurm
from setup_wizard.world import Output, World

SAID: dict[str, Any] = YAML(typ="safe").load(Path(__file__).with_name("transcripts") / "squeue_json.yml")
DIALECTS = ["22.05", "23.02", "23.11", "24.05", "24.11"]
JOBS = ("4651", "4652", "4653", "4654")
FOLDED = "4651|RUNNING|debug|c1|2026-1\n1-25T03:53:46|2026-11-25T04:\n03:46|8|proj1|normal|None\n"


@pytest.fixture(autouse=True)
def utc() -> Iterator[None]:
    """The time zone of the machine where the columns were recorded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_dialect_says_what_the_columns_say(dialect: str) -> None:
    """Where a job runs and until when, why one waits and when it may start, and that one has ended."""
    for job in JOBS:
        told = Slurm().state(Output(0, SAID[dialect]), job)
        assert told == Slurm().state(Output(0, SAID["columns"]), job)
    assert isinstance(Slurm().state(Output(0, SAID[dialect]), "4651"), Running)


@pytest.mark.parametrize(
    ("job", "is_now"),
    [
        ("61", Running("c1", 200, 100, 8)),
        ("63", Running("c1", 0, 100, 8)),
        ("67", Running("c1", 200, 100, 8)),
        ("66", Unknown("Slurm says «LEVITATING», which is not known here")),
    ],
)
def test_what_only_lists_and_objects_can_say(job: str, is_now: object) -> None:
    """A job that is being cleared away still runs; an infinite end is none; other flags do not matter."""
    assert Slurm().state(Output(0, SAID["more"]), job) == is_now


@pytest.mark.parametrize(
    ("job", "says"), [("62", "handed in"), ("64", "down or reserved"), ("65", "handed in")]
)
def test_a_waiting_job_tells_why(job: str, says: str) -> None:
    """Also in the sentence that Slurm puts beside its reason; while its node is prepared it still waits."""
    waiting = Slurm().state(Output(0, SAID["more"]), job)
    assert isinstance(waiting, Waiting)
    assert says in waiting.reason


def test_what_is_no_answer_ends_nothing() -> None:
    """An error in place of the queue, a torn answer, another program's JSON: unknown."""
    for text in (SAID["trouble"], SAID["24.11"][:-9], '{"queue": []}', "[1, 2"):
        assert isinstance(Slurm().state(Output(0, text), "4651"), Unknown)


def test_a_job_that_the_whole_queue_does_not_name_is_gone() -> None:
    """As it is with the columns."""
    assert isinstance(Slurm().state(Output(0, SAID["24.05"]), "4660"), Gone)


def test_a_site_may_say_something_above_it() -> None:
    """Lines of a wrapper before the answer are passed over."""
    text = f"Welcome to the cluster\n{SAID['23.11']}"
    assert isinstance(Slurm().state(Output(0, text), "4651"), Running)


# --- when it is asked -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "asks"),
    [
        (Output(0, SAID["columns"]), False),
        (Output(0, f"Maintenance on Monday\n{SAID['columns']}"), False),
        (Output(0, ""), False),
        (Output(1, "", "slurm_load_jobs error: Invalid job id specified"), False),
        (Output(0, SAID["22.05"]), False),
        (Output(0, FOLDED), True),
        (Output(0, "JOBID PARTITION STATE\n4651 debug RUNNING\n"), True),
        (Output(0, f"Maintenance on Monday\n{SAID['columns'].partition('4652')[0]}"), True),
    ],
)
def test_it_is_asked_only_where_the_columns_hide_a_job(output: Output, asks: bool) -> None:
    """Folded lines, another format, or a line that is none of a job while one is missing; else never."""
    other = Slurm().otherwise(output, ["4651", "4652"])
    assert other == (["squeue", "--json", "-t", "all", "-j", "4651,4652"] if asks else [])


def scripted(world: World, tmp_path: Path, columns: str, json: str) -> Path:
    """A squeue, scripted, that answers with these files; where it writes down its calls."""
    for name, text in (("columns", columns), ("json", json)):
        (tmp_path / name).write_text(text)
    program, log = tmp_path / "bin/squeue", tmp_path / "asked"
    program.parent.mkdir()
    program.write_text(
        f'#!/bin/sh\necho "$*" >> {log}\n'
        f'case "$*" in *--json*) [ -s {tmp_path}/json ] && exec cat {tmp_path}/json; exit 1 ;; esac\n'
        f"exec cat {tmp_path}/columns\n"
    )
    program.chmod(0o755)
    world.env["PATH"] = f"{program.parent}:{world.env['PATH']}"
    session.home(world).mkdir(parents=True)
    return log


def test_a_squeue_that_folds_its_lines_is_understood(world: World, tmp_path: Path) -> None:
    """Its second answer counts, and is kept for all who follow like a first one."""
    log = scripted(world, tmp_path, FOLDED, SAID["24.05"])
    for _ in range(2):
        assert isinstance(Slurm().state(asking.ask(world, "slurm", ["4651"], fresh=60), "4651"), Running)
    assert len(log.read_text().splitlines()) == 2


def test_the_queue_of_a_whole_cluster_is_not_kept(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slurm 22.05 tells of all jobs, whichever was asked for: that does not go to the disk of the home."""
    monkeypatch.setattr(asking, "MUCH", 100)
    scripted(world, tmp_path, FOLDED, SAID["22.05"])
    assert isinstance(Slurm().state(asking.ask(world, "slurm", ["4651"], fresh=60), "4651"), Running)
    assert not list(session.home(world).glob(".slurm.json"))


def test_without_json_nothing_is_known_and_nothing_ended(world: World, tmp_path: Path) -> None:
    """A Slurm that was built without it: what squeue said is told, and the job is not taken for gone."""
    scripted(world, tmp_path, FOLDED, "")
    told = Slurm().state(asking.ask(world, "slurm", ["4651"]), "4651")
    assert told == Unknown("squeue answers «4651|RUNNING|debug|c1|2026-1»")
