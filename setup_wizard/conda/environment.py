"""A conda environment: how the machine stands to it, what it would take, and making it so."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from setup_wizard import trees
from setup_wizard.conda import aside, by_program, contents, damage, packages, registry, sources
from setup_wizard.conda.build import Work, change, finish, make, remove_building
from setup_wizard.conda.child import ask
from setup_wizard.conda.spec import EnvSpec, digest
from setup_wizard.conda.talk import Package, Request
from setup_wizard.errors import Busy, MachineBlocks
from setup_wizard.world import Report, World, make_private, scratch, silent

BYTES_UNPACKED = 5  # times those of the archive; measured 4 to 5
FILES_PER_MEGABYTE = 200  # of the archive, folders and our own notes included
FILES_LINKED = 25  # inodes that a package takes when its files are in the cache already
# Byte code, of noarch packages alone: others bring their own. Measured over 84 of them.
BYTE_CODE = 0.85  # bytes, times those of the archive
BYTE_CODE_PER_MEGABYTE, BYTE_CODE_LINKED = 55, 4  # files of the archive; folders of a package linked

Standing = Literal["absent", "complete", "changed", "unfinished", "incomplete", "environment", "foreign"]


class Solution(msgspec.Struct, frozen=True):
    """The packages that an environment will hold, and about what they will take on disk."""

    packages: tuple[Package, ...]
    with_byte_code: bool = False

    @property
    def to_download(self) -> tuple[Package, ...]:
        return tuple(p for p in self.packages if not p.cached)

    @property
    def bytes_on_disk(self) -> int:
        compiled = BYTE_CODE * self._noarch(self.to_download) if self.with_byte_code else 0
        return sum(p.size for p in self.to_download) * BYTES_UNPACKED + round(compiled)

    @property
    def bytes_shared(self) -> int:
        """What is linked from the package cache, and takes no room of its own."""
        return sum(p.size for p in self.packages if p.cached) * BYTES_UNPACKED

    @property
    def files(self) -> int:
        new = sum(p.size for p in self.to_download) * FILES_PER_MEGABYTE // 1_000_000
        return new + len(self.packages) * FILES_LINKED + self.byte_code

    @property
    def byte_code(self) -> int:
        """How many of the files are byte code, and folders for it."""
        if not self.with_byte_code:
            return 0
        new = self._noarch(self.to_download) * BYTE_CODE_PER_MEGABYTE // 1_000_000
        return new + BYTE_CODE_LINKED * sum("/noarch/" in p.url for p in self.packages)

    @property
    def copied(self) -> Solution:
        """The same where nothing can be linked, and every file is written."""
        return Solution(
            tuple(msgspec.structs.replace(p, cached=False) for p in self.packages), self.with_byte_code
        )

    @staticmethod
    def _noarch(packages: Iterable[Package]) -> int:
        return sum(p.size for p in packages if "/noarch/" in p.url)


def standing(world: World, prefix: Path, spec: EnvSpec, update: str = "") -> Standing:
    """How the machine stands to the environment; quick, changes nothing.

    «incomplete» is ours, and packages of it are gone; «environment» and «foreign» are not ours. An `update`
    has changed it when the note of the environment names that one.
    """
    if not os.path.lexists(prefix) or _is_empty(prefix):
        return "absent"
    note = contents.whole(prefix)
    if note and note.spec == digest(spec) and update in ("", note.update):
        return "incomplete" if contents.missing(prefix, note) else "complete"
    if trees.is_open(world, prefix):
        return "unfinished"
    if trees.is_sealed(world, prefix):
        return "changed"
    return "environment" if contents.is_environment(prefix) else "foreign"


def solve(
    world: World,
    prefix: Path,
    spec: EnvSpec,
    report: Report = silent,
    *,
    newest: tuple[str, ...] = (),
    engine: Path | None = None,
) -> Solution:
    """What the environment would hold; asks the channels, and changes nothing on the account.

    What is installed there stays as it is where it can, but for the packages of `newest` («*»: all). An
    `engine` is the user's own conda or mamba, which is to do it.
    Raises PackagesQuarrel, BadInput or NetworkTrouble.
    """
    if engine:
        return Solution(by_program.solve(world, engine, prefix, spec, newest, report))
    with scratch.folder(world) as tmp:
        pkgs = packages.folder(world, prefix)
        request = Request(
            spec.urls,
            spec.dependencies,
            repodata=str(world.cache / "repodata") if world.offline else str(tmp),
            packages=str(pkgs),
            lock=sources.lock_text(world, spec),
            exact=spec.exact,
            offline=world.offline,
            target=str(prefix),
            keep=contents.theirs(prefix),
            newest=newest,
            pins=contents.pins(prefix),
        )
        return Solution(ask(world, request, spec, report).packages)


def create(
    world: World,
    prefix: Path,
    spec: EnvSpec,
    report: Report = silent,
    *,
    repair: bool = False,
    wanted: tuple[Package, ...] = (),
    update: str = "",
    byte_code: bool = False,
    engine: Path | None = None,
    reinstall: tuple[str, ...] | None = None,
) -> int:
    """Make the environment as the spec asks, or change ours into it; nothing to do when it is so already.

    Gives the moment (ns) since when a change in it is somebody else's. A `repair` is done also where all
    packages are there, and removes what others left over. `wanted` is what `solve` has said: just that is
    installed, or linked from an environment of ours that holds just that. `update` names the update that
    brings it; an `engine`, the user's own conda or mamba, does it in our engine's place. `reinstall` are the
    damaged packages, which are installed anew; None: they are looked for. With `byte_code` it gets links to
    what has been compiled already. Safe to run again after a crash. Raises PackagesQuarrel, NetworkTrouble,
    MachineBlocks, CommandFailed (pip), Busy.
    """
    prefix = Path(os.path.abspath(prefix))  # a relative one would end in every file of the environment
    with _alone(world, prefix):
        where = standing(world, prefix, spec, update)
        if where in ("environment", "foreign"):
            raise not_ours(prefix, where)
        if where != "complete" or repair:
            with packages.in_use(packages.folder(world, prefix)) as pkgs:
                work = Work(world, prefix, spec, report, pkgs, byte_code)
                if repair:
                    damage.sweep(prefix)
                if engine:
                    by_program.install(work, engine, wanted)
                else:
                    make(work, wanted) if where == "absent" else change(work, wanted, reinstall)
                finish(work, update)
        registry.register(world, prefix, report)
        return (prefix / contents.WHOLE).stat().st_mtime_ns


def clear(world: World, prefix: Path) -> None:
    """Remove what an interrupted run left in the environment and beside it, and the package cache there."""
    aside.settle(world, prefix)
    contents.remove_probes(prefix)
    remove_building(prefix)
    packages.remove_beside(prefix)


def not_ours(prefix: Path, where: Standing) -> MachineBlocks:
    """The error for a place that is taken."""
    if where == "environment":
        return MachineBlocks(
            f"{prefix} is a conda environment that was not made by this setup, so it stays as it is.",
            fix="Choose another name (-n NAME), or remove it yourself: conda env remove -p " + str(prefix),
        )
    return MachineBlocks(
        f"{prefix} exists already and holds other files, so nothing is put there.",
        fix=f"Choose another place (-n NAME or -p PREFIX), or move it away: mv {prefix} {prefix}.old",
    )


@contextmanager
def _alone(world: World, prefix: Path) -> Iterator[None]:
    """Hold the environment; raises Busy when another process does. The lock goes when we do."""
    make_private(world.state)
    name = hashlib.sha256(str(prefix).encode()).hexdigest()[:16]
    lock = world.state / f"environment-{name}.lock"
    with lock.open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(
                f"Another run is just making {prefix}.", fix="Wait until it has ended, then run again."
            ) from None
        except OSError:
            pass  # a file system without locks: the lock of the whole run must do
        yield


def _is_empty(prefix: Path) -> bool:
    try:
        return not any(os.scandir(prefix))
    except OSError:
        return False
