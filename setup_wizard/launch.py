"""Launch a session and prove it. Listing and stopping are in `running`, and offered here too.

    reserve -> submit -> save -> attach -> follow -> prove

Whatever interrupts this, the session's folder tells how far it came, and `sessions` and `stop` go on from it.
"""

from __future__ import annotations

import os

import msgspec

from setup_wizard import access, proof, schedulers, session
from setup_wizard.errors import BadInput, MachineBlocks, NotProven, SetupError
from setup_wizard.proof import Proof, Target
from setup_wizard.running import Row, bury, forget_old, sessions, states, stop, stop_all, url_of
from setup_wizard.schedulers import Gone
from setup_wizard.session import Address, End, Job, Place, Session
from setup_wizard.world import Progress, Report, World, silent

__all__ = ["Launched", "Row", "follow", "launch", "sessions", "stop", "stop_all", "target_of", "url_of"]

LOOK = 0.1  # seconds between two looks into the session's folder
ASK = 2.0  # seconds between two questions to the scheduler
FOLLOW = 330.0  # seconds for a running job to give an address; serve itself gives up a little earlier

# What a launch reports: one line that changes.
START = "Starting Jupyter"
WAIT = f"{START}: waiting for its first answer"
PROVE = f"{START}: running a cell through the URL"


class Launched(msgspec.Struct, frozen=True):
    """A session that answers, its URL with the token, and the proof."""

    session: Session
    address: Address
    url: str
    proof: Proof


def launch(world: World, job: Job, report: Report = silent) -> Launched:
    """Start a session and give it when a cell has run through its URL.

    Raises BadInput for what cannot be started, MachineBlocks when it dies, NotProven when it does not hold
    what it should (it is stopped then). Ctrl-C leaves it as it is.
    """
    _check(job)
    forget_old(world)
    report(Progress(START))
    mine = _submit(world, job)
    address = follow(world, mine, report)
    report(Progress(PROVE))
    try:
        target = target_of(mine, address)
        return Launched(mine, address, target.url, proof.prove(world, target))
    except (NotProven, MachineBlocks) as e:
        stop(world, mine)
        end = session.read(mine.folder, End)
        if end and end.how == "died":  # that is why, and it says more
            raise _no_address(mine, end) from e
        raise NotProven(f"{e.problem} The session {mine.id} was stopped.", fix=e.fix) from e


def target_of(mine: Session, address: Address) -> Target:
    """What is to be proven of a session that answers."""
    token, sign = session.secret(mine, "token"), session.sign(mine)
    return Target(url_of(mine, address), token, sign, mine.job.prefix)


def _check(job: Job) -> None:
    python = job.prefix / "bin/python"
    if not os.access(python, os.X_OK):
        raise BadInput(
            f"{job.prefix} is not an environment with a Python: {python} is missing.",
            fix="See which there are: hpc-jupyter-setup status",
        )
    if not job.folder.is_dir():
        raise BadInput(f"{job.folder} is not a folder.", fix=f"mkdir -p {job.folder}")
    if job.idle_minutes < 0:
        raise BadInput("The time without work cannot be negative.", fix="--idle 60; 0 means for ever")


def _submit(world: World, job: Job) -> Session:
    """A session whose job the scheduler has taken."""
    scheduler, way = schedulers.find(job.scheduler), access.find(job.access)
    mine = session.reserve(world, job, session.this_process(world))
    ticket = way.reserve(world, access.Way())
    session.write(mine.folder, ticket)
    try:
        start = [*world.own_python("setup_wizard.serve"), str(mine.folder)]
        argv, env = scheduler.submit(start, mine.folder), world.clean_env(**world.own_python_env())
        job_id = scheduler.job_id(world.run(argv, env=env, cwd=mine.folder, timeout=60))
    except SetupError:
        way.release(world, ticket)
        session.remove(mine)
        raise
    mine = msgspec.structs.replace(mine, job_id=job_id)
    session.save(mine)
    way.attach(world, ticket, job_id)
    return mine


def follow(world: World, mine: Session, report: Report = silent) -> Address:
    """Wait for the address; MachineBlocks tells why there will be none."""
    told, asked, deadline = START, world.now(), world.now() + FOLLOW
    while world.now() < deadline:
        if address := session.read(mine.folder, Address):
            return address
        if end := session.read(mine.folder, End):
            raise _no_address(mine, end)
        phase = WAIT if session.read(mine.folder, Place) else START
        if phase != told:
            report(Progress(told := phase))
        if world.now() - asked > ASK:
            asked = world.now()
            if isinstance(state := states(world, [mine])[mine.id], Gone):
                raise _no_address(mine, bury(world, mine, state.reason))
        world.sleep(LOOK)
    raise MachineBlocks(
        f"The session {mine.id} gave no address within {FOLLOW:.0f} s.",
        fix=f"hpc-jupyter-setup stop {mine.id}, then launch again",
    )


def _no_address(mine: Session, end: End) -> MachineBlocks:
    problem = end.problem or f"The session {mine.id} was {end.how} before it had started."
    return MachineBlocks(f"{problem}\nIts logs are in {mine.folder}.", fix=end.fix or "Launch again.")
