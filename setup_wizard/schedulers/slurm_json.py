"""What `squeue --json` tells of jobs, in its dialects from Slurm 21.08 on, as rows like those of its columns.

A state is a text, and later a list: the state itself, then what else is true of the job. A number is a number
or null, and later an object that says whether it is one. Times are seconds since 1970.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import msgspec

from setup_wizard.schedulers.slurm_reasons import Of
from setup_wizard.schedulers.slurm_words import AT_WORK, OVER, QUEUED


class Row(NamedTuple):
    """A job: its state in Slurm's word, what it is of, nodes, start, end (0: unknown), cores, reason."""

    word: str
    of: Of
    nodes: str
    start: float
    end: float
    cores: int
    reason: str


class _Perhaps(msgspec.Struct, frozen=True):
    set: bool = False
    infinite: bool = False
    number: float = 0


_Number = float | _Perhaps | None


class _Job(msgspec.Struct, frozen=True):
    job_id: _Number
    job_state: str | list[str]
    partition: str | None = ""
    account: str | None = ""
    qos: str | None = ""
    nodes: str | None = ""
    start_time: _Number = 0
    end_time: _Number = 0
    cpus: _Number = 0
    state_reason: str | None = ""
    state_description: str | None = ""


class _Queue(msgspec.Struct, frozen=True):
    jobs: list[_Job]
    errors: list[Any] = []


@functools.lru_cache(maxsize=1)  # the same answer is looked at for each session
def rows(text: str) -> dict[str, Row] | None:
    """The jobs by their ids; None for what is no such answer, or tells of an error."""
    try:
        queue = msgspec.json.decode(text[max(text.find("{"), 0) :], type=_Queue)
    except msgspec.MsgspecError:
        return None
    return None if queue.errors else {str(int(_number(job.job_id))): _row(job) for job in queue.jobs}


def _row(job: _Job) -> Row:
    start, end, cores = map(_number, (job.start_time, job.end_time, job.cpus))
    reason = job.state_description or job.state_reason or ""
    of = Of(job.partition or "", job.account or "", job.qos or "")
    return Row(_word(job.job_state), of, job.nodes or "", start, end, int(cores), reason)


def _number(said: _Number) -> float:
    if isinstance(said, _Perhaps):
        return said.number if said.set and not said.infinite else 0
    return said or 0


def _word(said: str | list[str]) -> str:
    """What squeue would call it in a column: «COMPLETING» for what has ended and is being cleared away."""
    words = [said] if isinstance(said, str) else said
    return next((w for w in reversed(words) if w in (*QUEUED, *AT_WORK, *OVER)), "".join(words[:1]))
