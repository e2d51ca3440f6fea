"""Every conda environment of the account, ours or not, at a glance; and which one a name stands for.

They are those of our journal, those that conda has been told of (environments.txt), the condas that are
found, and what lies in their `envs` folders. Nothing here walks through an environment of 20,000 files.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from setup_wizard import environments, session, trees
from setup_wizard.conda import contents, found, in_place, registry, summary
from setup_wizard.conda.room import Room
from setup_wizard.conda.summary import Memory
from setup_wizard.errors import BadInput
from setup_wizard.hints import did_you_mean
from setup_wizard.journal import Receipt
from setup_wizard.session import Session
from setup_wizard.steps import CondaEnv, Distribution, kernelspec
from setup_wizard.world import World

UNNAMED = ""


class Place(msgspec.Struct, frozen=True):
    """An environment: its name («base» of a conda itself, "" where conda knows it by its path only).

    `ours`: our journal has it.
    """

    name: str
    prefix: Path
    ours: bool = False

    @property
    def called(self) -> str:
        """What a person calls it."""
        return self.name or str(self.prefix)


class Glance(msgspec.Struct, frozen=True):
    """An environment as `env list` shows it.

    `kernels` are those of the user's Jupyter that start its Python. `used` is when it was used last, in
    seconds since 1970, as exactly as the file system keeps it (a day, mostly); 0: nobody can tell. `problem`
    says what can be seen to be wrong with it, "" for nothing.
    """

    name: str
    prefix: Path
    ours: bool
    python: str
    packages: int
    room: Room
    kernels: tuple[str, ...]
    used: float
    problem: str
    frozen: bool = False


def places(receipt: Receipt, world: World) -> list[Place]:
    """Every environment once: ours first, then the others by where they are."""
    there = {p.prefix: p for p in _ours(receipt)}
    seen = {os.path.realpath(p) for p in there}
    others = []
    for prefix in dict.fromkeys(p for p in _others(world, receipt) if p not in there):
        is_one = contents.is_environment(prefix) or not os.path.lexists(prefix)
        if is_one and (real := os.path.realpath(prefix)) not in seen:
            seen.add(real)
            others.append(Place(_name(prefix), prefix))
    return [*there.values(), *sorted(others, key=lambda p: (p.prefix.parent, p.name != "base", p.name))]


def pick(name: str, receipt: Receipt, world: World) -> Place:
    """The environment that a name or a path stands for, ours or not. Raises BadInput.

    Ours come first, of them the newest; a name that several others have is refused, with their paths.
    """
    if "/" in name:
        prefix = environments.spelled(Path(name), receipt)
        mine = next((p for p in _ours(receipt) if p.prefix == prefix), None)
        return mine or Place(_name(prefix), _existing(prefix))
    if same := [p for p in _ours(receipt) if p.name == name]:
        return same[-1]
    every = places(receipt, world)
    named = [p for p in every if p.name == name]
    if len(named) == 1:
        return named[0]
    if named:
        listed = ", ".join(str(p.prefix) for p in named)
        raise BadInput(f"There are several environments «{name}»: {listed}.", fix="Give its path instead.")
    known = [p.name for p in every if p.name]
    raise BadInput(
        f"There is no environment «{name}».{did_you_mean(name, known)}",
        fix="See which there are: hpc-jupyter-setup env list",
    )


def whole(receipt: Receipt, world: World, name: str) -> Place:
    """The same, where it has to be there. Raises BadInput."""
    place = pick(name, receipt, world)
    if not contents.is_environment(place.prefix):
        raise BadInput(
            f"The environment {place.called} is gone from {place.prefix}.",
            fix="See how it stands: hpc-jupyter-setup env list",
        )
    return place


def glances(receipt: Receipt, world: World, which: Iterable[Place], measure: bool = False) -> list[Glance]:
    """What can be said of these environments at once; `measure` looks at each of their files."""
    memory, kernels, sessions = Memory(world), offered(world), _sessions(world)
    told = []
    for place in which:
        prefix, figures = place.prefix, memory.summary(place.prefix, measure)
        used = max(_read_last(prefix, figures.python), sessions.get(prefix, 0))
        told.append(_glance(world, place, figures, kernels.get(prefix, ()), used))
    memory.keep()
    return told


def _glance(
    world: World, place: Place, figures: summary.Summary, kernels: tuple[str, ...], used: float
) -> Glance:
    prefix = place.prefix
    return Glance(
        place.name,
        prefix,
        place.ours,
        figures.python,
        len(figures.stems),
        figures.room,
        kernels,
        used,
        problem(world, place, figures),
        (prefix / "conda-meta/frozen").exists(),
    )


# --- which there are --------------------------------------------------------------------------------------


def _ours(receipt: Receipt) -> Iterator[Place]:
    for step in (entry.step for entry in receipt.values()):
        if isinstance(step, CondaEnv):
            yield Place(step.name, step.prefix, ours=True)
        elif isinstance(step, Distribution):
            yield Place("base", step.prefix, ours=True)


def _others(world: World, receipt: Receipt) -> Iterator[Path]:
    """Where others may be: what conda was told of, condas, and all folders in the places for environments."""
    listed = registry.listed(world)
    yield from listed
    folders = {prefix.parent for prefix in listed if prefix.parent.name == "envs"}
    folders |= {environments.folder(receipt, world), world.home / ".conda/envs"}
    for conda in found.find(world):
        if conda.healthy:
            yield conda.prefix
            folders.add(conda.prefix / "envs")
    for variable in ("CONDA_ENVS_DIRS", "CONDA_ENVS_PATH"):
        folders |= {Path(p) for p in world.env.get(variable, "").split(":") if p.startswith("/")}
    for folder in sorted(folders):
        yield from _folders_in(folder)


def _folders_in(folder: Path) -> list[Path]:
    """The folders in it but for hidden ones, which are being made or thrown away."""
    try:
        return sorted(Path(e.path) for e in os.scandir(folder) if e.is_dir() and e.name[0] != ".")
    except OSError:
        return []


def _name(prefix: Path) -> str:
    if prefix.parent.name == "envs":
        return prefix.name
    return "base" if os.path.isfile(prefix / "condabin/conda") else UNNAMED


def _existing(prefix: Path) -> Path:
    if contents.is_environment(prefix):
        return prefix
    what = "is no conda environment" if prefix.exists() else "is not there"
    raise BadInput(f"{prefix} {what}.", fix="See which there are: hpc-jupyter-setup env list")


# --- what can be seen of one ------------------------------------------------------------------------------


def offered(world: World) -> dict[Path, tuple[str, ...]]:
    """The kernels in the user's own folder, by the prefix of the program that they start."""
    kernels: dict[Path, tuple[str, ...]] = {}
    for folder in _folders_in(kernelspec.jupyter_data(world) / "kernels"):
        if prefix := kernelspec.prefix_of(kernelspec.read(folder / "kernel.json"), folder):
            kernels[prefix] = (*kernels.get(prefix, ()), folder.name)
    return kernels


