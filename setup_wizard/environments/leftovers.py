"""What can go without anybody missing it: the trash, packages that nothing uses, what crashes have left.

Everything is weighed before anything is removed, and together: a file that is linked elsewhere gives nothing.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec

from setup_wizard import environments, files
from setup_wizard.conda import build, byte_code, contents, found, packages, registry
from setup_wizard.environments.weight import Scale, Weight
from setup_wizard.errors import MachineBlocks, SetupError
from setup_wizard.journal import Journal, Receipt, Undone
from setup_wizard.jupyter import nook
from setup_wizard.steps import CondaEnv, Trash
from setup_wizard.steps.kernelspec import jupyter_data
from setup_wizard.steps.trash import EMPTYING, FOLDER
from setup_wizard.world import World, scratch

DAY = 86_400.0  # seconds; a torn file that is younger may be one that is just written
CACHES = ("repodata", "downloads", "pip", "uv")  # in our cache, beside the packages

Kind = Literal["trash", "packages", "downloads", "unfinished", "torn", "foreign"]


class Asked(msgspec.Struct, frozen=True):
    """What is to be looked for: the trash, our caches, what crashes left, caches of other programs.

    What is younger than `days` stays.
    """

    trash: bool = True
    caches: bool = True
    crashes: bool = True
    foreign: bool = False
    days: float = 0


class Leftover(msgspec.Struct, frozen=True):
    """Something that can go: what it is, where, what it gives back, and since when it is there.

    Of what lies in the trash, `step` is what put it there; a package is in the `cache` of packages.
    """

    kind: Kind
    name: str
    path: Path
    since: float
    weight: Weight = Weight()
    step: Trash | None = None
    cache: Path | None = None


def find(world: World, receipt: Receipt, asked: Asked) -> list[Leftover]:
    """All that can go, weighed in this order; changes nothing."""
    scale, there = Scale(), dict[Path, Leftover]()
    for left in _candidates(world, receipt, asked, scale):
        days = max(asked.days, 1) if left.kind == "torn" else asked.days
        if left.path not in there and world.now() - left.since >= days * DAY:
            there[left.path] = msgspec.structs.replace(left, weight=scale.put(left.path))
    return list(there.values())


def remove(left: Leftover, journal: Journal) -> None:
    """Remove it for good; safe to run again after a crash. Raises Busy, MachineBlocks."""
    try:
        if left.step:
            left.step.empty(journal.world)
            journal.append(Undone(left.step.key))
        elif left.cache:
            with packages.alone(left.cache) if left.kind == "packages" else nullcontext():
                packages.remove(left.path)
        elif left.path.is_dir() and not left.path.is_symlink():
            shutil.rmtree(left.path)
        else:
            left.path.unlink(missing_ok=True)
    except FileNotFoundError:
        return  # somebody else was faster
    except OSError as e:
        raise MachineBlocks(
            f"{left.path} could not be removed: {e.strerror or e}.", fix=f"ls -la {left.path}"
        ) from e


def leave_cache(journal: Journal, old: Path, new: Path) -> None:
    """Take the packages of an environment that has moved out of the cache where it was.

    What something else uses stays; so does all of it while somebody is at work there.
    """
    world, stems = journal.world, set(contents.stems(new))
    cache = packages.folder(world, old)
    if cache == packages.folder(world, new) or not cache.is_dir():
        return
    with suppress(SetupError):
        for left in list(_unused(cache, "packages", _prefixes(world, journal.receipt), Scale())):
            if left.name.removeprefix("byte code of ") in stems:
                remove(left, journal)
        if cache.name == packages.BESIDE and not packages.unpacked(cache):
            packages.remove_beside(old)


def _candidates(world: World, receipt: Receipt, asked: Asked, scale: Scale) -> Iterator[Leftover]:
    prefixes = _prefixes(world, receipt)
    if asked.trash:
        yield from _trash(receipt)
    if asked.caches:
        caches = dict.fromkeys(
            [world.cache / "pkgs", *(p.parent / packages.BESIDE for p in prefixes)], "packages"
        )
        for cache in caches:
            yield from _unused(cache, "packages", prefixes, scale)
        for name in CACHES:
            yield from _one(world.cache / name, "downloads", name)
    if asked.crashes:
        yield from _crashes(world, prefixes)
    if asked.foreign:
        for cache in _foreign_caches(world):
            yield from _unused(cache, "foreign", prefixes, scale)
            yield from _archives(cache)
        pip = Path(world.env.get("PIP_CACHE_DIR") or world.cache.parent / "pip")
        yield from _one(pip, "foreign", "downloads of pip")


def _prefixes(world: World, receipt: Receipt) -> list[Path]:
    """Every environment that is known: ours, those that conda knows, and conda itself."""
    mine = [e.step.prefix for e in receipt.values() if isinstance(e.step, CondaEnv)]
    condas = [f.prefix for f in found.find(world)]
    beside = [environments.folder(receipt, world) / "any"]  # where new ones would go
    return list(dict.fromkeys([*mine, *registry.listed(world), *condas, *beside]))


def _trash(receipt: Receipt) -> Iterator[Leftover]:
    for entry in receipt.values():
        step = entry.step
        if isinstance(step, Trash) and entry.made:
            gone = step.place.with_name(f"{EMPTYING}{step.place.name}")
            there = gone if os.path.lexists(gone) else step.place
            yield Leftover("trash", step.name, there, step.at, step=step)


def _unused(cache: Path, kind: Kind, prefixes: list[Path], scale: Scale) -> Iterator[Leftover]:
    """The packages of which no file is linked anywhere, and which no environment on that disk lists."""
    if not os.access(cache, os.W_OK):
        return
    disk = cache.stat().st_dev
    near = [p for p in prefixes if p.is_dir() and p.stat().st_dev == disk]
    listed = {stem for prefix in near for stem in contents.stems(prefix)}
    for folder in packages.unpacked(cache):
        if folder.name not in listed and scale.frees(folder):
            yield Leftover(kind, folder.name, folder, _time(folder), cache=cache)
    for stem, folder in byte_code.kept(cache):
        if stem not in listed:
            yield Leftover(kind, f"byte code of {stem}", folder, _time(folder), cache=cache)


def _archives(cache: Path) -> Iterator[Leftover]:
    for path in sorted(p for end in ("*.conda", "*.tar.bz2") for p in cache.glob(end)):
        yield from _one(path, "foreign", path.name)


def _foreign_caches(world: World) -> list[Path]:
    """The package caches of the user's own condas; none of those may be ours."""
    folders = [f.prefix / "pkgs" for f in found.find(world)] + [world.home / ".conda/pkgs"]
    return [f for f in dict.fromkeys(folders) if f.is_dir() and os.access(f, os.W_OK)]


