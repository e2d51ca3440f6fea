"""What a user really has on a system, as its scheduler tells. None and "" are «not known»; forbid nothing."""

from __future__ import annotations

import msgspec


class Limits(msgspec.Struct, frozen=True):
    """What one job may have at most: seconds, and on all its nodes together the rest. None: no limit here."""

    time: int | None = None
    nodes: int | None = None
    cores: int | None = None
    gpus: int | None = None


class Account(msgspec.Struct, frozen=True):
    """An account that jobs may be charged to: in which partition ("": in all), and with which QOS.

    `default_qos` is that of a job that names none ("": not known).
    """

    name: str
    partition: str = ""
    qos: tuple[str, ...] = ()
    default_qos: str = ""
    limits: Limits = Limits()


class Qos(msgspec.Struct, frozen=True):
    """A quality of service: limits of its own, before those of the account, and flags in Slurm's words."""

    name: str
    limits: Limits = Limits()
    flags: tuple[str, ...] = ()


class Partition(msgspec.Struct, frozen=True):
    """A partition or queue. `limit` in seconds (0: no limit), `memory` in MB; its largest node counts.

    `open` is whether it takes jobs now, `state` what the scheduler calls that. `gpus`, `cores`, `memory` are
    for one node, `nodes` how many there are, `idle` how many of them have nothing to do. `accounts` and `qos`
    are those that may use it (None: all that there are), `own_qos` a QOS whose limits all its jobs have.
    """

    name: str
    limit: int | None = None
    default: bool = False
    open: bool = True
    state: str = ""
    nodes: int | None = None
    idle: int | None = None
    gpus: int | None = None
    gpu_types: tuple[str, ...] = ()
    cores: int | None = None
    memory: int | None = None
    features: tuple[str, ...] | None = None
    accounts: tuple[str, ...] | None = None
    qos: tuple[str, ...] | None = None
    own_qos: str = ""


class Reservation(msgspec.Struct, frozen=True):
    """Nodes kept for some people for a while: from when to when, as the scheduler writes it."""

    name: str
    state: str = ""
    start: str = ""
    end: str = ""
    partition: str = ""
    accounts: tuple[str, ...] = ()
    users: tuple[str, ...] = ()


class Offer(msgspec.Struct, frozen=True):
    """All of it. None: the scheduler did not say; (): it said that there is none."""

    accounts: tuple[Account, ...] | None = None
    partitions: tuple[Partition, ...] | None = None
    reservations: tuple[Reservation, ...] | None = None
    qos: tuple[Qos, ...] | None = None

    @property
    def account_names(self) -> list[str]:
        """The accounts, each once, in the scheduler's order."""
        return list(dict.fromkeys(a.name for a in self.accounts or ()))

    @property
    def qos_names(self) -> list[str]:
        """Every QOS that one of the accounts may use, each once."""
        return list(dict.fromkeys(q for a in self.accounts or () for q in a.qos))

    @property
    def default(self) -> Partition | None:
        """The partition of a job that names none."""
        return next((p for p in self.partitions or () if p.default), None)

    def partition(self, name: str) -> Partition | None:
        """The partition of that name."""
        return next((p for p in self.partitions or () if p.name == name), None)

    def targets(self, named: str) -> list[Partition]:
        """The partitions, as far as known, that a job may run in: those it names, or the default."""
        if not named:
            return [self.default] if self.default else []
        return [p for name in named.split(",") if (p := self.partition(name))]
