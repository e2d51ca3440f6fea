"""When the scheduler will end a job, as the job itself keeps an eye on it."""

from __future__ import annotations

import contextlib

from setup_wizard import asking, schedulers
from setup_wizard.schedulers import Allocation, Running
from setup_wizard.session import Session
from setup_wizard.world import World

SLACK = 90.0  # seconds by which a scheduler may be early with its signal
PATIENCE, SOON = 20.0, 3.0  # seconds for its answer, and while the session is ending


class Deadline:
    """The end of one session's time. `at` is when the session ends itself, 0 where there is no limit."""

    def __init__(self, world: World, mine: Session) -> None:
        self.world, self.session, self.at = world, mine, 0.0
        self.began = world.now()

    def ask(self, patience: float = PATIENCE) -> None:
        """Ask the scheduler, which may have been told of another limit; without an answer all stays.

        Not every node can ask: where nothing was ever known, what the job was told at its start counts.
        """
        job = self.session.job
        of = job.within or Allocation(job.scheduler, self.session.job_id)
        scheduler, wanted = schedulers.find(of.scheduler), job.resources
        said = asking.once(self.world, of.scheduler, [of.id], patience)
        state = scheduler.state(said, of.id)
        if isinstance(state, Running):
            self.at = state.until and state.until - wanted.lead
        elif not self.at and (until := self._as_told()):
            self.at = until - wanted.lead

    def _as_told(self) -> float:
        """The end as the job was told at its start (seconds since 1970); 0 where it was not."""
        with contextlib.suppress(KeyError, ValueError):
            return float(self.world.env["SLURM_JOB_END_TIME"])
        if self.session.job.within:  # an allocation that began before us
            return 0.0
        told = self.world.env.get("PBS_WALLTIME", "")
        limit = int(told) if told.isdecimal() else self.session.job.resources.time_limit
        return self.began + limit if limit else 0.0

    def left(self) -> float:
        """Seconds until then."""
        return max(0.0, self.at - self.world.now()) if self.at else float("inf")

    def has_come(self) -> bool:
        """Whether the session is to end itself now: not every scheduler tells a job."""
        if not self.left():
            self.ask()  # somebody may have given it more time
        return not self.left()

    def is_alone(self) -> bool:
        """Whether the launch is gone with which an interactive session on this very machine is to end."""
        job, by = self.session.job, self.session.launcher
        return job.interactive and not job.held and by.born not in ("", self.world.born(by.pid))

    def is_told(self) -> bool:
        """Whether a request to end that has just come is the scheduler's word for the end of the time."""
        if self.left() > SLACK and self.at:
            self.ask(SOON)  # the limit may have been lowered
        return self.left() <= SLACK
