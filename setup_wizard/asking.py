"""What a scheduler says of jobs: one question for all sessions, and one answer for all who follow them."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from setup_wizard import files, schedulers, session
from setup_wizard.errors import MachineBlocks
from setup_wizard.schedulers import Resources
from setup_wizard.session import End, Session
from setup_wizard.world import Output, World

PATIENCE = 30.0  # seconds for an answer
TURN = PATIENCE + 5  # seconds to wait for one's turn: who asks may have been stopped (Ctrl-Z)
LOOK = 0.05  # seconds between two looks whether it has come
MUCH = 1_000_000  # characters of an answer that are not kept for others: it tells of a whole cluster


class Answer(msgspec.Struct, frozen=True):
    """What a scheduler said of these jobs, and when."""

    at: float
    jobs: list[str]
    code: int
    out: str
    err: str


def ask(world: World, name: str, jobs: Sequence[str], fresh: float = 0) -> Output:
    """What the scheduler of that name says of these jobs, or has said to somebody less than `fresh` s ago.

    Whoever finds the answer too old asks for all sessions, while the others wait for that.
    """
    if not fresh:
        return once(world, name, jobs)
    path = session.home(world) / f".{name}.json"
    with _in_turn(world, path):
        if old := _remembered(world, path, jobs, fresh):
            return Output(old.code, old.out, old.err)
        at, jobs = world.now(), list(dict.fromkeys([*_all_jobs(world, name), *jobs]))
        output = once(world, name, jobs)
        answer = Answer(at, jobs, output.code, output.out, output.err)
        if len(output.out) < MUCH:
            with contextlib.suppress(MachineBlocks):
                files.write(path, msgspec.json.encode(answer), mode=0o600)
        return output


def once(world: World, name: str, jobs: Sequence[str], patience: float = PATIENCE) -> Output:
    """What the scheduler says now; asked in other words where it was not understood."""
    scheduler = schedulers.find(name)
    env = scheduler.environment(world.env, Resources())
    output = world.run(scheduler.status(jobs), env=env, timeout=patience)
    if other := scheduler.otherwise(output, jobs):
        again = world.run(other, env=env, timeout=patience)
        return again if again.out.strip() else output
    return output


def _remembered(world: World, path: Path, jobs: Sequence[str], fresh: float) -> Answer | None:
    try:
        old = msgspec.json.decode(path.read_bytes(), type=Answer)
    except (OSError, msgspec.MsgspecError):
        return None
    return old if 0 <= world.now() - old.at < fresh and set(jobs) <= set(old.jobs) else None


def _all_jobs(world: World, name: str) -> list[str]:
    """The jobs of all sessions of that scheduler that have not ended, as far as their folders say."""
    known = (s for s in session.every(world) if isinstance(s, Session) and s.job.scheduler == name)
    return [s.job_id for s in known if s.job_id and not session.read(s.folder, End)]


@contextlib.contextmanager
def _in_turn(world: World, path: Path) -> Iterator[None]:
    """One asker at a time; each asks for itself where files cannot be locked, or one asks without an end."""
    deadline = world.now() + TURN
    with contextlib.ExitStack() as held:
        with contextlib.suppress(OSError):
            lock = held.enter_context(path.with_suffix(".lock").open("a"))
            while not _locked(lock) and world.now() < deadline:
                world.sleep(LOOK)
        yield


def _locked(lock: IO[str]) -> bool:
    """Whether it is ours now; OSError where nothing can be locked."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
