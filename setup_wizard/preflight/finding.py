"""What is asked of the machine, and what is found."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from setup_wizard.conda.distributions import FAMILIES
from setup_wizard.errors import SetupError
from setup_wizard.places import FILES, ROOM

Level = Literal["good", "warn", "bad"]


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at: "good", "warn" (it goes on), or "bad" (it cannot go on), with the fix."""

    title: str
    level: Level = "good"
    detail: str = ""
    fix: str = ""


class Questions(msgspec.Struct, frozen=True, kw_only=True):
    """What the coming work will ask of the machine, as far as it is known yet.

    families      the distributions that may be chosen; empty: a conda that is there is taken
    prefix        where it goes; None: not said yet
    environments  the names of the environments to come
    notebooks     whether repositories will be cloned
    mirror        the only address to be asked, if there is one
    room, files   bytes and inodes that it will take (0: all is there already)
    """

    families: tuple[str, ...] = FAMILIES
    prefix: Path | None = None
    environments: tuple[str, ...] = ()
    notebooks: bool = True
    mirror: str | None = None
    room: int = ROOM
    files: int = FILES


def from_error(title: str, error: SetupError, level: Level = "bad") -> Finding:
    """What an error would say, as a finding."""
    return Finding(title, level, error.problem, error.fix)
