"""Follow a session until it answers: one line that changes, few questions to the scheduler, an end to it."""

from __future__ import annotations

import time
from collections.abc import Callable

from setup_wizard import session
from setup_wizard.errors import MachineBlocks, NotProven, SetupError
from setup_wizard.running import bury, states
from setup_wizard.schedulers import Gone, JobState, Running, Waiting
from setup_wizard.session import Address, End, Place, Proven, Session
from setup_wizard.world import Progress, Report, World, silent

LOOK, LOOK_QUEUED = 0.1, 0.5  # seconds between two looks into the session's folder
ASK, ASK_SELDOM = 1.0, 16.0  # seconds between two questions to the scheduler: at first, and in the long run
STARTING = 600.0  # seconds for a running job to give an address; serve itself gives up a little earlier
QUEUED = 12 * 3600.0  # seconds to wait in the queue, unless told otherwise

# What a launch reports: one line that changes.
START = "Starting Jupyter"
WAIT = f"{START}: waiting for its first answer"
PROVE = f"{START}: running a cell through the URL"


def follow(world: World, mine: Session, report: Report = silent, patience: float = QUEUED) -> Address:
    """Wait for the address; MachineBlocks tells why there will be none, or that `patience` (s) is over."""
    return Following(world, mine, report).until_it_answers(patience)


class Following:
    """One session, followed; `meanwhile` is called at every look."""

    def __init__(
        self, world: World, mine: Session, report: Report = silent, meanwhile: Callable[[], object] = bool
    ) -> None:
        self.world, self.session, self.report, self.meanwhile = world, mine, report, meanwhile
        self.told = START
        self.state: JobState | None = None
        self.asked, self.pause = world.now(), ASK

    def until_it_answers(self, patience: float) -> Address:
        """The address, as soon as there is one."""
        began, running = self.world.now(), 0.0
        while True:
            if (address := session.read(self.session.folder, Address)) and address.url:
                return address
            if end := session.read(self.session.folder, End):
                raise self.no_address(end)
            here = session.read(self.session.folder, Place)
            self._ask()
            self.meanwhile()
            if not running and (here or isinstance(self.state, Running)):
                running = self.world.now()
            self._tell(WAIT if here else self._line())
            if running and self.world.now() - running > STARTING:
                raise self._too_long(STARTING, "gave no address")
            if not running and self.world.now() - began > patience:
                raise self._too_long(patience, "did not start")
            self.world.sleep(LOOK_QUEUED if isinstance(self.state, Waiting) else LOOK)

    def until_it_is_proven(self) -> tuple[Address, Proven]:
        """The address through which a cell has run, as the job notes it, and what was seen."""
        began = self.world.now()
        while True:
            address = session.read(self.session.folder, Address)
            proven = session.proven(self.session.folder, address)
            if end := session.read(self.session.folder, End):
                raise self.no_address(end)
            if address and proven:
                return address, proven
            if self.world.now() - began > STARTING:
                raise self._too_long(STARTING, "was not proven")
            self._ask()
            self.world.sleep(LOOK)

    def _ask(self) -> None:
        """Ask the scheduler, ever more seldom; on Unknown nothing is ended."""
        if self.world.now() - self.asked < self.pause:
            return
        state = states(self.world, [self.session], fresh=self.pause)[self.session.id]
        if not self.session.job_id:
            self.session = session.load(self.session.folder)
        if isinstance(state, Gone):
            raise self.no_address(bury(self.world, self.session, state))
        if type(state) is not type(self.state):
            self.pause = ASK
        self.asked, self.state, self.pause = self.world.now(), state, min(ASK_SELDOM, self.pause * 1.5)

    def _line(self) -> str:
        match self.state:
            case Waiting(reason, estimate, fix):
                words = [f"In the queue (job {self.session.job_id}): {reason}.", fix]
                if estimate > self.world.now():
                    words.append(f"It may start {_moment(estimate, self.world.now())}.")
                return " ".join(filter(None, words))
            case Running(host) if self.session.job.scheduler != "local":
                return f"{START} on {host}"
        return START

    def _tell(self, line: str) -> None:
        if line != self.told:
            self.report(Progress(line))
            self.told = line

    def no_address(self, end: End) -> SetupError:
        """The error for a session that has ended so."""
        mine = self.session
        problem = end.problem or f"The session {mine.id} was {end.how} before it had started."
        kind = NotProven if end.unproven else MachineBlocks
        return kind(f"{problem}\nIts logs are in {mine.folder}.", fix=end.fix or "Launch again.")

    def _too_long(self, seconds: float, what: str) -> MachineBlocks:
        mine, took = self.session, f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
        return MachineBlocks(
            f"The session {mine.id} {what} within {took}. It was left as it is.",
            fix=f"Look again: hpc-jupyter-setup url {mine.id}; or end it: hpc-jupyter-setup stop {mine.id}",
        )


def _moment(at: float, now: float) -> str:
    """A time of today by the clock, another with its day."""
    then, today = time.localtime(at), time.localtime(now)
    same = then[:3] == today[:3]
    return time.strftime("at %H:%M" if same else "on %d %B at %H:%M", then)
