"""What Slurm's commands say of accounts, partitions and reservations: text in, data out."""

from __future__ import annotations

import re
from collections.abc import Iterable

from setup_wizard import walltime
from setup_wizard.discovery.offer import Account, Partition, Reservation

# -a: hidden partitions too, for a job may name them.
SINFO = ("sinfo", "-a", "-h", "-o", "%P|%a|%l|%D|%t|%G|%c|%m|%f")
SCONTROL = ("scontrol", "-o", "show", "reservation")
TAKES_JOBS = ("up", "down")  # in a partition that is down they wait; drained and inactive ones refuse them


def sacctmgr(user: str) -> tuple[str, ...]:
    """The command that tells the accounts of a user."""
    return ("sacctmgr", "-nP", "show", "assoc", f"user={user}", "format=account,partition,qos")


def accounts(text: str) -> tuple[Account, ...] | None:
    """What `sacctmgr` answered: "proj1||normal,debug". No line at all is «not known»."""
    found = []
    for line in text.splitlines():
        name, partition, qos = [*line.split("|"), "", ""][:3]
        if name.strip():
            found.append(Account(name.strip(), partition.strip(), _names(qos.strip())))
    return tuple(dict.fromkeys(found)) or None


def partitions(text: str) -> tuple[Partition, ...] | None:
    """What `sinfo` answered: a line for each kind and state of nodes, joined to one partition each."""
    rows: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 9 and cells[0].strip("*"):
            rows.setdefault(cells[0], []).append(cells)
    return tuple(_partition(name, lines) for name, lines in rows.items()) or None


def _partition(name: str, rows: list[list[str]]) -> Partition:
    _, state, limit, *_ = rows[0]
    kinds = [gpus(row[5]) for row in rows]
    features = {f for row in rows for f in row[8].split(",") if f not in ("", "(null)")}
    return Partition(
        name.rstrip("*"),
        limit=walltime.printed_by_slurm(limit),
        default=name.endswith("*"),
        open=state in TAKES_JOBS,
        state=state,
        nodes=sum(_number(row[3]) or 0 for row in rows),
        idle=sum(_number(row[3]) or 0 for row in rows if row[4] == "idle"),
        gpus=max(sum(kind.values()) for kind in kinds),
        gpu_types=tuple(sorted({t for kind in kinds for t in kind if t})),
        cores=_largest(row[6] for row in rows),
        memory=_largest(row[7] for row in rows),
        features=tuple(sorted(features)),
    )


def gpus(gres: str) -> dict[str, int]:
    """GPUs in a list of generic resources, by type: "gpu:a100:4(S:0-1),craynetwork:4" -> {"a100": 4}."""
    found: dict[str, int] = {}
    for kind, count in re.findall(
        r"(?:^|,)(?:gres/)?gpu(?::([A-Za-z][^:,()]*))?(?::(\d+))?(?=[(,:]|$)", gres
    ):
        found[kind] = found.get(kind, 0) + int(count or 1)
    return found


def _number(text: str) -> int | None:
    match = re.match(r"\d+", text)  # "8+": some have more
    return int(match[0]) if match else None


def _largest(texts: Iterable[str]) -> int | None:
    """The largest of these; None when it is not known, or when somebody has more: "128+"."""
    numbers = [None if t.endswith("+") else _number(t) for t in texts]
    return None if None in numbers else max((n for n in numbers if n is not None), default=None)


def reservations(text: str) -> tuple[Reservation, ...] | None:
    """What `scontrol -o show reservation` answered: a line each."""
    if "No reservations" in text:
        return ()
    found = []
    for line in text.splitlines():
        said = {key: "" if value == "(null)" else value for key, value in re.findall(r"(\w+)=(\S*)", line)}
        if said.get("ReservationName"):
            found.append(
                Reservation(
                    said["ReservationName"],
                    said.get("State", ""),
                    said.get("StartTime", ""),
                    said.get("EndTime", ""),
                    said.get("PartitionName", ""),
                    _names(said.get("Accounts", "")),
                    _names(said.get("Users", "")),
                )
            )
    return tuple(found) or None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)
