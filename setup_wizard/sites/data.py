"""What is known of a system: plain values, and an empty one for what is not known."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from setup_wizard import walltime

SchedulerName = Literal["slurm", "torque", "pbs", "kubernetes", "local"]
AccessName = Literal["rps", "tunnel", "direct"]
YesNo = Literal["yes", "no", "unknown"]


class Markers(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a system is recognised, in this order; any one of them will do.

    `environment`: variables and their values ("": any value). `directories`: paths; a list of paths in the
    list means all of them together. `hosts`: regular expressions for whole, fully qualified host names.
    `cluster`: Slurm's ClusterName.
    """

    environment: dict[str, str] = {}
    directories: tuple[str | tuple[str, ...], ...] = ()
    hosts: tuple[str, ...] = ()
    cluster: str = ""


class Partition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A partition or queue: its longest time ("" unknown), most nodes and GPUs of one job (0: unknown)."""

    name: str
    limit: str = ""
    default: bool = False
    debug: bool = False
    gpu: bool = False
    nodes: int = 0
    gpus: int = 0
    note: str = ""

    @property
    def seconds(self) -> int | None:
        """The longest time that a job may have, in seconds; None: not known."""
        return walltime.seconds(self.limit) if self.limit else None


class Site(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A system, as far as it is known from the outside. docs/reference/sites.md tells each key."""

    name: str
    title: str
    scheduler: SchedulerName
    status: Literal["active", "retired", "unknown"] = "active"
    retired: str = ""  # when: "2024-01"
    successor: str = ""  # the name of another site
    confidence: Literal["high", "medium", "low", "unknown"] = "unknown"
    markers: Markers = Markers()
    login: tuple[str, ...] = ()  # addresses for ssh, the one to use first
    login_hosts: tuple[str, ...] = ()  # regular expressions for whole host names, short ones too
    login_policy: str = ""
    partitions: tuple[Partition, ...] = ()
    qos: tuple[str, ...] = ()  # some that there are
    qos_like_partition: bool = False  # a job names its partition as its QOS too
    constraint: tuple[str, ...] = ()  # a job must ask for one of these
    account: Literal["required", "optional", "unknown"] = "unknown"
    account_hint: str = ""  # what an account looks like, or when it is needed
    memory_option: bool = True  # whether a job may ask for memory
    exclusive: bool = False  # a job takes whole nodes, and has to say so (Slurm's --exclusive)
    access: tuple[AccessName, ...] = ("tunnel",)  # ways in, the best first
    rps: str = ""  # the domain of its Reverse Proxy Service
    rps_ca: str = ""  # the file of the authority that signs for it; "" for the usual ones
    node_suffix: str = ""  # what makes a compute node's name a full one
    ssh_to_compute: YesNo = "unknown"
    scratch: tuple[str, ...] = ()  # with $USER, $SCRATCH, … as the shell of the site knows them
    purge: dict[str, str] = {}  # a folder of `scratch`, and when files are deleted there: "after 90 days"
    quota: tuple[str, ...] = ()  # commands that print quotas as `quota` or `lfs quota` do
    packed: bool = False  # environments are to be unpacked on the node's own disk
    modules: tuple[str, ...] = ()  # worth a try
    guide: str = ""  # the URL of the user guide
    instead: str = ""  # what to do where this program cannot launch
    note: str = ""

    @property
    def default_partition(self) -> str:
        """The partition to propose for a notebook; "" leaves it to the scheduler."""
        return next((p.name for p in self.partitions if p.default), "")

    def partition(self, name: str) -> Partition | None:
        """What is known of a partition."""
        return next((p for p in self.partitions if p.name == name), None)

    def is_login_host(self, host: str) -> bool:
        """Whether a host of this site, by its short or full name, is known for a login node."""
        return any(re.fullmatch(pattern, host) for pattern in self.login_hosts)
