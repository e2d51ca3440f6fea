"""The user's environment.yml, kept in step with the environment that was made from it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.conda.asked import edited
from setup_wizard.conda.secret_variables import unsaid
from setup_wizard.errors import SetupError
from setup_wizard.step import Before, Blocked, Done, Forecast, State, Todo
from setup_wizard.world import Report, World


class EnvFile(msgspec.Struct, frozen=True, tag="env_file"):
    """The file of the environment at `prefix` asks for the packages `add`, and not for `remove`.

    `since` is the SHA-256 of the file when that was decided; what the user writes into it later is theirs.
    """

    path: Path
    prefix: Path
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    since: str = ""

    @property
    def title(self) -> str:
        return f"Keep {self.path} in step with its environment"

    @property
    def key(self) -> str:
        return f"env_file:{self.path}"

    def check(self, world: World) -> State:
        if not self.path.exists():
            return Done(f"{self.path} is gone")
        try:
            old = _text(self.path)
            new = edited(old, self.path, self.add, self.remove)
        except SetupError as e:
            return Blocked(e.problem, e.fix)
        if old == new or digest(old) != self.since:
            return Done(f"{self.path} was kept in step")
        shown = files.diff(self.path, unsaid(old, self.path), unsaid(new, self.path))
        return Todo(shown, files.before(world, self.path))

    def forecast(self, world: World, report: Report) -> Forecast:
        """A few bytes."""
        return Forecast()

    def apply(self, world: World, report: Report) -> None:
        new = edited(_text(self.path), self.path, self.add, self.remove)
        files.write(self.path, new.encode())

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        assert isinstance(before, files.FileBefore)
        if not self.path.exists() or isinstance(before, files.NoFile):
            return []
        try:
            ours = edited(files.old_bytes(before).decode(), self.path, self.add, self.remove)
        except (SetupError, UnicodeDecodeError):
            ours = ""
        if self.path.read_bytes() not in (ours.encode(), files.old_bytes(before)):
            return [self.path]
        files.put_back(before)
        return []


def digest(text: str) -> str:
    """A text as one SHA-256."""
    return hashlib.sha256(text.encode()).hexdigest()


def _text(path: Path) -> str:
    return path.read_bytes().decode("utf-8")
