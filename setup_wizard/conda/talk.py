"""What we and the engine say to each other: one request in, events out, as lines of JSON.

The engine is a process of its own, since rattler cannot be stopped once it works and may crash when an
interpreter ends. So nothing of rattler's is in these words.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal[
    "spec",  # a dependency that cannot be read
    "missing",  # no package has this name
    "version",  # the package is there, but not in such a version
    "machine",  # needs a GPU, a newer C library …
    "conflict",  # each can be had, but not together
    "clash",  # the same, told by a conda or mamba of the user's: nobody has looked for a way out
    "channel",  # the channel, or a package of it, is not there
    "forbidden",  # the server wants to know who we are
    "unreachable",  # nobody answers
    "server",  # the server answers that it cannot (5xx, 429)
    "garbled",  # the answer is not what it should be: a login page, perhaps
    "broken",  # the answer ended too early
    "offline",  # it is not in our caches, and nobody may be asked
    "changed",  # the channels no longer have a package that was wanted
    "lock",  # the lock cannot be read
    "hash",  # a package is not the one that the channel promised
    "disk",  # no space, no right, read-only
    "terms",  # the user has not agreed to the terms of a channel
    "program",  # anything else that a conda or mamba of the user's said; `package` is its name
    "bug",  # anything else
]


class Request(msgspec.Struct, frozen=True):
    """What the engine should do: solve, and where a `prefix` is given, install into it.

    The files are put into `target`; where that differs from `prefix`, the folder is to be renamed later, and
    link scripts are left to whoever renames it. `keep` are installed packages that somebody else added,
    `reinstall` those whose files are damaged, `suspect` those that were edited in the package cache as well;
    `theirs` is a note of `trees` with what else in it is the user's.
    Of what is installed in `target`, the packages of `newest` may move on («*»: all); `pins` are the user's.
    `wanted` are the addresses of all packages, where the solution is known; it is not looked for again then.
    Nothing is solved where there is a `lock` (its text) or where `exact` names each package (URL#HASH).
    `to_lock` are platforms: the solution of each, or what is installed in `target`, is said as a lock.
    `offline`: nobody is asked; what is in our caches has to do. `only_read`: no more than that is done with
    the dependencies.
    `look`: nothing is solved; what the channels have of a package is said («numpy >=2»), or which packages
    have such a name («*numpy*»). `logins` are channels with the name and password, or the token, that they
    take: secrets, which are never said again.
    """

    channels: tuple[str, ...]
    dependencies: tuple[str, ...]
    repodata: str
    packages: str
    prefix: str = ""
    target: str = ""
    keep: tuple[str, ...] = ()
    reinstall: tuple[str, ...] = ()
    suspect: tuple[str, ...] = ()
    theirs: str = ""
    wanted: tuple[str, ...] = ()
    newest: tuple[str, ...] = ()
    pins: tuple[str, ...] = ()
    lock: str = ""
    exact: tuple[str, ...] = ()
    to_lock: tuple[str, ...] = ()
    offline: bool = False
    only_read: bool = False
    look: str = ""
    logins: tuple[str, ...] = ()


class Package(msgspec.Struct, frozen=True, omit_defaults=True):
    """A package that the solution holds; `cached` says that it need not be downloaded."""

    name: str
    version: str
    build: str
    url: str
    size: int
    sha256: str
    depends: tuple[str, ...] = ()
    cached: bool = False

    @property
    def stem(self) -> str:
        """Its name in conda-meta and in a package cache."""
        return f"{self.name}-{self.version}-{self.build}"


class Offer(msgspec.Struct, frozen=True):
    """A build of a package that a channel has; `size` in bytes, `noarch` where it is for every machine."""

    version: str
    build: str
    channel: str
    size: int = 0
    noarch: bool = False
    depends: tuple[str, ...] = ()


class Moved(msgspec.Struct, frozen=True, tag="moved"):
    """Progress: `done` of `total` in `unit`."""

    title: str
    done: int
    total: int
    unit: str = ""


class Beat(msgspec.Struct, frozen=True, tag="beat"):
    """The engine lives. `waiting`: for a server; `bytes`: what has come from servers so far."""

    bytes: int
    waiting: bool


class Warned(msgspec.Struct, frozen=True, tag="warned"):
    """Something went wrong that does not stop us."""

    text: str


class Solved(msgspec.Struct, frozen=True, tag="solved"):
    """The solution."""

    packages: tuple[Package, ...]


class Locked(msgspec.Struct, frozen=True, tag="locked"):
    """The lock that was asked for, as a text."""

    text: str


class Seen(msgspec.Struct, frozen=True, tag="seen"):
    """What the channels have of the package that was asked about, newest first; or the names that match."""

    offers: tuple[Offer, ...] = ()
    names: tuple[str, ...] = ()


class Installed(msgspec.Struct, frozen=True, tag="installed"):
    """The solution is in the target; downloading and linking took so many `seconds`."""

    seconds: float


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Why it could not be done.

    `package` is the dependency as it was asked for, or the file; `near` what there is instead. `url` is what
    was asked; of a version, the channel that has it but comes too late to count. Of a conflict, `quarrel` are
    the fewest dependencies that cannot be had together; `near` would do in the place of `package`, or, where
    that is empty, leaving it out.
    """

    kind: Kind
    message: str = ""
    package: str = ""
    near: tuple[str, ...] = ()
    url: str = ""
    quarrel: tuple[str, ...] = ()


class WasRead(msgspec.Struct, frozen=True, tag="read"):
    """All dependencies were read; these could not be."""

    unreadable: tuple[Failed, ...]


Event = Moved | Beat | Warned | Solved | Locked | WasRead | Seen | Installed | Failed

PULSE = 0.5  # seconds between two beats


def event(line: str) -> Event:
    """An event from its line."""
    heard: Event = msgspec.json.decode(line, type=Event)
    return heard
