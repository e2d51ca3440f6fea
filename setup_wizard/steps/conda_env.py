"""A conda environment, as a step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from setup_wizard import files, trees
from setup_wizard.conda import (
    byte_code,
    carrying,
    change,
    clone,
    contents,
    damage,
    environment,
    foresight,
    frozen,
    in_place,
    registry,
)
from setup_wizard.conda import prefix as prefixes
from setup_wizard.conda.change import Difference
from setup_wizard.conda.channels import shown
from setup_wizard.conda.spec import EnvSpec, digest
from setup_wizard.conda.talk import Package
from setup_wizard.step import Before, Blocked, Done, Download, Forecast, Kept, State, Todo
from setup_wizard.world import Report, World

REPAIR = "repair-"  # how the name of a repair begins
# Where conda writes down what it did, and what nobody needs when the packages are gone.
BOOKS = ("conda-meta/history", contents.STATE)


class CondaEnv(msgspec.Struct, frozen=True, tag="conda_env"):
    """The environment `name` at `prefix`, holding what `spec` asks for.

    `packages` are those that were shown and agreed to when it was to be made; none: they are still open.
    A change of one that is there is named by its `update`; `file` is the YAML to be kept inside. One that is
    `packed` in a file comes from there; `bytes` and `files` are what it takes on disk. `byte_code`: its
    packages' byte code is made, in the background, and shared with other environments. The `engine` is the
    user's own conda or mamba, where it is to do the work. A copy is made from the environment `copy_of`, with
    all that is in it; one that has `moved` takes its place, and its packages go `along`. The packages to
    `reinstall` are damaged; None: nobody has looked yet. A repair, which its `update` names, also removes
    what others left over. The user has brought it here from `brought_from`, which is no more; its files are
    to name the place where it is. `heir_of` is an environment of the user's own that it was copied from: when
    that is gone, this is what is left of it.
    """

    name: str
    prefix: Path
    spec: EnvSpec
    packages: tuple[Package, ...] = ()
    update: str = ""
    file: str = ""
    packed: Path | None = None
    bytes: int = 0
    files: int = 0
    byte_code: bool = True
    engine: Path | None = None
    reinstall: tuple[str, ...] | None = None
    copy_of: Path | None = None
    moved: bool = False
    brought_from: Path | None = None
    along: bool = False
    heir_of: Path | None = None

    def later(self, **changes: Any) -> CondaEnv:
        """The same, however it has come to be, for what is done with it next."""
        origin = {"packed": None, "copy_of": None, "moved": False, "along": False, "brought_from": None}
        return msgspec.structs.replace(self, **{**origin, "reinstall": None, **changes})

    @property
    def title(self) -> str:
        verb = "Unpack" if self.packed else "Mend" if self.brought_from else "Make"
        return f"{verb} the environment {self.name} in {self.prefix}"

    @property
    def key(self) -> str:
        return f"conda_env:{self.prefix}"

    @property
    def ends(self) -> tuple[str, ...]:
        """The keys of the steps that are no more when this is made."""
        return (f"conda_env:{self.brought_from}",) if self.brought_from else ()

    @property
    def repairs(self) -> bool:
        """Whether it is a repair of what is there."""
        return self.update.startswith(REPAIR)

    def check(self, world: World) -> State:
        if self.brought_from and in_place.named(self.prefix):
            return self._check_brought(self.brought_from, world)
        where = environment.standing(world, self.prefix, self.spec, self.update)
        if where == "complete" and not trees.is_open(world, self.prefix):
            return Done(self._found())
        if where in ("environment", "foreign"):
            trouble = environment.not_ours(self.prefix, where)
            return Blocked(trouble.problem, trouble.fix)
        if self.packed and where == "changed":
            return Blocked(f"{self.prefix} is another environment by now.", "Choose another name: -n NAME")
        if where == "absent" and (bad := prefixes.trouble(world, self.prefix)):
            return Blocked(bad.problem, bad.fix)
        if kept := frozen.trouble(self.prefix, self.spec):
            return Blocked(kept.problem, kept.fix)
        return Todo(self._preview(where), trees.before(self.prefix, registry.path(world)))

    def _check_brought(self, was: Path, world: World) -> State:
        if bad := in_place.trouble(world, self.prefix, was):
            return Blocked(bad.problem, bad.fix)
        return Todo(in_place.preview(self.prefix, was), trees.before(self.prefix))

    def forecast(self, world: World, report: Report) -> Forecast:
        """The solution: each package with size and hash; bytes and files on disk are estimates."""
        if self.brought_from and in_place.named(self.prefix):
            return Forecast()
        if self.packed:
            return Forecast(bytes_on_disk=self.bytes, files=self.files, where=self.prefix)
        if self.copy_of:
            stocked = carrying.stocked(world, self.copy_of, self.prefix, along=self.along)
            takes = clone.cost(self.copy_of, self.prefix, stocked, everything=self.moved)
            return Forecast((), takes.bytes, takes.files, self.prefix, bytes_shared=takes.shared)
        if self.update and self.packages:
            solution = environment.Solution(self.packages)
        else:
            solution = environment.solve(world, self.prefix, self.spec, report, engine=self.engine)
        there, meets = contents.stems(self.prefix), None
        if there:
            meets = foresight.foreseen(world, self.prefix, solution.packages, self.reinstall)
        again = [p for p in solution.packages if meets and p.name in meets.again]
        new = environment.Solution(
            (*change.new_packages(self.prefix, solution.packages), *again), self.byte_code
        )
        downloads = [
            Download(p.url.rpartition("/")[2], shown(p.url), p.size, p.sha256) for p in new.to_download
        ]
        bare = tuple(msgspec.structs.replace(p, depends=(), cached=False) for p in solution.packages)
        settled = msgspec.structs.replace(self, packages=bare, reinstall=meets.again if meets else None)
        kept = foresight.kept(world, self.engine, self.prefix, new) if self.engine else None
        disk = new.copied if kept else new
        return Forecast(
            tuple(downloads),
            disk.bytes_on_disk,
            disk.files,
            self.prefix,
            settled,
            meets,
            disk.bytes_shared,
            disk.byte_code,
            (Kept(*kept),) if kept else (),
        )

    def apply(self, world: World, report: Report) -> None:
        if self.brought_from:
            self._settle(self.brought_from, world, report)
        where = environment.standing(world, self.prefix, self.spec, self.update)
        if where in ("environment", "foreign"):
            raise environment.not_ours(self.prefix, where)
        if where == "complete" and not trees.is_open(world, self.prefix):
            return
        trees.open_tree(world, self.prefix)
        if self.packed and where == "absent":
            from setup_wizard.conda import unpack  # the archives' libraries cost time

            unpack.make(world, self.packed, self.prefix, report)
        if self.copy_of and where == "absent":
            self._copy(self.copy_of, world, report)
        moment = environment.create(
            world,
            self.prefix,
            self.spec,
            report,
            wanted=self.packages,
            update=self.update,
            byte_code=self.byte_code,
            engine=self.engine,
            repair=self.repairs,
            reinstall=self.reinstall,
        )
        if self.file:
            files.sweep(self.prefix / contents.FILE)
            files.write(self.prefix / contents.FILE, self.file.encode(), mtime_ns=moment)
        paths: list[str] | None = contents.own_paths(self.prefix)
        if self.repairs:  # what is installed again is ours, although it had been changed
            paths = [*(paths or ()), *trees.but_for_theirs(world, self.prefix)]
        elif self.packed or self.spec.pip or any(p.endswith("-post-link.sh") for p in paths or ()):
            paths = None  # what pip, scripts and an archive brought is known only by looking
        if self.copy_of:
            self._seal_copy(self.copy_of, world, moment)
            return
        trees.seal_tree(world, self.prefix, paths, at_ns=moment)

    def _settle(self, was: Path, world: World, report: Report) -> None:
        trees.follow(world, was, self.prefix)
        trees.open_tree(world, self.prefix)
        byte_code.stop(world, self.prefix)
        if in_place.named(self.prefix):
            in_place.settle(self.prefix, was, report)
        registry.unregister(world, was)

    def _copy(self, source: Path, world: World, report: Report) -> None:
        byte_code.stop(world, source)
        there = contents.whole(source)
        said = tuple({**self.spec.variables, **self.spec.secret})
        note = there or contents.Whole(digest(self.spec), "", contents.stems(source), variables=said)
        stock = carrying.stock(world, source, self.prefix)
        copied = clone.Source(source, stock, everything=self.moved)
        clone.clone(copied, self.prefix, report, None if self.moved else note)

    def _seal_copy(self, source: Path, world: World, moment: int) -> None:
        """All of a copy is ours, see `undo`; of one that has moved, what was ours before."""
        clone.prove(world, self.prefix)
        if self.moved and trees.is_sealed(world, source):
            trees.seal_like(world, source, self.prefix)
        else:
            trees.seal_tree(world, self.prefix, None, at_ns=moment)

    def undo(self, before: Before, world: World) -> Sequence[Path]:
        assert isinstance(before, trees.NoTree)
        if self.brought_from:
            trees.follow(world, self.brought_from, self.prefix)
            registry.unregister(world, self.brought_from)
        byte_code.stop(world, self.prefix)
        environment.clear(world, self.prefix)
        if not (trees.is_open(world, self.prefix) or trees.is_sealed(world, self.prefix)):
            files.remove_absent(before.absent)
            return []
        if self.heir_of and os.path.lexists(self.prefix) and not contents.is_environment(self.heir_of):
            contents.disown(self.prefix)
            trees.forget(world, self.prefix)
            return [self.prefix]
        registry.unregister(world, self.prefix)
        if self.copy_of and not self.moved and not contents.is_environment(self.copy_of):
            # What is the user's is nowhere else by now.
            trees.narrow(world, self.prefix, contents.own_paths(self.prefix))
        kept = trees.take_back(world, before)
        if any(path not in [self.prefix / book for book in BOOKS] for path in kept):
            return kept
        for path in kept:
            path.unlink()
        return trees.take_back(world, before)

    def _found(self) -> str:
        note = contents.whole(self.prefix)
        added = contents.added(self.prefix, note)
        more = f"; added since: {', '.join(added[:5])}" if added else ""
        return f"{self.prefix} holds {len(note.records) if note else 0} packages{more}"

    def _preview(self, where: environment.Standing) -> str:
        if self.copy_of and where == "absent":
            return f"copy {self.copy_of} to {self.prefix}\n  with all that is in it"
        verbs = {"absent": "make", "changed": "change", "unfinished": "complete", "incomplete": "repair"}
        lines = [f"{verbs.get(where, 'seal')} the conda environment {self.prefix}"]
        lines += [f"  with {self.engine}"] if self.engine else []
        if self.packed:
            return "\n".join([*lines, f"  from {self.packed}"])
        if self.repairs:
            lines = [f"repair the conda environment {self.prefix}"]
            lines += [f"  remove {path}" for path in damage.leftovers(self.prefix)]
            stray = sum(1 for _ in damage.stray(self.prefix))
            lines += [f"  remove byte code of what is gone ({stray} files)"] if stray else []
        again = self.reinstall or ()
        if self.update:
            told = change.difference(self.prefix, self.packages, again) if self.packages else None
            return "\n".join([*lines, *(f"  {text}" for text in (told or Difference(again=again)).lines)])
        lines += [f"  channel {shown(channel)}" for channel in self.spec.channels]
        lines += [f"  {dependency}" for dependency in self.spec.dependencies]
        lines += [f"  pip: {line}" for line in self.spec.pip]
        lines += [f"  {name}={value}" for name, value in self.spec.variables.items()]
        lines += [f"  {name} (hidden)" for name in self.spec.secret]
        return "\n".join(lines)
