"""What a user really has on a system, as its scheduler tells. None and "" are «not known»; forbid nothing."""

from __future__ import annotations

import msgspec


class Account(msgspec.Struct, frozen=True):
    """An account that jobs may be charged to: in which partition ("": in all), and with which QOS."""

    name: str
    partition: str = ""
    qos: tuple[str, ...] = ()


class Partition(msgspec.Struct, frozen=True):
    """A partition or queue. `limit` in seconds (0: no limit), `memory` in MB; its largest node counts.

    `open` is whether it takes jobs now, `state` what the scheduler calls that. `gpus`, `cores`, `memory` are
    for one node, `nodes` how many there are, `idle` how many of them have nothing to do.
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

    @property
    def account_names(self) -> list[str]:
        """The accounts, each once, in the scheduler's order."""
        return list(dict.fromkeys(a.name for a in self.accounts or ()))

    @property
    def qos(self) -> list[str]:
        """Every QOS that one of the accounts may use, each once."""
        return list(dict.fromkeys(q for a in self.accounts or () for q in a.qos))

    @property
    def default(self) -> Partition | None:
        """The partition of a job that names none."""
        return next((p for p in self.partitions or () if p.default), None)

    def partition(self, name: str) -> Partition | None:
        """The partition of that name."""
        return next((p for p in self.partitions or () if p.name == name), None)
