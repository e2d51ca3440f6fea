"""One file a scheduler: text in, text out; they run nothing themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from setup_wizard.errors import BadInput
from setup_wizard.hints import did_you_mean
from setup_wizard.world import Output


class Resources(msgspec.Struct, frozen=True):
    """What a job asks of its scheduler. `name` is how the queue shows it."""

    name: str = "jupyter"


class Waiting(msgspec.Struct, frozen=True):
    """In the queue: why, in a sentence, and when it may start (seconds since 1970, 0: nobody knows)."""

    reason: str = ""
    estimate: float = 0


class Running(msgspec.Struct, frozen=True):
    """At work on `host`, until its time is over (seconds since 1970, 0: no limit known)."""

    host: str = ""
    until: float = 0


class Gone(msgspec.Struct, frozen=True):
    """Not there any more, for certain."""

    reason: str = ""


class Unknown(msgspec.Struct, frozen=True):
    """The scheduler could not tell: ask again, end nothing."""

    reason: str = ""


JobState = Waiting | Running | Gone | Unknown


class Scheduler(Protocol):
    """What starts our jobs, and knows how they are."""

    def header(self, wanted: Resources) -> Sequence[str]:
        """The first lines of the batch script; none where no script is needed."""

    def submit(self, start: Sequence[str], folder: Path) -> list[str]:
        """The argv that hands over a job: `start` is what the job runs, `folder` the session's own."""

    def job_id(self, output: Output) -> str:
        """The id in what `submit` answered; a SetupError when it was refused."""

    def status(self, job_ids: Sequence[str]) -> list[str]:
        """The argv that asks for all these jobs at once."""

    def state(self, output: Output, job_id: str) -> JobState:
        """What the answer to `status` says of one of them."""

    def cancel(self, job_id: str, *, hard: bool = False) -> list[str]:
        """The argv that asks a job to end, or with `hard` ends it."""


def find(name: str) -> Scheduler:
    """The scheduler of that name; BadInput for an unknown one."""
    from setup_wizard.schedulers.local import Local

    known: dict[str, type[Scheduler]] = {"local": Local}
    if name not in known:
        raise BadInput(
            f"There is no scheduler «{name}».{did_you_mean(name, known)}",
            fix=f"Choose one of: {', '.join(known)}",
        )
    return known[name]()
