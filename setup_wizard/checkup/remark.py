"""What is said of an environment that was looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

Kind = Literal[
    "standing",  # the environment is gone, or a change of it was not finished
    "moved",  # its programs are those of another prefix
    "records",  # a record cannot be read
    "files",  # files of a package are gone or changed
    "kernel",  # a kernelspec that is wrong, or stands in the way of its own
    "security",  # jupyter_server with known holes
    "pip",  # pip's package in the place of conda's
    "shadow",  # packages from elsewhere come before its own
    "channels",  # packages whose channel has terms of use
    "leftovers",  # what conda and killed programs left behind
    "frozen",  # a mark forbids changes
]
Level = Literal["bad", "warn", "note"]


class Remark(msgspec.Struct, frozen=True):
    """One thing that is not as it should be ("bad"), may do harm ("warn"), or is good to know ("note").

    `fix` is what to do about it; `mends`: `env check --fix` does it. `package` is whose files are concerned,
    and `paths` are they, relative to the prefix.
    """

    kind: Kind
    level: Level
    text: str
    fix: str = ""
    mends: bool = False
    package: str = ""
    paths: tuple[str, ...] = ()


class Checkup(msgspec.Struct, frozen=True):
    """An environment that was looked at: how many files, and what is to be said of it."""

    name: str
    prefix: Path
    ours: bool
    files: int
    remarks: tuple[Remark, ...]

    @property
    def healthy(self) -> bool:
        """Whether nothing is wrong; what may do harm is not counted."""
        return not any(r.level == "bad" for r in self.remarks)
