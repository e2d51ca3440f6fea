"""What the job of a session writes down of itself, a file each; who reads them is in `session`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec


class Process(msgspec.Struct, frozen=True):
    """One process for good: its host, its id, and its birth there (ids come again, births do not)."""

    host: str
    pid: int
    born: str


class Place(msgspec.Struct, frozen=True):
    """Where it runs: the serve process, its folder on a disk of that node, the environment's copy there.

    `absent` are folders of the home that go again when they are empty. `note` says why there is no copy.
    """

    serve: Process
    folder: Path
    absent: tuple[Path, ...] = ()
    prefix: Path | None = None
    note: str = ""


class Address(msgspec.Struct, frozen=True):
    """Where it answers: address without a token ("": lost, another is on its way), node, port, since when.

    `version` is that of jupyter_server; `warning` is what the user should know about it. `command` is to be
    run first, on the laptop ("" for nothing), and `note` is what to know about that.
    """

    url: str
    host: str
    port: int
    since: float
    version: str = ""
    warning: str = ""
    command: str = ""
    note: str = ""


class Proven(msgspec.Struct, frozen=True):
    """What the job has proven of the address `url`: a cell ran through it, or beside where it leads to."""

    url: str
    kernel_prefix: str
    answer: str
    via: str


class Used(msgspec.Struct, frozen=True):
    """Which environments its programs run from, its kernels above all; real paths."""

    prefixes: tuple[Path, ...] = ()


class End(msgspec.Struct, frozen=True):
    """How it ended. `how`: stopped, idle, left (from the browser), time (the job's was over), or died with a
    problem and its fix; `unproven` where no cell ran through its address.
    """

    at: float
    how: Literal["stopped", "idle", "left", "time", "died"]
    problem: str = ""
    fix: str = ""
    unproven: bool = False
