"""Launch a session and prove it. Listing and stopping are in `running`, and offered here too.

    check -> reserve -> submit -> save -> attach -> follow -> prove

Whatever interrupts this, the session's folder tells how far it came, and `sessions` and `stop` go on from it.
"""

from __future__ import annotations

import msgspec

from setup_wizard import access, proof, session, submission
from setup_wizard.access import Way
from setup_wizard.errors import NotProven
from setup_wizard.following import LOOK, PROVE, START, WAIT, Following, follow
from setup_wizard.proof import Proof, Target
from setup_wizard.running import Row, forget_old, prefix_of, sessions, stop, stop_all, url_of
from setup_wizard.session import Address, Job, Session
from setup_wizard.world import Progress as _Progress
from setup_wizard.world import Report, World, silent

__all__ = [
    "LOOK",
    "PROVE",
    "START",
    "WAIT",
    "Launched",
    "Row",
    "follow",
    "launch",
    "prove",
    "sessions",
    "stop",
    "stop_all",
    "submit",
    "target_of",
    "url_of",
]


SURE = 5.0  # seconds in which a session that does not answer here tells that it has ended


class Launched(msgspec.Struct, frozen=True):
    """A session that answers, its URL with the token, and the proof."""

    session: Session
    address: Address
    url: str
    proof: Proof


def launch(world: World, job: Job, report: Report = silent, *, way: Way | None = None) -> Launched:
    """Start a session and give it when a cell has run through its URL.

    Raises BadInput for what cannot be started, MachineBlocks when it dies, NotProven when it ends since it
    does not hold what it should. Ctrl-C leaves it as it is.
    """
    report(_Progress(START))
    mine = submit(world, job, way)
    follow(world, mine, report)
    return prove(world, mine, report)


def submit(world: World, job: Job, way: Way | None = None) -> Session:
    """A session whose job the scheduler has taken; BadInput for what cannot be started."""
    job = submission.check(world, job)
    forget_old(world)
    return submission.submit(world, job, way or access.Way())


def prove(world: World, mine: Session, report: Report = silent) -> Launched:
    """The session with the proof that its job made; NotProven when what answers now is somebody else's."""
    report(_Progress(PROVE))
    following = Following(world, mine)
    over = world.now() + SURE
    while True:
        address, done = following.until_it_is_proven()
        target = target_of(mine, address)
        try:
            if not address.command:  # else it answers only on the laptop
                proof.it_is_ours(world, target)
            return Launched(mine, address, target.url, Proof(done.kernel_prefix, done.answer, done.via))
        except NotProven as e:
            if world.now() > over:
                look, end = (f"hpc-jupyter-setup {verb} {mine.id}" for verb in ("url", "stop"))
                fix = f"Look again: {look}\nEnd it: {end}"
                raise NotProven(f"{e.problem} The session {mine.id} goes on.", fix=fix) from e
        world.sleep(LOOK)


def target_of(mine: Session, address: Address) -> Target:
    """What is to be proven of a session that answers."""
    token, sign = session.secret(mine, "token"), session.sign(mine)
    ticket = session.read(mine.folder, access.Ticket) or access.Ticket()
    return Target(url_of(mine, address), token, sign, prefix_of(mine), ca=ticket.ca)
