"""What a World takes and gives: plain, frozen data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Output:
    """What a program answered: exit code (negative: ended by that signal), standard output and error."""

    code: int
    out: str = ""
    err: str = ""


@dataclass(frozen=True)
class Reply:
    """What a web server answered: status, body, headers with lower-case names, and where it came from."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    url: str = ""  # after redirects

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True)
class Progress:
    """One moment of a longer work: `done` of `total` (0: unknown), in `unit` ("B", "packages", "").

    In the unit "!" it is a warning, which stays on the screen.
    No title: until the next report another program speaks with the person.
    """

    title: str
    done: float = 0
    total: float = 0
    unit: str = ""


Report = Callable[[Progress], None]


def silent(_: Progress) -> None:
    """A report that nobody reads."""


@dataclass(frozen=True)
class Disk:
    """The file system below a path: free bytes and inodes (None: no such limit), kind, what it forbids."""

    free_bytes: int
    free_files: int | None
    kind: str
    noexec: bool = False
    read_only: bool = False


@dataclass(frozen=True)
class Mount:
    """The file system below a path, as the mount table has it: device or server, where, and kind."""

    source: str
    point: str
    kind: str


@dataclass(frozen=True)
class Limits:
    """What a process of the user may have: processes, bytes of memory, open files (None: no limit)."""

    processes: int | None
    memory: int | None
    open_files: int | None


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server, in seconds, and how often to try again."""

    connect: float = 15
    silence: float = 30
    tries: int = 4
    pause: float = 1.0
    slowest: int = 2_000  # bytes per second below which a download counts as stuck
    slow_for: float = 60
