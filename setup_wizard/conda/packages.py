"""The package cache: where it is, who uses it, what is left over in it, and whether somebody edited it.

Packages are unpacked there once and hard-linked into each environment, so that a second environment costs
next to nothing. A link needs both on one file system; and an edit in place reaches every environment.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the engine starts sooner without
    from setup_wizard.world import World

BESIDE = ".hpc-jupyter-setup-pkgs"


def folder(world: World, prefix: Path) -> Path:
    """The package cache for an environment: ours, or one beside it when it is on another file system."""
    ours = world.cache / "pkgs"
    return ours if device(ours) == device(prefix) else prefix.parent / BESIDE


@contextmanager
def in_use(pkgs: Path) -> Iterator[Path]:
    """Hold the cache while packages are put into it; what crashed runs left there is removed first."""
    try:
        pkgs.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = (pkgs / ".lock").open("a")
    except OSError as e:
        from setup_wizard.files import cannot_write

        raise cannot_write(pkgs, e) from e
    with lock:
        if _locked(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB):
            _remove_leftovers(pkgs)
        _locked(lock.fileno(), fcntl.LOCK_SH)
        yield pkgs


@contextmanager
def alone(pkgs: Path) -> Iterator[None]:
    """Hold the cache with nobody else at work in it. Raises Busy."""
    from setup_wizard.errors import Busy

    with (pkgs / ".lock").open("a") as lock:
        if not _locked(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB):
            raise Busy(
                f"Another run is at work with the packages in {pkgs}.",
                fix="Wait until it has ended, then run again.",
            )
        yield


def unpacked(pkgs: Path) -> list[Path]:
    """The packages that are unpacked in a cache, and what a killed download or removal has left of one."""
    folders = [Path(e.path) for e in _entries(pkgs) if e.is_dir(follow_symlinks=False)]
    return sorted(f for f in folders if f.name.startswith(".") or (f / "info").is_dir())


def remove(package: Path) -> None:
    """Remove an unpacked package: under another name first, so that half of one is never taken for it."""
    going = package if package.name.startswith(".") else package.with_name(f".{package.name}")
    if going != package:
        os.rename(package, going)
    shutil.rmtree(going, ignore_errors=True)
    package.with_name(f"{package.name}.lock").unlink(missing_ok=True)


def remove_beside(prefix: Path) -> None:
    """Remove a cache beside the environments; they keep their files."""
    shutil.rmtree(prefix.parent / BESIDE, ignore_errors=True)


def edited(pkgs: Path) -> set[str]:
    """Unpacked packages in which a file was changed after it was unpacked.

    Archives bring the times of their files with them, so whatever is younger than the package's lock was
    written by somebody else: through a hard link, most likely.
    """
    found = set()
    for entry in _entries(pkgs):
        with suppress(OSError):
            unpacked = os.stat(entry.path + ".lock").st_mtime_ns
            if entry.is_dir(follow_symlinks=False) and _has_younger(entry.path, unpacked):
                found.add(entry.name)
    return found


def _has_younger(folder: str, than_ns: int) -> bool:
    stack = [folder]
    while stack:
        with os.scandir(stack.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    stack.append(entry.path)
                elif entry.stat(follow_symlinks=False).st_mtime_ns > than_ns:
                    return True
    return False


def _remove_leftovers(pkgs: Path) -> None:
    """A killed download leaves a folder whose name starts with a dot; nobody else would remove it."""
    for entry in _entries(pkgs):
        if entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)


def _entries(pkgs: Path) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(pkgs))
    except OSError:
        return []


def _locked(fd: int, how: int) -> bool:
    try:
        fcntl.flock(fd, how)
    except OSError:
        return False  # somebody is at work in it, or the file system has no locks
    return True


def device(path: Path) -> int:
    """The file system that a place is on, or will be."""
    while not path.exists():
        path = path.parent
    return path.stat().st_dev
