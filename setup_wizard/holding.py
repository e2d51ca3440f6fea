"""An interactive session: it lives as long as the terminal in which it was launched.

On a node of an allocation it runs right there. Elsewhere `srun --pty` or `qsub -I` takes an allocation, on a
terminal of its own that is ours: what it prints goes to the session's log, what we type ends it in order,
and when we are gone, however that came, it is hung up.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from setup_wizard import schedulers, session, submission
from setup_wizard.access import Way
from setup_wizard.errors import MachineBlocks
from setup_wizard.following import LOOK, Following
from setup_wizard.running import bury, states, stop
from setup_wizard.schedulers import RUN_SCRIPT, SCRIPT, Gone, Resources
from setup_wizard.session import Address, End, Job, Place, Session
from setup_wizard.world import Output, Progress, Report, World, silent

if TYPE_CHECKING:
    from setup_wizard.world.terminals import Terminal

ASK = 1.0  # seconds between two looks whether what runs on this very node is still there
TYPE_AGAIN = 2.0  # seconds after which a shell that has not heard us is told again
SURE = 1.0  # seconds after Ctrl-C at which qsub has asked whether we are
FAREWELL = 25.0  # seconds for the session to end when asked, before it is hung up


@contextmanager
def held(world: World, job: Job, way: Way) -> Iterator[Held]:
    """An interactive session, for as long as we are in here."""
    job = submission.check(world, job)
    mine, terminal = (
        submission.hold(world, job, way) if job.held else (submission.submit(world, job, way), None)
    )
    here = Held(world, mine, terminal)
    try:
        yield here
    finally:
        here.end()


class Held:
    """An interactive session; `terminal` holds its allocation, None where we are on the node."""

    def __init__(self, world: World, mine: Session, terminal: Terminal | None) -> None:
        self.world, self.session, self.terminal = world, mine, terminal
        self.scheduler = schedulers.find(mine.job.scheduler)
        self._typed = self._asked = 0.0

    def answering(self, patience: float, report: Report = silent) -> tuple[Session, Address]:
        """When it answers; a SetupError tells why it will not, or not within `patience` (seconds)."""
        if self.terminal:
            report(Progress("Asking for an allocation"))
            self._until_it_has_a_name(self.terminal, patience)
        following = Following(self.world, self.session, report, self._look)
        return self.session, following.until_it_answers(patience)

    def until_it_ends(self) -> End:
        """Wait for its end."""
        while not (end := session.read(self.session.folder, End)):
            self._look()
            self.world.sleep(LOOK)
        return end

    def end(self) -> None:
        """End it in order, whatever it is at; safe twice."""
        folder = self.session.folder
        if self.terminal:
            self._hang_up(self.terminal)
        elif not session.read(folder, End):
            stop(self.world, self.session)

    def _until_it_has_a_name(self, terminal: Terminal, patience: float) -> None:
        """Wait for the id of the job, which is printed, or written down by the job itself."""
        deadline = self.world.now() + patience
        while not self.session.job_id:
            over, said = terminal.code, terminal.said
            job, _ = self.scheduler.held(said)
            self.session = session.load(self.session.folder)
            if job and not self.session.job_id:
                self.session = submission.named(self.world, self.session, job)
            if over is not None and not self.session.job_id:
                self.scheduler.job_id(Output(over or 1, err=said))  # explains it
            if self.world.now() > deadline:
                raise MachineBlocks("There was no allocation in time.", fix="Launch without --interactive.")
            self.world.sleep(LOOK)

    def _look(self) -> None:
        """Tell a shell that waits in the allocation what to run; see when the allocation or serve is over."""
        if session.read(self.session.folder, End):
            return
        if not self.terminal:
            self._ask()
        elif self.terminal.code is not None:
            bury(self.world, self.session, Gone("its allocation is over"))
        elif self.world.now() - self._typed > TYPE_AGAIN and not session.read(self.session.folder, Place):
            if self.scheduler.held(self.terminal.said)[1]:
                self.terminal.type(RUN_SCRIPT + shlex.quote(str(self.session.folder / SCRIPT)) + "\n")
            self._typed = self.world.now()

    def _ask(self) -> None:
        """See now and then whether what we started beside us is still there: killed, it writes no end."""
        if self.world.now() - self._asked < ASK:
            return
        self._asked = self.world.now()
        state = states(self.world, [self.session])[self.session.id]
        if isinstance(state, Gone):
            bury(self.world, self.session, state)

    def _hang_up(self, terminal: Terminal) -> None:
        """Ctrl-C there, and «yes» to who asks; what does not end is hung up, and cleared away."""
        began, sure = self.world.now(), False
        terminal.interrupt()
        while terminal.code is None and self.world.now() - began < FAREWELL:
            if not sure and self.world.now() - began > SURE:
                terminal.type("y\n")
                sure = True
            self.world.sleep(LOOK)
        terminal.close()
        mine = session.load(self.session.folder)
        if session.read(mine.folder, End):
            return
        if mine.job_id:
            env = self.scheduler.environment(self.world.env, Resources())
            self.world.run(self.scheduler.cancel(mine.job_id, hard=True), env=env, timeout=30)
        bury(self.world, mine, Gone(), how="stopped")
