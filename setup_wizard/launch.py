"""Launch a session and prove it. Listing and stopping are in `running`, and offered here too.

    check -> reserve -> submit -> save -> attach -> follow -> prove

Whatever interrupts this, the session's folder tells how far it came, and `sessions` and `stop` go on from it.
"""

from __future__ import annotations

import msgspec

from setup_wizard import access, proof, session, submission
from setup_wizard.access import Way
from setup_wizard.errors import MachineBlocks, NotProven
from setup_wizard.following import LOOK, PROVE, START, WAIT, Following, follow
from setup_wizard.proof import Proof, Target
from setup_wizard.running import Row, forget_old, prefix_of, sessions, stop, stop_all, url_of
from setup_wizard.session import Address, End, Job, Proven, Session
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


class Launched(msgspec.Struct, frozen=True):
    """A session that answers, its URL with the token, and the proof."""

    session: Session
    address: Address
    url: str
    proof: Proof


def launch(world: World, job: Job, report: Report = silent, *, way: Way | None = None) -> Launched:
    """Start a session and give it when a cell has run through its URL.

    Raises BadInput for what cannot be started, MachineBlocks when it dies, NotProven when it does not hold
    what it should (it is stopped then). Ctrl-C leaves it as it is.
    """
    report(_Progress(START))
    mine = submit(world, job, way)
    return prove(world, mine, follow(world, mine, report), report)


def submit(world: World, job: Job, way: Way | None = None) -> Session:
    """A session whose job the scheduler has taken; BadInput for what cannot be started."""
    job = submission.check(world, job)
    forget_old(world)
    return submission.submit(world, job, way or access.Way())


def prove(world: World, mine: Session, address: Address, report: Report = silent) -> Launched:
    """The session with its proof; one that does not hold what it should is stopped."""
    report(_Progress(PROVE))
    target = target_of(mine, address)
    if done := session.read(mine.folder, Proven):  # in the job: from here its address cannot be reached
        return Launched(mine, address, target.url, Proof(done.kernel_prefix, done.answer, done.via))
    try:
        return Launched(mine, address, target.url, proof.prove(world, target))
    except (NotProven, MachineBlocks) as e:
        stop(world, mine)
        end = session.read(mine.folder, End)
        if end and end.how == "died":  # that is why, and it says more
            raise Following(world, mine).no_address(end) from e
        raise NotProven(f"{e.problem} The session {mine.id} was stopped.", fix=e.fix) from e


def target_of(mine: Session, address: Address) -> Target:
    """What is to be proven of a session that answers."""
    token, sign = session.secret(mine, "token"), session.sign(mine)
    ticket = session.read(mine.folder, access.Ticket) or access.Ticket()
    return Target(url_of(mine, address), token, sign, prefix_of(mine), ca=ticket.ca)
