"""Example notebooks: a repository cloned into a folder, kept up to date, and taken back."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from setup_wizard import files, trees
from setup_wizard.errors import MachineBlocks
from setup_wizard.git import clone as clones
from setup_wizard.git import must_be_here
from setup_wizard.git.update import update
from setup_wizard.git.words import GET_GIT, NO_GIT
from setup_wizard.step import Before, Blocked, Done, Download, Forecast, State, Todo
from setup_wizard.steps.checkpoints import drop_copies
from setup_wizard.world import Progress, Report, World


class Clone(msgspec.Struct, frozen=True, tag="clone"):
    """The repository `name` at `url`, cloned into the folder `path`; its `bytes` and `files`, 0: unknown."""

    name: str
    url: str
    path: Path
    bytes: int = 0
    files: int = 0

    @property
    def title(self) -> str:
        return f"Fetch the notebooks {self.name}"

    @property
    def key(self) -> str:
        return f"clone:{self.path}"

    @property
    def beside(self) -> Path:
        """Where it is cloned to, before it is renamed into place."""
        return self.path.with_name(f".{self.path.name}.cloning")

    def check(self, world: World) -> State:
        if os.path.lexists(self.path):
            return self._found(world)
        if os.path.lexists(self.beside) and not trees.is_open(world, self.beside):
            return Blocked(
                f"{self.beside} is there, and is not ours.", fix=f"Move it away: mv {self.beside} …"
            )
        if not world.which("git"):
            return Blocked(NO_GIT, fix=GET_GIT)
        return Todo(f"git clone --depth 1 {self.url} {self.path}", trees.before(self.path))

    def forecast(self, world: World, report: Report) -> Forecast:
        """The files and, about as large again, git's own copy of them."""
        download = Download(self.name, self.url, self.bytes)
        return Forecast((download,), bytes_on_disk=2 * self.bytes, files=self.files + 30, where=self.path)

    def apply(self, world: World, report: Report) -> None:
        """Clone it, or bring the clone that we made to the newest version."""

        def tell(p: Progress) -> None:
            report(dataclasses.replace(p, title=f"{self.name}: {p.title}"))

        if trees.is_sealed(world, self.path) and self.path.is_dir():
            update(world, self.path, tell)
        else:
            self._clone(world, tell)

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        """What the user made or changed stays; of a clone with own commits, git's whole memory too."""
        assert isinstance(before, trees.NoTree)
        _take_back_all(world, self.beside)
        if not trees.is_sealed(world, self.path):
            files.remove_absent(before.absent)
            return []
        if not clones.has_own_commits(self.path):
            clones.drop_git(self.path)
        drop_copies(world, self.path)
        kept = trees.take_back(world, before)
        clones.mend_git(self.path)
        return _git_as_one(self.path, kept)

    def _found(self, world: World) -> State:
        if trees.is_sealed(world, self.path):
            return Done()
        if clones.url_of(self.path) == self.url:
            return Done("you cloned it yourself; it stays as it is")
        return Blocked(
            f"{self.path} is there already, and is not a clone of {self.url}.",
            fix=f"Choose another folder with --notebook-folder, or: mv {self.path} {self.path}.mine",
        )

    def _clone(self, world: World, report: Report) -> None:
        must_be_here(world)
        trees.clear_open(world, self.beside)
        trees.open_tree(world, self.beside)
        try:
            clones.clone(world, self.url, self.beside, report)
            self._move_in(world)
        finally:
            _take_back_all(world, self.beside)

    def _move_in(self, world: World) -> None:
        """Note what is ours, then show it under its name: a crash between the two leaves nothing half."""
        moment = (clones.notes(self.beside) / "seen").stat().st_mtime_ns
        trees.seal_tree(world, self.path, clones.files(self.beside), at_ns=moment)
        try:
            os.rename(self.beside, self.path)
        except OSError as e:
            raise MachineBlocks(
                f"{self.path} could not be put in place: {e.strerror}.",
                fix=f"See what is there: ls -la {self.path}; then run again.",
            ) from e


def _take_back_all(world: World, root: Path) -> None:
    """Remove a folder of which all is ours, while we were at work on it."""
    if trees.is_open(world, root):
        trees.take_back(world, trees.NoTree(root))


def _git_as_one(path: Path, kept: list[Path]) -> list[Path]:
    """The many files below .git, named as the one thing that they are to a person."""
    git = path / ".git"
    others = [p for p in kept if git not in p.parents]
    return others if len(others) == len(kept) else [git, *others]