def _crashes(world: World, prefixes: list[Path]) -> Iterator[Leftover]:
    """Environments that were never finished, torn files, and folders that a killed run had made."""
    for folder in dict.fromkeys(p.parent for p in prefixes):
        unfinished = [*build.unfinished(folder), *(folder / FOLDER).glob(f"{EMPTYING}*")]
        for path in sorted(unfinished):
            yield from _one(path, "unfinished", path.name)
    kernels = sorted((jupyter_data(world) / "kernels").glob("*"))
    metas = [p / "conda-meta" for p in prefixes]
    for folder in (world.home, registry.path(world).parent, world.state, *kernels, *metas):
        torn = (p for p in folder.glob(".*.hpc-jupyter-setup-*") if files.is_torn(p) and p.is_file())
        for path in sorted(torn):
            yield from _one(path, "torn", path.name)
    for path in scratch.there(world):
        if not scratch.is_owned(path):
            yield from _one(path, "torn", path.name)
    for path in [*filter(partial(scratch.is_dead, world), scratch.there(world)), *nook.dead(world)]:
        yield from _one(path, "unfinished", path.name)


def _one(path: Path, kind: Kind, name: str) -> Iterator[Leftover]:
    if os.path.lexists(path):
        yield Leftover(kind, name, path, _time(path))


def _time(path: Path) -> float:
    return path.lstat().st_mtime
