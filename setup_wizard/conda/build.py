"""Making an environment, and changing one that is ours. The packages are the engine's work.

A new environment is built beside its place, in `.NAME.building`, with the final path written into its files,
and renamed when the packages are in. What needs the final place (link scripts, pip) comes after that, and the
note that it is whole comes last. Where a twin of it is there already, its files are linked in place of the
engine's work. An environment that is there already is changed in place, as a transaction.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from setup_wizard import files, trees
from setup_wizard.conda import (
    aside,
    byte_code,
    contents,
    damage,
    history,
    packages,
    secret_variables,
    shared,
    sources,
    twin,
)
from setup_wizard.conda.child import ask
from setup_wizard.conda.pip_section import pip_digest, pip_install
from setup_wizard.conda.scripts import note_scripts, run_scripts
from setup_wizard.conda.spec import EnvSpec, digest, package_name
from setup_wizard.conda.talk import Package, Request
from setup_wizard.errors import MachineBlocks
from setup_wizard.world import Progress, Report, World

BUILDING = "conda-meta/hpc-jupyter-setup.building"  # in the folder: the digest of what it is to become


@dataclass(frozen=True)
class Work:
    """An environment being made: where, what, from which package cache, and who hears of it."""

    world: World
    prefix: Path
    spec: EnvSpec
    report: Report
    pkgs: Path
    byte_code: bool = False  # whether it gets links to that of its packages

    def warn(self, text: str) -> None:
        self.report(Progress(text, unit="!"))


def make(work: Work, wanted: tuple[Package, ...] = ()) -> None:
    """Build a new environment beside its place, and rename it. An error leaves nothing there.

    `wanted` is its solution, where that is known already.
    """
    building = building_of(work.prefix)
    try:
        _prepare(building, digest(work.spec))
        if not _from_twin(work, building, wanted):
            _engine(work, _request(work, building, wanted))
        note_scripts(building)
        os.rename(building, work.prefix)
        files.sync_folder(work.prefix.parent)
    except OSError as e:
        raise files.cannot_write(work.prefix, e) from e
    finally:
        remove_building(work.prefix)


def change(work: Work, wanted: tuple[Package, ...] = (), reinstall: tuple[str, ...] | None = None) -> None:
    """Change an environment in place. What somebody else has added to it stays; what is damaged is mended.

    The packages of `reinstall` are damaged; None: nobody has looked yet.
    """
    contents.clean_up(work.prefix)
    tell_aside(work)
    again, stay = _damaged(work.prefix, reinstall)
    keep = contents.say_unfinished(work.prefix)
    byte_code.stop(work.world, work.prefix)
    byte_code.take_out(work.prefix, {p.stem for p in wanted})
    request = _request(work, work.prefix, wanted)
    theirs = str(trees.opened(work.world, work.prefix))
    request = msgspec.structs.replace(request, keep=keep, reinstall=again, suspect=again, theirs=theirs)
    _engine(work, request, stay)
    tell_aside(work)


def tell_aside(work: Work) -> None:
    """Tell what has made way for packages, now or in a run that was killed; its new name is the user's."""
    for text in aside.settle(work.world, work.prefix):
        work.warn(text)


def _damaged(prefix: Path, known: tuple[str, ...] | None) -> tuple[tuple[str, ...], set[str]]:
    """The packages to be installed again, and the records of those that stay just as they are.

    After a kill a look is taken in any case; what that run has linked came from a cache that nobody saw.
    """
    stems, killed = contents.stems(prefix), contents.whole(prefix) is None
    if killed or known is None:
        look = damage.look(prefix, packages_only=True)
        known = tuple(dict.fromkeys([*(known or ()), *look.flaws]))
        stems = tuple(s for s in stems if not killed or contents.name_of(s) in look.over)
    return known, {stem for stem in stems if contents.name_of(stem) not in known}


def finish(work: Work, update: str = "") -> None:
    """What needs the final place, and the note that the environment is whole."""
    prefix, spec = work.prefix, work.spec
    before = contents.was_whole(prefix)
    run_scripts(work.world, prefix, work.warn)
    secret, lost = secret_variables.values(work.world, spec, prefix)
    contents.write_variables(prefix, {**spec.variables, **secret}, private=bool(secret))
    for name in lost:
        work.warn(secret_variables.to_be_set(name, prefix))
    if work.byte_code:  # pip starts faster by it
        byte_code.link(prefix, work.pkgs)
    pip = pip_digest(spec, prefix)
    if pip and (before is None or before.pip != pip):
        pip_install(work.world, prefix, spec, work.report)
    asked = {package_name(d) for d in spec.dependencies}
    theirs = tuple(name for name in (before.theirs if before else ()) if name not in asked)
    records = tuple(stem for stem in contents.stems(prefix) if contents.name_of(stem) not in theirs)
    history.update(prefix, spec.dependencies, work.world.now(), theirs)
    (prefix / BUILDING).unlink(missing_ok=True)
    said = tuple({**spec.variables, **spec.secret})
    note = contents.Whole(digest(spec), pip, records, theirs=theirs, update=update, variables=said)
    contents.say_whole(prefix, note)


