"""The whole mirror in a folder: made once, kept until what it is made of changes.

mirror.json            what it is: format, date, inputs, repositories
conda-forge/           a conda channel: noarch/ and linux-64/ (or linux-aarch64/)
miniconda/ miniforge/  an installer each, with .files.json
git/NAME.git           our notebooks
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

from setup_wizard.errors import BadInput, MachineBlocks
from setup_wizard.files import cannot_write
from setup_wizard.mirror import packages as conda
from setup_wizard.mirror import pypi
from setup_wizard.mirror.about import CHANNEL, FORMAT, About, Mirror, Repository, read, write
from setup_wizard.mirror.names import matplotlib
from setup_wizard.mirror.notebooks import collections
from setup_wizard.mirror.packages import MACHINE, Package
from setup_wizard.mirror.python import python_package
from setup_wizard.mirror.repositories import write_repository
from setup_wizard.mirror.stand_in import write_installers
from setup_wizard.mirror.tiny import tiny_packages
from setup_wizard.mirror.wheels import Wheel, package_of
from setup_wizard.world import Progress, Report, World, silent

PACKAGES = (
    "jupyterlab",
    "notebook",
    "ipykernel",
    "numpy",
    "pandas",
    "matplotlib",
    "pip",
    "setuptools",
    "wheel",
)

Make = Callable[[], Package]


@dataclass(frozen=True)
class Recipe:
    """What a mirror is made of: a hash of it all, and the packages besides Python, when they are needed."""

    inputs: str
    packages: Callable[[], Sequence[Make]]


def build(
    world: World,
    folder: Path,
    *,
    report: Report = silent,
    wheels: Path | None = None,
    packages: Sequence[str] = PACKAGES,
) -> Mirror:
    """The rehearsal's mirror in `folder`: this Python, and `packages` with all that they need.

    The wheels come from PyPI, and are kept beside the mirror, or from the folder `wheels`. Raises
    MachineBlocks (no pip, no space), NetworkTrouble (no PyPI), BadInput (wheels missing, a foreign folder).
    """

    def gather() -> Sequence[Make]:
        kept = folder.with_name(f".{folder.name}.wheels")
        place = wheels or pypi.download(world, kept, packages, report)
        return _makes(pypi.gather(place, packages))

    given = sorted(f"{p.name} {p.stat().st_size}" for p in wheels.glob("*.whl")) if wheels else []
    recipe = Recipe(_inputs(world, *packages, "wheels:", *given), gather)
    return _kept_or_made(world, folder, recipe, report)


def _makes(wheels: Mapping[str, Wheel]) -> list[Make]:
    makes: list[Make] = [partial(package_of, wheel, wheels) for wheel in wheels.values()]
    if "matplotlib" in wheels:
        makes.append(partial(matplotlib, wheels["matplotlib"].version))
    return makes


def tiny(world: World, folder: Path, *, report: Report = silent) -> Mirror:
    """A mirror for tests, made in a second: this Python and three packages that do next to nothing."""
    makes = [partial(_the, package) for package in tiny_packages()]
    return _kept_or_made(world, folder, Recipe(_inputs(world, "tiny"), lambda: makes), report)


def _the(package: Package) -> Package:
    return package


# --- kept or made ---------------------------------------------------------------------------------------


def _inputs(world: World, *words: str) -> str:
    """A hash of all that decides what the mirror will be."""
    sources = [p for p in sorted(Path(__file__).parent.rglob("*")) if p.is_file() and p.suffix != ".pyc"]
    digest = hashlib.sha256()
    for word in (str(FORMAT), sys.version, sys.base_prefix, MACHINE, str(world.which("git")), *words):
        digest.update(word.encode() + b"\0")
    for content in (p.read_bytes() for p in sources):
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()


def _kept_or_made(world: World, folder: Path, recipe: Recipe, report: Report) -> Mirror:
    with _alone(folder, report):
        kept = read(folder)
        if kept and kept.about.inputs == recipe.inputs:
            return kept
        _require_ours(folder)
        beside = folder.with_name(f".{folder.name}.new")
        shutil.rmtree(beside, ignore_errors=True)
        try:
            about = _make(world, beside, recipe, report)
            _swap(beside, folder)
        except OSError as e:
            raise _trouble(folder, e) from e
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    return Mirror(folder, about)


def _trouble(folder: Path, e: OSError) -> MachineBlocks:
    """What stopped the work: the mirror could not be written, or something else not be read."""
    path = Path(os.fsdecode(e.filename)) if isinstance(e.filename, str | bytes) else folder
    if path.is_relative_to(folder.parent):
        return cannot_write(folder, e)
    return MachineBlocks(f"{path} could not be read: {e.strerror}.", fix=f"See who may read it: ls -l {path}")


def _require_ours(folder: Path) -> None:
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "mirror.json").exists():
        raise BadInput(f"{folder} holds something else than a mirror.", fix="Give another folder.")


@contextmanager
def _alone(folder: Path, report: Report) -> Iterator[None]:
    """One builder at a time; the second one waits and then finds it made."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = folder.with_name(f".{folder.name}.lock").open("w")
    except OSError as e:
        raise cannot_write(folder, e) from e
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report(Progress("Waiting for another run that builds the same mirror"))
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _swap(beside: Path, folder: Path) -> None:
    """Put the new mirror in the place of the old one."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    beside.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _make(world: World, folder: Path, recipe: Recipe, report: Report) -> About:
    makes = recipe.packages()
    folder.mkdir()
    _write_packages(folder, makes, report)
    report(Progress("Making the repositories of the mirror"))
    made = datetime.fromtimestamp(world.now(), timezone.utc).isoformat(timespec="seconds")
    about = About(FORMAT, made, recipe.inputs, _write_repositories(world, folder / "git"))
    write(folder, about)
    return about


def _write_packages(folder: Path, makes: Sequence[Make], report: Report) -> None:
    """The channel and the installers; in threads, since most of the time goes into compression."""
    python = python_package()
    every = [partial(_the, python), *makes]
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        installers = pool.submit(write_installers, folder, python)
        records = []
        for record in pool.map(lambda make: conda.write_package(folder / CHANNEL, make()), every):
            records.append(record)
            report(Progress("Building the rehearsal mirror", len(records), len(every), "packages"))
        installers.result()
    conda.write_repodata(folder / CHANNEL, records)


def _write_repositories(world: World, folder: Path) -> tuple[Repository, ...]:
    """Our notebooks as repositories; none where there is no git."""
    folder.mkdir()
    if world.which("git") is None:
        return ()
    return tuple(write_repository(world, folder, collection) for collection in collections())
