"""An environment that is deleted, as a step: set aside on the same file system, so that it can come back.

Nothing is copied: the folder is renamed, and so is the kernelspec of each kernel that starts it. What is not
called `kernel.json` is no kernel to Jupyter; what lies deeper than `envs/NAME` is no environment to conda.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from setup_wizard import files, trees
from setup_wizard.conda import byte_code, registry
from setup_wizard.errors import MachineBlocks
from setup_wizard.step import Before, Blocked, Done, Forecast, State, Todo
from setup_wizard.world import Report, World

FOLDER = ".hpc-jupyter-setup-trash"  # beside the environments
EMPTYING = ".emptying-"  # before the name of what is just going for good


class Trash(msgspec.Struct, frozen=True, tag="trash"):
    """The environment `name` of `prefix` lies in the trash at `place`, since `at` (seconds since 1970).

    `ends` are the keys of the steps that it ends, `kernels` the kernelspecs that went with it. Whether conda
    had been told of it is in `listed`. It goes for good at once when it has `moved_to` another place.
    """

    name: str
    prefix: Path
    place: Path
    at: float
    ends: tuple[str, ...] = ()
    kernels: tuple[Path, ...] = ()
    listed: bool = True
    moved_to: Path | None = None

    @property
    def title(self) -> str:
        if self.moved_to:
            return f"Remove {self.prefix}, the old place"
        return f"Put the environment {self.name} into the trash"

    @property
    def key(self) -> str:
        return f"trash:{self.place}"

    def check(self, world: World) -> State:
        there, aside = os.path.lexists(self.prefix), os.path.lexists(self.place)
        if there and aside:
            return Blocked(f"{self.place} is in the way.", f"Move it away: mv {self.place} {self.place}.old")
        if there and not os.access(self.prefix.parent, os.W_OK | os.X_OK):
            return Blocked(
                f"{self.prefix} cannot be moved: {self.prefix.parent} is not writable.",
                f"See whose it is: ls -ld {self.prefix.parent}",
            )
        if there:
            return Todo(self._preview(), trees.NoTree(self.place))
        return Done(f"{self.prefix} is in the trash" if aside else f"{self.prefix} is gone")

    def forecast(self, world: World, report: Report) -> Forecast:
        """Nothing: a folder gets another name."""
        return Forecast()

    def apply(self, world: World, report: Report) -> None:
        byte_code.stop(world, self.prefix)
        try:
            for path in self.kernels:
                _rename(path, self.aside(path))
            if self.listed:
                registry.unregister(world, self.prefix)
            self.place.parent.mkdir(exist_ok=True, mode=0o700)
            trees.follow(world, self.prefix, self.place)
            _rename(self.prefix, self.place)
        except OSError as e:
            raise files.cannot_write(self.prefix, e) from e

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        """What is ours, or has moved, goes for good; else it comes back. So do kernels of others."""
        kept: list[Path] = []
        if os.path.lexists(self._going) or (self.moved_to and os.path.lexists(self.place)):
            self.empty(world)
        elif os.path.lexists(self.place) and self.ends:
            kept = trees.take_back(world, trees.NoTree(self.place))
        elif os.path.lexists(self.place):
            self.bring_back(world)
        elif os.path.lexists(self.prefix):  # it never went
            trees.follow(world, self.place, self.prefix)
        self._kernels_back()
        self._remove_folder()
        return kept

    def bring_back(self, world: World) -> None:
        """Put the environment into its place again, with its kernels. Raises MachineBlocks."""
        if os.path.lexists(self.place):
            _make_way(self.prefix)
            trees.follow(world, self.place, self.prefix)
            _rename(self.place, self.prefix)
        self._kernels_back()
        if self.listed:
            registry.register(world, self.prefix)
        self._remove_folder()

    def empty(self, world: World) -> None:
        """Remove it for good; safe to run again after a crash, and then half of it never comes back."""
        _rename(self.place, self._going)
        for path in self.kernels:
            self.aside(path).unlink(missing_ok=True)
            with suppress(OSError):  # what else lies there stays
                path.parent.rmdir()
        trees.forget(world, self.place)
        shutil.rmtree(self._going, ignore_errors=True)
        self._remove_folder()

    @property
    def _going(self) -> Path:
        return self.place.with_name(f"{EMPTYING}{self.place.name}")

    def _kernels_back(self) -> None:
        for path in self.kernels:
            if path.exists():  # there is another one since
                self.aside(path).unlink(missing_ok=True)
            else:
                _rename(self.aside(path), path)

    def aside(self, kernel: Path) -> Path:
        """The name under which Jupyter does not see a kernelspec."""
        return kernel.with_name(
            f".{kernel.name}.deleted-{hashlib.sha256(str(self.place).encode()).hexdigest()[:8]}"
        )

    def _remove_folder(self) -> None:
        with suppress(OSError):  # others lie there
            self.place.parent.rmdir()

    def _preview(self) -> str:
        lines = [f"move {self.prefix} to {self.place}"]
        return "\n".join([*lines, *(f"take the kernel out of Jupyter: {path}" for path in self.kernels)])


def free_place(prefix: Path) -> Path:
    """Where in the trash the environment can lie: under its name, or that with a number."""
    place, number = prefix.parent / FOLDER / prefix.name, 1
    while os.path.lexists(place):
        number += 1
        place = place.with_name(f"{prefix.name}-{number}")
    return place


def _rename(old: Path, new: Path) -> None:
    if os.path.lexists(old):
        os.rename(old, new)
        files.sync_folder(new.parent)


def _make_way(prefix: Path) -> None:
    """Only an empty folder may be in the way. Raises MachineBlocks."""
    if os.path.lexists(prefix):
        try:
            prefix.rmdir()
        except OSError:
            raise MachineBlocks(
                f"{prefix} is there again, so what lies in the trash stays there.",
                fix=f"Move it away (mv {prefix} {prefix}.old), or empty the trash: "
                "hpc-jupyter-setup env clean --trash",
            ) from None