def remove_building(prefix: Path) -> None:
    """Remove what an interrupted run left beside the environment."""
    building = building_of(prefix)
    if _is_ours(building):
        shutil.rmtree(building, ignore_errors=True)


def unfinished(folder: Path) -> list[Path]:
    """What interrupted runs of ours have left in a folder of environments."""
    return [p for p in folder.glob(".*.building") if p.is_dir() and not p.is_symlink() and _is_ours(p)]


def building_of(prefix: Path) -> Path:
    """Where the environment for a prefix is built."""
    return prefix.with_name(f".{prefix.name}.building")


def _is_ours(building: Path) -> bool:
    """Whether it says so, or holds no file but the torn one that was to say so."""
    torn = f".{Path(BUILDING).name}."
    return (building / BUILDING).exists() or all(Path(p).name.startswith(torn) for p in trees.walk(building))


def _prepare(building: Path, asked: str) -> None:
    """The folder to build in: what a killed run left there is used where it was to become the same."""
    if files.read_text(building / BUILDING) == asked:
        contents.clean_up(building)
    else:
        begin_anew(building, asked)


def begin_anew(building: Path, asked: str) -> None:
    """An empty folder to build in, which says that it is ours. Raises MachineBlocks."""
    if building.exists() and not _is_ours(building):
        raise MachineBlocks(
            f"{building} is in the way: it is not from this setup.",
            fix=f"Move it away: mv {building} {building}.old",
        )
    shutil.rmtree(building, ignore_errors=True)
    files.write_text(building / BUILDING, asked)


def _from_twin(work: Work, building: Path, wanted: tuple[Package, ...]) -> bool:
    """Link what is wanted from an environment that holds just that; False where there is none."""
    like = twin.find(work.world, work.prefix, work.spec)
    if like is None:
        return False
    work.report(Progress(f"Link the files of {like.name}"))
    wanted = wanted or ask(work.world, _request(work), work.spec, work.report).packages
    try:
        if os.listdir(building) != ["conda-meta"] or contents.stems(building):
            begin_anew(building, digest(work.spec))  # a killed run left something there
        twin.copy(like, building, work.prefix, wanted)
    except twin.Unlike:
        begin_anew(building, digest(work.spec))
        return False
    return True


def _request(work: Work, target: Path | None = None, wanted: tuple[Package, ...] = ()) -> Request:
    """What is asked of the engine: to solve, and with a target to install there."""
    return Request(
        work.spec.urls,
        work.spec.dependencies,
        repodata=str(work.world.cache / "repodata"),
        packages=str(work.pkgs),
        prefix=str(work.prefix) if target else "",
        target=str(target or ""),
        wanted=tuple(p.url for p in wanted),
        pins=contents.pins(work.prefix),
        lock=sources.lock_text(work.world, work.spec),
        exact=work.spec.exact,
        offline=work.world.offline,
    )


def _engine(work: Work, request: Request, stay: Collection[str] = ()) -> None:
    """Let the engine install; again, should the package cache hold packages that somebody edited.

    What is to `stay` as it is was not taken from the cache just now.
    """
    with _looked_through(work.pkgs, work.report) as (edited, report):
        answer = ask(work.world, request, work.spec, report)
    suspect = tuple(p.name for p in answer.packages if p.stem in edited and p.stem not in stay)
    if suspect:
        again = msgspec.structs.replace(request, suspect=suspect)
        answer = ask(work.world, again, work.spec, work.report)
    came = {p.stem for p in answer.packages} - set(stay)
    for warning in (*answer.warnings, *shared.told(Path(request.target), came)):
        work.warn(warning)


@contextmanager
def _looked_through(pkgs: Path, report: Report) -> Iterator[tuple[set[str], Report]]:
    """Look for edited packages while the engine works; the set is filled at the end.

    It begins with the engine's first word: to start a program while a thread is at work is not safe.
    """
    found: set[str] = set()
    look = threading.Thread(target=lambda: found.update(packages.edited(pkgs)))

    def heard(progress: Progress) -> None:
        if look.ident is None:
            look.start()
        report(progress)

    try:
        yield found, heard
        if look.ident is None:
            look.start()
    finally:
        if look.ident is not None:
            look.join()
