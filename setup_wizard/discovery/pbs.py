"""What `qstat` says of queues, in the dialects of Torque, PBS Pro and Slurm's wrappers: text in, data out."""

from __future__ import annotations

import re

import msgspec

from setup_wizard import walltime
from setup_wizard.discovery.offer import Partition

FULL = ("qstat", "-Q", "-f")
SHORT = ("qstat", "-q")
SERVER = ("qstat", "-B", "-f")


def queues(text: str) -> tuple[Partition, ...] | None:
    """What `qstat -Q -f` answered: blocks of «key = value», a long value folded with a tab."""
    unfolded = re.sub(r"\n\t(?![\w.]+ = )(?=\S)", "", text)  # Slurm's qstat begins each key with a tab
    found = []
    for block in re.split(r"^Queue:\s*", unfolded, flags=re.M)[1:]:
        name, _, rest = block.partition("\n")
        said = dict(re.findall(r"^\s+([\w.]+) = (.*?)\s*$", rest, flags=re.M))
        if name.strip():
            found.append(_queue(name.strip(), said))
    return tuple(found) or None


def _queue(name: str, said: dict[str, str]) -> Partition:
    enabled, started = (said.get(key, "True").lower() in ("true", "yes") for key in ("enabled", "started"))
    state = ", ".join([*([] if enabled else ["takes no jobs"]), *([] if started else ["starts no jobs"])])
    limit = said.get("resources_max.walltime", "")
    gpus = said.get("resources_max.ngpus", "")
    return Partition(
        name,
        limit=walltime.printed_by_pbs(limit),
        open=enabled and said.get("from_route_only") != "True",
        state="only by way of another queue" if said.get("from_route_only") == "True" else state,
        gpus=0 if gpus == "0" else None,  # a most of all nodes together says nothing of one
    )


def short_queues(text: str) -> tuple[Partition, ...] | None:
    """What `qstat -q` answered: a table, the walltime in the fourth column, «E R» or «D S» at last."""
    found = []
    for line in text.splitlines():
        cells = line.split()
        if len(cells) >= 9 and cells[-2] in ("E", "D") and cells[-1] in ("R", "S"):
            limit = walltime.printed_by_pbs(cells[3])
            found.append(Partition(cells[0], limit=limit, open=cells[-2] == "E"))
    return tuple(found) or None


def with_default(found: tuple[Partition, ...] | None, server: str) -> tuple[Partition, ...] | None:
    """The queues, with the one marked that `qstat -B -f` calls the default."""
    match = re.search(r"^\s+default_queue = (\S+)", server, flags=re.M)
    if found is None or match is None:
        return found
    return tuple(msgspec.structs.replace(q, default=q.name == match[1]) for q in found)
