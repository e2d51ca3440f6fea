"""Slurm: sbatch, squeue, scancel."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from setup_wizard.errors import BadInput, MachineBlocks, SetupError
from setup_wizard.schedulers import (
    LOG,
    SCRIPT,
    Gone,
    JobState,
    Resources,
    Running,
    Unknown,
    Waiting,
    slurm_json,
    slurm_reasons,
    slurm_words,
)
from setup_wizard.schedulers.slurm_json import Row
from setup_wizard.walltime import written
from setup_wizard.world import Output

COLUMNS = "%i|%T|%P|%N|%S|%e|%C|%a|%q|%r"  # the reason last: it may hold anything
FORGOTTEN = "Slurm does not know its job any more"
PLAIN = re.compile(r"[\w.,:=/+@%~\[\]()&|*!-]+", re.ASCII)
OWN_DEFAULTS = {  # what a user, or a site for everybody, may set for all jobs; what we ask for overrules it
    "SBATCH_ACCOUNT": "account",
    "SBATCH_PARTITION": "partition",
    "SBATCH_QOS": "qos",
    "SBATCH_RESERVATION": "reservation",
    "SBATCH_TIMELIMIT": "time_limit",
    "SBATCH_CONSTRAINT": "constraint",
}
ASTRAY = ("SBATCH_", "SQUEUE_", "SCANCEL_", "SLURM_", "SLURMD_", "PBS_", "JUPYTER", "JPY_")
NEEDED = ("SLURM_CONF", "SLURM_CONF_SERVER")


class Slurm:
    """Hands over a batch script, and asks for all jobs at once."""

    def header(self, wanted: Resources, folder: Path) -> Sequence[str]:
        log = str(folder / LOG).replace("%", "%%")
        ours = {
            "signal": "" if wanted.is_short else f"B:TERM@{wanted.signal}",
            "output": log,
            "open-mode": "append",
        }
        options = {**_options(wanted), **ours}
        lines = [f"--{name}={_quoted(name, value)}" for name, value in options.items() if value]
        return [f"#SBATCH {line}" for line in (*lines, *_alone(wanted), "--no-requeue")]

    def submit(self, start: Sequence[str], wanted: Resources, folder: Path) -> list[str]:
        return ["sbatch", "--parsable", str(folder / SCRIPT)]

    def hold(self, wanted: Resources, folder: Path) -> list[str]:
        options = {**_options(wanted), "signal": "" if wanted.is_short else f"TERM@{wanted.signal}"}
        given = [f"--{name}={value}" for name, value in options.items() if value]
        return ["srun", "--pty", *given, *_alone(wanted), "bash", str(folder / SCRIPT)]

    def held(self, said: str) -> tuple[str, bool]:
        job = re.search(r"^srun: job (\d+) ", said, re.MULTILINE)
        return job[1] if job else "", False

    def rehearse(self, wanted: Resources, folder: Path) -> list[str]:
        return ["sbatch", "--test-only", str(folder / SCRIPT)]

    def environment(self, env: Mapping[str, str], wanted: Resources) -> dict[str, str]:
        own = {name for name, field in OWN_DEFAULTS.items() if not getattr(wanted, field)}
        kept = {k: v for k, v in env.items() if k in own or k in NEEDED or not k.startswith(ASTRAY)}
        return {**kept, "SLURM_TIME_FORMAT": "standard", "LC_ALL": "C"}

    def job_id(self, output: Output) -> str:
        if output.code == 0 and (said := re.search(r"^(\d+)(;[\w.-]+)?$", output.out, re.MULTILINE)):
            return said[1]
        raise refused(output)

    def status(self, job_ids: Sequence[str]) -> list[str]:
        return ["squeue", "-h", "-t", "all", "-j", ",".join(job_ids), "-o", COLUMNS]

    def state(self, output: Output, job_id: str) -> JobState:
        if output.code != 0 and "Invalid job id" in output.err:  # squeue says so when it was asked for one
            return Gone(FORGOTTEN)
        if output.code != 0:
            return Unknown(_no_answer(output))
        rows, strange = _rows(output.out)
        if job_id in rows:
            return _state(rows[job_id])
        return Unknown(f"squeue answers «{strange}»") if strange else Gone(FORGOTTEN)

    def otherwise(self, output: Output, job_ids: Sequence[str]) -> list[str]:
        rows, strange = _rows(output.out)
        if output.code != 0 or not strange or set(job_ids) <= set(rows):
            return []
        return ["squeue", "--json", "-t", "all", "-j", ",".join(job_ids)]

    def search(self) -> list[str]:
        return ["squeue", "-h", "-t", "all", "--me", "-o", "%i|%o"]

    def found(self, said: str, script: Path) -> str:
        jobs = (line.partition("|") for line in said.splitlines())
        return next((job for job, _, command in jobs if command == str(script)), "")

    def cancel(self, job_id: str, *, hard: bool = False) -> list[str]:
        return ["scancel", job_id] if hard else ["scancel", "--batch", "--signal=TERM", job_id]


def _options(wanted: Resources) -> dict[str, str]:
    """What is asked for, in the words of sbatch and srun."""
    return {
        "job-name": wanted.name,
        "account": wanted.account,
        "partition": wanted.partition,
        "qos": wanted.qos,
        "reservation": wanted.reservation,
        "nodes": str(wanted.nodes or 1),
        "ntasks-per-node": "1",
        "cpus-per-task": str(wanted.cpus or ""),
        "mem": wanted.memory,
        "gpus-per-node": str(wanted.gpus or ""),
        "gres": wanted.gres,
        "time": written(wanted.time_limit) if wanted.time_limit else "",
        "constraint": wanted.constraint,
    }


def _alone(wanted: Resources) -> list[str]:
    return ["--exclusive"] if wanted.exclusive else []


def _quoted(name: str, value: str) -> str:
    """The value of an option as sbatch reads it in a script."""
    if PLAIN.fullmatch(value):
        return value
    if not value.isprintable() or re.search(r"[\"\\]", value):
        raise BadInput(
            f"Slurm cannot be given {value!r} as --{name}.", fix="Leave out quotes and control characters."
        )
    return f'"{value}"'


def refused(output: Output) -> SetupError:
    """Why sbatch did not take the job, and what to do."""
    said = "\n".join(_said(output))
    if known := slurm_words.why_refused(said):
        problem, fix = known
        return BadInput(f"Slurm did not take the job: {problem}\nIt said: {said}", fix=fix)
    if output.code == 127:
        return MachineBlocks("There is no Slurm here: sbatch is not in PATH.", fix="module load slurm")
    return MachineBlocks(
        f"Slurm did not take the job. It said: {said or f'nothing (exit code {output.code})'}",
        fix="Look at the whole script: hpc-jupyter-setup launch --dry-run",
    )


def _said(output: Output) -> list[str]:
    lines = f"{output.err}\n{output.out}".splitlines()
    return [re.sub(r"^\w+: (error: )?", "", line.strip()) for line in lines if line.strip()]


def _no_answer(output: Output) -> str:
    return "Slurm does not answer" + (f" ({said[-1]})" if (said := _said(output)) else "")


def _rows(text: str) -> tuple[Mapping[str, Row], str]:
    """The jobs in an answer, and the first line that is none of a job, "" for none: it may hide one."""
    told = slurm_json.rows(text) if "{" in text else None
    if told is not None:
        return told, ""
    rows, strange = {}, ""
    for line in filter(str.strip, text.splitlines()):
        fields = line.split("|", COLUMNS.count("|"))
        if len(fields) > COLUMNS.count("|"):
            job, word, partition, nodes, start, end, cores, account, qos, reason = fields
            count = int(cores) if cores.isdigit() else 0
            of = slurm_reasons.Of(partition, account, qos)
            rows[job] = Row(word, of, nodes, _moment(start), _moment(end), count, reason)
        else:
            strange = strange or line.strip()
    return rows, strange


def _state(row: Row) -> JobState:
    if row.word in slurm_words.QUEUED:
        why, fix = slurm_reasons.why_waiting(row.reason, row.of)
        return Waiting(why, row.start, fix)
    if row.word in slurm_words.AT_WORK:
        return Running(row.nodes, row.end, row.start, row.cores)
    if row.word in slurm_words.OVER:
        return Gone(*slurm_words.OVER[row.word])
    return Unknown(f"Slurm says «{row.word}», which is not known here")


def _moment(text: str) -> float:
    """A time as Slurm prints it, in this machine's time zone; 0 where there is none."""
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(text).timestamp()
    return 0
