"""Torque and PBS Pro, and Slurm's own qsub, qstat and qdel: one family of commands, several dialects.

Jobs are asked for as text (`qstat -f`): XML is Torque's alone, JSON and a history PBS Pro's.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from setup_wizard import walltime
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
    slurm_words,
    torque_words,
)
from setup_wizard.schedulers.slurm import Slurm
from setup_wizard.world import Output

PLAIN = re.compile(r"[\w.,:=/+@%-]+", re.ASCII)
ASTRAY = ("PBS_", "SBATCH_", "SQUEUE_", "SLURM_", "JUPYTER", "JPY_")
# A centre's qstat may answer from a list that is a minute old, and does not know what was just handed in.
NO_CACHE = {"QSCACHE_BYPASS": "1"}
# What has no word in this family; said before the submission, as qsub would just not hear of it.
UNASKED = {
    "qos": "Leave --qos out: a queue stands for it, --partition QUEUE.",
    "reservation": "Leave --reservation out: where one has a queue of its own, --partition QUEUE.",
    "gres": "Leave --gres out; graphics processors are --gpus N.",
}
FORGOTTEN = 153  # the exit code of qstat for a job that it does not know, with words or without
CLOCK = "%a %b %d %H:%M:%S %Y"
# A job that stands still has its nodes still; one that was moved (M) is asked for on another server.
AT_WORK, QUEUED, DONE = tuple("REBSU"), tuple("QHWT"), tuple("CFX")
# What qsub -I says of its job, and what Slurm's says, which calls salloc and may leave us on the login node.
HELD = re.compile(r"^qsub: (?:waiting for )?job (\S+) |^salloc: .*job (?:allocation )?(\d+)", re.MULTILINE)
READY = re.compile(r"^qsub: job \S+ ready|^salloc: Granted job allocation", re.MULTILINE)


# All jobs of the user's in full; Slurm's qstat tells of no script and no place, and its squeue does.
SEARCH = (
    'if command -v qselect >/dev/null; then jobs=$(qselect -u "$(id -un)") || exit; '
    'test -z "$jobs" || exec qstat -f $jobs; '
    f"elif command -v squeue >/dev/null; then exec {shlex.join(Slurm().search())}; else exec qstat -f; fi"
)


class Torque:
    """Torque: nodes and processors as `nodes=1:ppn=4`."""

    def header(self, wanted: Resources, folder: Path) -> Sequence[str]:
        _askable(wanted)
        lines = [f"#PBS -q {_plain('partition', wanted.partition)}"] if wanted.partition else []
        lines += [f"#PBS -A {_plain('account', wanted.account)}"] if wanted.account else []
        lines += [f"#PBS -l {_plain('resources', text)}" for text in (*self.places(wanted), *_time(wanted))]
        # for qsub in front of Slurm, whose words these are; comments to everybody else
        told = [] if wanted.is_short else [f"#SBATCH --signal=B:TERM@{wanted.signal}"]
        return [*lines, *told, "#SBATCH --no-requeue"]

    def places(self, wanted: Resources) -> Sequence[str]:
        """What is asked of the nodes, in this dialect."""
        node = f"nodes={wanted.nodes or 1}:ppn={wanted.cpus or 1}"
        node += f":gpus={wanted.gpus}" if wanted.gpus else ""
        features = f":{wanted.constraint}" if wanted.constraint else ""
        return [node + features, *([f"mem={_memory(wanted.memory)}"] if wanted.memory else [])]

    def submit(self, start: Sequence[str], wanted: Resources, folder: Path) -> list[str]:
        log = str(folder / LOG)  # in the script, Slurm's qsub would overrule it
        return ["qsub", "-N", wanted.name, "-j", "oe", "-o", log, str(folder / SCRIPT)]

    def hold(self, wanted: Resources, folder: Path) -> list[str]:
        _askable(wanted)
        where = ["-q", _plain("partition", wanted.partition)] if wanted.partition else []
        who = ["-A", _plain("account", wanted.account)] if wanted.account else []
        what = ",".join(_plain("resources", text) for text in (*self.places(wanted), *_time(wanted)))
        return ["qsub", "-I", "-N", wanted.name, *where, *who, "-l", what]

    def held(self, said: str) -> tuple[str, bool]:
        job, ready = HELD.search(said), READY.search(said)
        return next(filter(None, job.groups()), "") if job else "", bool(ready)

    def rehearse(self, wanted: Resources, folder: Path) -> list[str]:
        return []

    def environment(self, env: Mapping[str, str], wanted: Resources) -> dict[str, str]:
        kept = {k: v for k, v in env.items() if k == "SLURM_CONF" or not k.startswith(ASTRAY)}
        kept.update({k: v for k, v in env.items() if k in ("PBS_DEFAULT", "PBS_SERVER", "PBS_CONF_FILE")})
        return {**kept, **NO_CACHE, "LC_ALL": "C"}

    def job_id(self, output: Output) -> str:
        if output.code == 0 and (said := re.search(r"^\d+(\.[\w.-]+)?$", output.out.strip(), re.MULTILINE)):
            return said[0]
        raise _refused(output)

    def status(self, job_ids: Sequence[str]) -> list[str]:
        return ["qstat", "-f", *job_ids]

    def otherwise(self, output: Output, job_ids: Sequence[str]) -> list[str]:
        return ["qstat", "-x", "-f", *job_ids] if "use -x" in f"{output.err}{output.out}" else []

    def state(self, output: Output, job_id: str) -> JobState:
        said = jobs(output.out).get(_number(job_id))
        if said:
            return _state(said)
        ours = re.compile(rf"(?<![\w.-]){re.escape(_number(job_id))}(?![\w\[-])")
        lines = [line for line in f"{output.err}\n{output.out}".splitlines() if ours.search(line)]
        if any(re.search(r"Unknown Job|has finished", line) for line in lines):
            return Gone(*torque_words.OVER)
        if output.code in (0, FORGOTTEN) and not output.err.strip():
            return Gone(*torque_words.OVER)
        words = (output.err.strip() or output.out.strip()).splitlines()
        return Unknown("the scheduler does not answer" + (f" ({words[-1]})" if words else ""))

    def search(self) -> list[str]:
        return ["sh", "-c", SEARCH]

    def found(self, said: str, script: Path) -> str:
        """By the place of its output, which is this job's alone; behind Slurm's qsub by its script."""
        log = f":{script.parent / LOG}"
        ours = (job for job, told in jobs(said).items() if told.get("Output_Path", "").endswith(log))
        if number := next(ours, ""):
            return str(re.findall(rf"^Job Id:\s*({re.escape(number)}(?:\.\S+)?)\s*$", said, re.MULTILINE)[0])
        return Slurm().found(said, script)

    def cancel(self, job_id: str, *, hard: bool = False) -> list[str]:
        return ["qdel", job_id]  # a request first, and the end after the site's own delay


class PbsPro(Torque):
    """PBS Pro and OpenPBS: nodes as `select=1:ncpus=4:mem=16gb`."""

    def places(self, wanted: Resources) -> Sequence[str]:
        node = f"select={wanted.nodes or 1}:ncpus={wanted.cpus or 1}"
        node += f":mem={_memory(wanted.memory)}" if wanted.memory else ""
        node += f":ngpus={wanted.gpus}" if wanted.gpus else ""
        return [node + (f":{wanted.constraint}" if wanted.constraint else "")]


def is_pbs_pro(said: Output) -> bool:
    """Whether `qstat --version` is PBS Pro's, or OpenPBS's; none in PATH (127) may be behind a module."""
    return said.code == 127 or "pbs_version" in f"{said.out}{said.err}"


def jobs(text: str) -> dict[str, dict[str, str]]:
    """What `qstat -f` tells of each job, by the number of its id; long values are folded with a tab."""
    unfolded = re.sub(r"\n\t(?![\w.]+ = )(?=\S)", "", text)
    found = {}
    for block in re.split(r"^Job Id:\s*", unfolded, flags=re.MULTILINE)[1:]:
        name, _, rest = block.partition("\n")
        found[_number(name.strip())] = dict(re.findall(r"^\s+([\w.]+) = (.*?)\s*$", rest, flags=re.MULTILINE))
    return found


def _number(job_id: str) -> str:
    return job_id.partition(".")[0]


def _state(said: Mapping[str, str]) -> JobState:
    letter = said.get("job_state", "")
    if letter in AT_WORK:
        since = next((_moment(said[k]) for k in ("start_time", "stime", "mtime") if k in said), 0.0)
        limit = walltime.printed_by_pbs(said.get("Resource_List.walltime", "")) or 0
        host = re.split(r"[/+:]", said.get("exec_host", ""))[0]
        return Running(host, since + limit if since and limit else 0, since, _cores(said))
    if letter in QUEUED:
        why, start = said.get("comment", ""), _moment(said.get("estimated.start_time", ""))
        if letter == "H":
            return Waiting(f"it is held{f' ({why})' if why else ''}", fix="Let it go: qrls JOB; or ask why.")
        return Waiting(f"the scheduler says: {why}" if why else "other jobs are before it", start)
    if letter in DONE:
        return Gone(*torque_words.ended(said))
    return Unknown(f"the scheduler says «{letter}», which is not known here")


def _cores(said: Mapping[str, str]) -> int:
    """The processors of a job: as they were asked for, or as Torque lists them, node7/0-3+node8/1."""
    asked = said.get("Resource_List.ncpus", "")
    if asked.isdigit():
        return int(asked)
    spans = re.findall(r"[/,](\d+)(?:-(\d+))?(?=[,+]|$)", said.get("exec_host", ""))
    return sum(int(last or first) - int(first) + 1 for first, last in spans)


def _moment(text: str) -> float:
    with contextlib.suppress(ValueError):
        return datetime.strptime(text, CLOCK).timestamp()
    return float(text) if text.isdigit() else 0.0


def _askable(wanted: Resources) -> None:
    for name, fix in UNASKED.items():
        if value := getattr(wanted, name):
            raise BadInput(f"--{name}: Torque and PBS cannot be asked for «{value}».", fix=fix)


def _time(wanted: Resources) -> list[str]:
    return [f"walltime={walltime.hours_written(wanted.time_limit)}"] if wanted.time_limit else []


def _memory(text: str) -> str:
    """16G as 16gb; what is a number alone is megabytes, as everywhere else here."""
    amount = re.fullmatch(r"(\d+)([KMGT]?)B?", text.strip().upper(), re.ASCII)
    if not amount:
        raise BadInput(f"--memory: «{text}» is no amount of memory.", fix="Write for example: --memory 16G")
    return f"{amount[1]}{(amount[2] or 'M').lower()}b"


def _plain(name: str, value: str) -> str:
    if not PLAIN.fullmatch(value):
        raise BadInput(f"qsub cannot be given {value!r} as --{name}.", fix="Letters, digits, - _ . only.")
    return value


def _refused(output: Output) -> SetupError:
    """Why qsub did not take the job; Slurm's own tells it on standard output."""
    said = f"{output.err}\n{output.out}".partition("Usage:")[0].strip()
    words = [re.sub(r"^\W*(sbatch|qsub): (error: )?", "", line).strip(" '") for line in said.splitlines()]
    shown = "\n".join(
        w for w in words if w and not re.match(r"There was an error|The command was|/usr|and the", w)
    )
    own = ((w, f) for pattern, w, f in torque_words.REFUSED if re.search(pattern, said, re.IGNORECASE))
    if known := next(own, None) or slurm_words.why_refused(shown):
        problem, fix = known
        return BadInput(f"The scheduler did not take the job: {problem}\nIt said: {shown}", fix=fix)
    if output.code == 127:
        return MachineBlocks(
            "There is no Torque or PBS here: qsub is not in PATH.", fix="module avail pbs torque"
        )
    return MachineBlocks(
        f"The scheduler did not take the job. It said: {shown or f'nothing (exit code {output.code})'}",
        fix="Look at the whole script: hpc-jupyter-setup launch --dry-run",
    )
