"""One file a scheduler: text in, text out; they run nothing themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from setup_wizard.errors import BadInput
from setup_wizard.hints import did_you_mean
from setup_wizard.world import Output

SCRIPT, LOG = "job.sh", "job.log"  # in the session's folder: the batch script, and what it prints
RUN_SCRIPT = (  # typed where a shell waits in an allocation; without the step, Slurm's is on the login node
    """exec sh -c '[ -n "$SLURM_JOB_ID" ] && [ -z "$SLURMD_NODENAME" ] && """
    """exec srun --pty -n1 -c"${SLURM_NTASKS:-1}" bash "$0"; exec bash "$0"' """
)
STEPS = ("slurm", "local")  # whose jobs can be entered from the login node
LEAD = 60  # seconds before its end at which a job is told of it


class Resources(msgspec.Struct, frozen=True):
    """What a job asks of its scheduler; "" and 0 leave it to the scheduler's own defaults.

    `name` is how the queue shows it, to everybody. `cpus`, `memory` and `gpus` are for each node, memory as
    schedulers write it ("16G"); `time_limit` and `signal`, how long before the end the job is told, are in
    seconds. `exclusive`: nobody else's jobs on its nodes, where a site wants that said.
    """

    name: str = "jupyter"
    account: str = ""
    reservation: str = ""
    partition: str = ""
    qos: str = ""
    nodes: int = 0
    cpus: int = 0
    memory: str = ""
    gpus: int = 0
    gres: str = ""
    time_limit: int = 0
    constraint: str = ""
    signal: int = LEAD
    exclusive: bool = False

    @property
    def lead(self) -> int:
        """Seconds before its end at which a session ends itself: a quarter of a short time."""
        return min(self.signal, self.time_limit // 4) if self.time_limit else self.signal

    @property
    def is_short(self) -> bool:
        """Whether a scheduler's signal, half a minute early as it may be, would take too much of its time."""
        return self.lead < self.signal


class Allocation(msgspec.Struct, frozen=True):
    """Nodes that somebody has already: which scheduler gave them, and under which id."""

    scheduler: str
    id: str


def allocation(env: Mapping[str, str]) -> Allocation | None:
    """The one that a process with this environment is in."""
    given = (("slurm", "SLURM_JOB_ID"), ("torque", "PBS_JOBID"))  # Slurm may set both
    return next((Allocation(name, env[key]) for name, key in given if env.get(key)), None)


class Waiting(msgspec.Struct, frozen=True):
    """In the queue: why, in a sentence, what to do about it ("" for nothing but patience), and when it may
    start (seconds since 1970, 0: nobody knows).
    """

    reason: str = ""
    estimate: float = 0
    fix: str = ""


class Running(msgspec.Struct, frozen=True):
    """At work on `host` since then, until its time is over (seconds since 1970, 0: not known), on `cores`."""

    host: str = ""
    until: float = 0
    since: float = 0
    cores: int = 0


class Gone(msgspec.Struct, frozen=True):
    """Not there any more, for certain: why, as far as the scheduler tells, and what to do ("": unknown)."""

    reason: str = ""
    fix: str = ""


class Unknown(msgspec.Struct, frozen=True):
    """The scheduler could not tell: ask again, end nothing."""

    reason: str = ""


JobState = Waiting | Running | Gone | Unknown


class Scheduler(Protocol):
    """What starts our jobs, and knows how they are."""

    def header(self, wanted: Resources, folder: Path) -> Sequence[str]:
        """The first lines of the batch script; none where no script is needed. Raises BadInput."""

    def submit(self, start: Sequence[str], wanted: Resources, folder: Path) -> list[str]:
        """The argv that hands over a job: `start` is what it runs, `folder` the session's own with SCRIPT."""

    def environment(self, env: Mapping[str, str], wanted: Resources) -> dict[str, str]:
        """The environment for all these commands: without what would quietly change their meaning."""

    def rehearse(self, wanted: Resources, folder: Path) -> list[str]:
        """The argv that asks when the job would start, and hands over nothing; [] where nobody can tell."""

    def hold(self, wanted: Resources, folder: Path) -> list[str]:
        """The argv that takes an allocation for as long as its terminal is there; BadInput if it cannot."""

    def held(self, said: str) -> tuple[str, bool]:
        """What `hold` has said so far: the job's id ("" not yet), and whether a shell waits for SCRIPT."""

    def job_id(self, output: Output) -> str:
        """The id in what `submit` answered; a SetupError that explains it when it was refused."""

    def status(self, job_ids: Sequence[str]) -> list[str]:
        """The argv that asks for all these jobs at once."""

    def otherwise(self, output: Output, job_ids: Sequence[str]) -> list[str]:
        """The argv that asks for them in other words, where this answer cannot be read; [] where it can."""

    def state(self, output: Output, job_id: str) -> JobState:
        """What the answer, to whichever question, says of one of them."""

    def search(self) -> list[str]:
        """The argv that asks for all jobs of the user's with what tells them apart; [] where nobody does."""

    def found(self, said: str, script: Path) -> str:
        """The id of the job that runs this script, in the answer to `search`; "" for none."""

    def cancel(self, job_id: str, *, hard: bool = False) -> list[str]:
        """The argv that asks a job to end, or with `hard` ends it."""


def find(name: str) -> Scheduler:
    """The scheduler of that name; BadInput for an unknown one."""
    from setup_wizard.schedulers.local import Local
    from setup_wizard.schedulers.slurm import Slurm
    from setup_wizard.schedulers.torque import PbsPro, Torque

    known: dict[str, type[Scheduler]] = {"local": Local, "slurm": Slurm, "torque": Torque, "pbs": PbsPro}
    if name not in known:
        raise BadInput(
            f"There is no scheduler «{name}».{did_you_mean(name, known)}",
            fix=f"Choose one of: {', '.join(known)}",
        )
    return known[name]()
