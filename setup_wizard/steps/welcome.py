"""Our own notebook for the first steps, laid into the notebook folder."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.notebook_catalogue import welcome
from setup_wizard.step import Before, Done, Forecast, State, Todo
from setup_wizard.steps.checkpoints import copy_of, drop_copy
from setup_wizard.world import Report, World


def _sha256() -> str:
    return hashlib.sha256(welcome()).hexdigest()


class Welcome(msgspec.Struct, frozen=True, tag="welcome"):
    """The welcome notebook at `path`; `sha256` is that of the version that we lay there."""

    path: Path
    sha256: str = msgspec.field(default_factory=_sha256)

    @property
    def title(self) -> str:
        return "Add the welcome notebook"

    @property
    def key(self) -> str:
        return f"welcome:{self.path}"

    def check(self, world: World) -> State:
        """A notebook that is there, changed or not, is never overwritten."""
        if self.path.exists() or self.path.is_symlink():
            return Done("" if self._is_ours() else "it is there, changed; it stays as it is")
        return Todo(
            f"{self.path}: our first notebook, {len(welcome())} bytes", files.before(world, self.path)
        )

    def forecast(self, world: World, report: Report) -> Forecast:
        return Forecast(bytes_on_disk=len(welcome()), files=1, where=self.path)

    def apply(self, world: World, report: Report) -> None:
        files.write(self.path, welcome())

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        """A notebook that the user worked on stays, as do Jupyter's copies of it."""
        assert isinstance(before, files.NoFile)
        if self._is_ours():
            drop_copy(self.path)
            self.path.unlink()
        files.remove_absent(before.absent)
        return [p for p in (self.path, copy_of(self.path)) if p.exists()]

    def _is_ours(self) -> bool:
        return self.path.is_file() and hashlib.sha256(self.path.read_bytes()).hexdigest() == self.sha256