def _sessions(world: World) -> dict[Path, float]:
    """When a session was started last from a prefix."""
    return {s.job.prefix: s.created for s in session.every(world) if isinstance(s, Session)}


def _read_last(prefix: Path, python: str) -> float:
    """When the folder of Python's modules was read last, which each start of that Python does."""
    folder = summary.library(prefix, python) if python else prefix / "lib/R/library"
    try:
        if os.statvfs(folder).f_flag & os.ST_NOATIME:
            return 0.0
        return os.stat(folder).st_atime
    except OSError:
        return 0.0


def problem(world: World, place: Place, figures: summary.Summary) -> str:
    """What can be seen to be wrong without reading the packages' files; "" for nothing."""
    prefix = place.prefix
    if not os.path.isdir(prefix):
        return "the folder is gone"
    if not contents.is_environment(prefix):
        return "no conda environment any more"
    if place.ours and (trees.is_open(world, prefix) or (prefix / contents.WAS_WHOLE).exists()):
        return "a change of it was not finished"
    note = contents.whole(prefix)
    there = {contents.name_of(stem) for stem in figures.stems}
    if note and (gone := sorted({contents.name_of(stem) for stem in note.records} - there)):
        return f"{', '.join(gone[:3])} {'is' if len(gone) == 1 else 'are'} gone"
    if figures.python and not os.access(prefix / "bin/python", os.X_OK):
        return "bin/python is missing"
    if elsewhere := in_place.moved(prefix):
        return f"its programs are those of {elsewhere}: it was moved or copied here"
    return ""
