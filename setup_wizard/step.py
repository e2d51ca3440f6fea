"""What a step is: one thing made on the account, which can be looked at, made and taken back.

`check` is used four times: to preview, to skip, to verify after `apply`, and by `doctor`. What `apply` will
need to be undone is in the state that `check` gives, and is written down before `apply` is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec

from setup_wizard.files import NoFile, OldFile
from setup_wizard.trees import NoTree
from setup_wizard.world import Report, World

Before = NoFile | OldFile | NoTree


class Done(msgspec.Struct, frozen=True):
    """The machine is already so; `note` says what was found."""

    note: str = ""


class Todo(msgspec.Struct, frozen=True):
    """Something is to be done: `preview` is the diff or the commands, `before` what undo will need."""

    preview: str
    before: Before


class Blocked(msgspec.Struct, frozen=True):
    """It cannot be done as the machine stands."""

    problem: str
    fix: str


State = Done | Todo | Blocked


class Download(msgspec.Struct, frozen=True):
    """A file that will be fetched: name, where from, size in bytes (0: unknown), SHA-256 ("": see `note`)."""

    name: str
    url: str
    size: int = 0
    sha256: str = ""


class Kept(msgspec.Struct, frozen=True):
    """What another program keeps for itself at another place: bytes and inodes below `where`."""

    where: Path
    bytes: int
    files: int


class Forecast(msgspec.Struct, frozen=True):
    """What a step will cost: downloads, bytes and inodes on disk below `where` (0: unknown).

    `bytes_shared` are of files that are there already and only linked; `byte_code` of the files are made in
    the background, after all else.

    `kept` is what goes to other file systems than that of `where`.

    `settled` is the step with what was open in it decided, so that what is shown is what will be made;
    `difference` says what becomes of the packages of an environment that is there.
    """

    downloads: tuple[Download, ...] = ()
    bytes_on_disk: int = 0
    files: int = 0
    where: Path | None = None
    settled: Any = None
    difference: Any = None
    bytes_shared: int = 0
    byte_code: int = 0
    kept: tuple[Kept, ...] = ()


class Step(Protocol):
    """One thing on the account. Its fields are all it needs; the journal holds it and reads it back."""

    @property
    def title(self) -> str:
        """What it makes, for people: «Add conda to ~/.bashrc»."""

    @property
    def key(self) -> str:
        """What names the thing it makes, whatever version of it: "shell_block:/home/u/.bashrc"."""

    def check(self, world: World) -> State:
        """Look, touch nothing, ask no network; must answer even if earlier steps have not run."""

    def forecast(self, world: World, report: Report) -> Forecast:
        """What it will download and need; may ask the network, changes nothing on the account."""

    def apply(self, world: World, report: Report) -> None:
        """Do it. Safe to run again after a crash at any point: build beside, then rename."""

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        """Make it as `before`; safe twice. Gives the paths that stay because they are the user's."""
