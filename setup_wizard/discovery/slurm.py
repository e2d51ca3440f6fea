"""What Slurm's commands say of accounts, partitions and reservations: text in, data out."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

import msgspec

from setup_wizard import walltime
from setup_wizard.discovery.offer import Account, Limits, Partition, Qos, Reservation

# -a: hidden partitions too, for a job may name them.
SINFO = ("sinfo", "-a", "-h", "-o", "%P|%a|%l|%D|%t|%G|%c|%m|%f")
DOORS = ("scontrol", "-a", "-o", "show", "partition")
RESERVATIONS = ("scontrol", "-o", "show", "reservation")
SERVICES = ("sacctmgr", "-nP", "show", "qos", "format=name,flags,maxwall,maxtres,maxtrespu")
TAKES_JOBS = ("up", "down")  # in a partition that is down they wait; drained and inactive ones refuse them


def associations(user: str) -> tuple[str, ...]:
    """The command that tells the accounts of a user, on all clusters of the database."""
    columns = "cluster,account,partition,qos,defaultqos,maxwall,maxtres"
    return ("sacctmgr", "-nP", "show", "assoc", f"user={user}", f"format={columns}")


def clusters(text: str) -> set[str]:
    """The clusters that a user has accounts on."""
    return {line.split("|")[0] for line in text.splitlines() if line.split("|")[0]}


def accounts(text: str, cluster: str = "") -> tuple[Account, ...] | None:
    """What `sacctmgr` answered: "lab|proj1||normal,debug|normal||cpu=8", on one cluster ("": on all).

    No line at all is «not known».
    """
    found = []
    for line in text.splitlines():
        where, name, partition, qos, default, wall, most = [*map(str.strip, line.split("|")), *[""] * 7][:7]
        if name and cluster in ("", where):
            found.append(Account(name, partition, _names(qos), default, _limits(wall, most)))
    return tuple(dict.fromkeys(found)) or None


def services(text: str, which: Container[str]) -> tuple[Qos, ...] | None:
    """What `sacctmgr` answered of these QOS: "fast|DenyOnLimit|00:10:00|gres/gpu=1|cpu=4"."""
    found = []
    for line in text.splitlines():
        name, flags, wall, *most = [*map(str.strip, line.split("|")), *[""] * 5][:5]
        if name in which:
            found.append(Qos(name, _limits(wall, *most), _names(flags)))
    return tuple(found) or None


def _limits(wall: str, *most: str) -> Limits:
    """The least of what is allowed: a job that asks for more than a user may have never starts either."""
    pairs = [pair.split("=") for text in most for pair in _names(text) if pair.count("=") == 1]

    def least(kind: str) -> int | None:
        return min((int(n) for key, n in pairs if key == kind and n.isdigit()), default=None)

    return Limits(walltime.printed_by_slurm(wall), least("node"), least("cpu"), least("gres/gpu"))


def partitions(text: str, doors: str = "") -> tuple[Partition, ...] | None:
    """What `sinfo` answered: a line for each kind and state of nodes, joined to one partition each.

    `doors` is what `scontrol` tells of who may use them.
    """
    rows: dict[str, list[list[str]]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 9 and cells[0].strip("*"):
            rows.setdefault(cells[0], []).append(cells)
    told = {said.get("PartitionName", ""): said for line in doors.splitlines() if (said := _said(line))}
    found = (_partition(name, lines) for name, lines in rows.items())
    return tuple(_with_doors(p, told.get(p.name, {})) for p in found) or None


def _with_doors(partition: Partition, said: dict[str, str]) -> Partition:
    """With who may use it. Of lists that only forbid some, the scheduler itself is the judge."""

    def let_in(key: str) -> tuple[str, ...] | None:
        return None if said.get(key, "ALL") == "ALL" else _names(said[key])

    own = said.get("QoS", "").replace("N/A", "")
    doors = {"accounts": let_in("AllowAccounts"), "qos": let_in("AllowQos"), "own_qos": own}
    return msgspec.structs.replace(partition, **doors)


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
        said = _said(line)
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


def _said(line: str) -> dict[str, str]:
    """What a line of `scontrol -o` tells: "Name=exam Users=(null)"."""
    return {key: "" if value == "(null)" else value for key, value in re.findall(r"(\w+)=(\S*)", line)}


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)
