"""The packages of an environment that goes to another package cache, where later ones can share them.

They go first, and the environment's files are linked from there: so that both take the room of one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator
from contextlib import nullcontext
from pathlib import Path
from stat import S_ISREG

import msgspec

from setup_wizard import files
from setup_wizard.conda import byte_code, contents, packages
from setup_wizard.world import Progress, Report, World

BLOCK = 512  # bytes: the unit of st_blocks
Inode = tuple[int, int]
Stock = dict[Inode, str]  # files of a cache, and where they are in the other one


class Load(msgspec.Struct, frozen=True):
    """Folders of the cache `old` that are to be in `new`, relative; those that are packages are `stems`."""

    old: Path
    new: Path
    folders: tuple[str, ...] = ()
    stems: tuple[str, ...] = ()


def can(world: World, prefix: Path, target: Path) -> bool:
    """Whether the package cache at `target` is another one, and that here has packages of the environment."""
    old, new = packages.folder(world, prefix), packages.folder(world, target)
    return old != new and any(True for _ in _folders(prefix, old))


def load(world: World, prefix: Path, target: Path) -> Load:
    """What of an environment that goes to `target` is in its package cache and not in that there."""
    old, new = packages.folder(world, prefix), packages.folder(world, target)
    missing = [folder for folder in _folders(prefix, old) if old != new and not (new / folder).is_dir()]
    return Load(old, new, tuple(missing), tuple(f for f in missing if "/" not in f))


def weigh(what: Load) -> tuple[int, int]:
    """Bytes and inodes that it takes in the other cache: on one file system only those of folders."""
    links, size, number = _disk(what.old) == _disk(what.new), 0, 0
    for folder in what.folders:
        number += 2  # itself, and its lock
        for entry in _entries(what.old / folder):
            info = entry.stat(follow_symlinks=False)
            if not (links and S_ISREG(info.st_mode)):
                size, number = size + info.st_blocks * BLOCK, number + 1
    return size, number


def carry(what: Load, report: Report) -> None:
    """Put it there, each folder whole or not at all. Safe to run again. Raises MachineBlocks."""
    with packages.in_use(what.new):
        for number, folder in enumerate(what.folders):
            report(Progress("Take packages along", number, len(what.folders), "packages"))
            try:
                _carry_one(what, folder)
            except OSError as e:
                raise files.cannot_write(what.new, e) from e


def stock(world: World, prefix: Path, target: Path) -> Stock:
    """The files of its packages that a copy of the environment can be linked from, where that goes."""
    old, new = packages.folder(world, prefix), packages.folder(world, target)
    found: Stock = {}
    for folder in _folders(prefix, old) if old != new else ():
        for entry in _entries(old / folder):
            here, there = entry.stat(follow_symlinks=False), new / os.path.relpath(entry.path, old)
            if S_ISREG(here.st_mode) and _is_same(here, there):
                found[here.st_dev, here.st_ino] = str(there)
    return found


def stocked(world: World, prefix: Path, target: Path, *, along: bool) -> Collection[Inode]:
    """Those files, or all of its packages in the cache where it is, if these go `along` before."""
    if not along:
        return stock(world, prefix, target).keys()
    cache = packages.folder(world, prefix)
    every = (e.stat(follow_symlinks=False) for f in _folders(prefix, cache) for e in _entries(cache / f))
    return {(info.st_dev, info.st_ino) for info in every if S_ISREG(info.st_mode)}


def _folders(prefix: Path, cache: Path) -> Iterator[str]:
    """The packages of an environment and their byte code, as far as the cache has them."""
    yield from (stem for stem in contents.stems(prefix) if (cache / stem / "info").is_dir())
    compiled = (part.folder for part in byte_code.parts(prefix, cache))
    yield from (str(folder.relative_to(cache)) for folder in compiled if folder.is_dir())


def _carry_one(what: Load, folder: str) -> None:
    source, target = what.old / folder, what.new / folder
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    compiled = byte_code.alone(what.new / byte_code.FOLDER) if "/" in folder else nullcontext()
    with compiled:
        _copy_one(source, target)


def _copy_one(source: Path, target: Path) -> None:
    building = target.with_name(f".{target.name}")
    shutil.rmtree(building, ignore_errors=True)
    try:
        shutil.copytree(source, building, symlinks=True, copy_function=_link_or_copy)
        lock = source.with_name(f"{source.name}.lock")
        if lock.is_file():
            shutil.copy2(lock, target.with_name(lock.name))
        os.rename(building, target)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another file system, or too many links
        shutil.copy2(source, target)


def _is_same(here: os.stat_result, there: Path) -> bool:
    """Whether a file of the other cache is the same: archives bring the times of their files with them."""
    try:
        info = os.lstat(there)
    except OSError:
        return False
    return (info.st_size, info.st_mtime_ns) == (here.st_size, here.st_mtime_ns)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """All that is below a folder."""
    stack = [str(folder)]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                yield entry
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)


def _disk(path: Path) -> int:
    while not path.exists():
        path = path.parent
    return path.stat().st_dev
