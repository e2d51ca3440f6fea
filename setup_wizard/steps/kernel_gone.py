"""A kernelspec that is to go at its user's wish; our state folder keeps it, so that it can come back."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import files, trees
from setup_wizard.step import Before, Done, Forecast, State, Todo
from setup_wizard.world import Report, World


class KernelGone(msgspec.Struct, frozen=True, tag="kernel_gone"):
    """The kernelspec in `folder` is gone; `digest` names what was in it."""

    folder: Path
    digest: str

    @classmethod
    def of(cls, folder: Path) -> KernelGone:
        """The kernelspec as it is now."""
        seen = [str(folder), *(f"{k}={v}" for k, v in sorted(trees.picture(folder).items()))]
        return cls(folder, hashlib.sha256("\0".join(seen).encode()).hexdigest()[:24])

    @property
    def title(self) -> str:
        return f"Remove the kernel {self.folder.name} from Jupyter"

    @property
    def key(self) -> str:
        return f"kernel_gone:{self.folder}:{self.digest}"

    def check(self, world: World) -> State:
        if not os.path.lexists(self._aside) and not self._is_there(world):
            return Done(f"{self.folder} is gone")
        preview = f"move {self.folder} to {self._kept(world)}"
        return Todo(preview, trees.before(self.folder))

    def forecast(self, world: World, report: Report) -> Forecast:
        """A few small files."""
        return Forecast()

    def apply(self, world: World, report: Report) -> None:
        try:
            if os.path.lexists(self.folder):
                _copy(self.folder, self._kept(world))
                _remove(self._aside)
                self.folder.rename(self._aside)
            _remove(self._aside)
        except OSError as e:
            raise files.cannot_write(self.folder, e) from e

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        """Put it back; what has taken its place since is the user's, and stays."""
        kept = self._kept(world)
        if os.path.lexists(kept):
            _copy(kept, self.folder)
        _remove(self._aside)
        _remove(kept)
        return []

    @property
    def _aside(self) -> Path:
        """Where it is while it goes."""
        return self.folder.with_name(f".{self.folder.name}.hpc-jupyter-setup-gone")

    def _is_there(self, world: World) -> bool:
        """Whether this very one is; when it is gone, the user may have made another."""
        there, kept = os.path.lexists(self.folder), os.path.lexists(self._kept(world))
        return there and not (kept and KernelGone.of(self.folder).digest != self.digest)

    def _kept(self, world: World) -> Path:
        return world.state / "kernels" / f"{self.folder.name}-{self.digest}"


def _copy(source: Path, target: Path) -> None:
    """Copy a folder, or a link to one, with times and modes; whole or not at all; nothing if it is there."""
    if os.path.lexists(target):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.hpc-jupyter-setup-copy")
    _remove(beside)
    if source.is_symlink():
        beside.symlink_to(os.readlink(source))
    else:
        shutil.copytree(source, beside, symlinks=True)
    beside.rename(target)
    files.sync_folder(target.parent)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
