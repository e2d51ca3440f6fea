"""What stands where a file of a new package is to go, and is none of conda's: it makes way, and is not lost.

A file of the user's goes beside its place, as FILE.yours. What pip has installed under the package's own name
goes as pip would remove it: conda's takes its place. Each is noted in the environment before it is done, so
that a crash forgets nothing.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import msgspec

from setup_wizard import files, trees
from setup_wizard.conda import contents
from setup_wizard.world import World

T = TypeVar("T")

NOTE = "conda-meta/hpc-jupyter-setup.aside"
YOURS = ".yours"


class Aside(msgspec.Struct, frozen=True):
    """What has made way: its path, where it is now ("": nowhere), and that in words."""

    path: str
    now: str
    said: str


class _Listed(msgspec.Struct, frozen=True):
    """info/paths.json of a package."""

    paths: tuple[contents.PathEntry, ...] = ()


class _Noarch(msgspec.Struct, frozen=True):
    type: str = ""
    entry_points: tuple[str, ...] = ()


class _Link(msgspec.Struct, frozen=True):
    """info/link.json of a package for any Python."""

    noarch: _Noarch = _Noarch()


def brought(package: Path, site: str) -> list[str]:
    """Where the files of an unpacked package will lie, relative to the prefix; `site`: Python's packages."""
    info = package / "info"
    entries = _read(info / "paths.json", _Listed()).paths
    noarch = _read(info / "link.json", _Link()).noarch
    paths = [e.path for e in entries if e.path_type != "directory"]
    if noarch.type == "python" and site:
        paths = [contents.placed(path, site) for path in paths]
    return [*paths, *(f"bin/{entry.partition('=')[0].strip()}" for entry in noarch.entry_points)]


def in_the_way(
    prefix: Path, paths: Iterable[str], owned: Collection[str], theirs: Collection[str] | None = None
) -> Iterator[str]:
    """What is there already of these paths, or where a folder of theirs is to be, and no package has brought.

    Of that, what is among `theirs`, the user's own; None: all of it.
    """
    there: dict[str, Collection[str]] = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        if folder not in there:
            blocks = _blocks(prefix, folder)
            if blocks and _is_somebodys(prefix, blocks, owned, theirs):
                yield blocks
            there[folder] = () if blocks else _names(prefix / folder)
        if name in there[folder] and _is_somebodys(prefix, path, owned, theirs):
            yield path


def beside(prefix: Path, path: str) -> str:
    """The name under which it stays with the user: the first that is free."""
    name, number = f"{path}{YOURS}", 1
    while os.path.lexists(prefix / name):
        number += 1
        name = f"{path}{YOURS}-{number}"
    return name


def note(prefix: Path, what: Aside) -> None:
    """Write down what is going to be done."""
    with (prefix / NOTE).open("ab") as f:
        f.write(msgspec.json.encode(what) + b"\n")
        f.flush()
        os.fsync(f.fileno())


def settle(world: World, prefix: Path) -> list[str]:
    """Let the new names be the user's, and forget what is noted; that in words. Safe to run again."""
    said = []
    for line in files.read_text(prefix / NOTE).splitlines():
        with suppress(msgspec.MsgspecError):  # a torn last line was not done
            what = msgspec.json.decode(line, type=Aside)
            if what.now and os.path.lexists(prefix / what.now):
                trees.renamed(world, prefix, what.path, what.now)
            if not what.now or os.path.lexists(prefix / what.now):
                said.append(what.said)
    (prefix / NOTE).unlink(missing_ok=True)
    return said


def _read(path: Path, default: T) -> T:
    try:
        return msgspec.json.decode(path.read_bytes(), type=type(default))
    except (OSError, msgspec.MsgspecError):
        return default


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()


def _blocks(prefix: Path, folder: str) -> str:
    """The part of a folder's path that is there, but is none; "" where there is none such."""
    parts = folder.split("/")
    for n in range(1, len(parts) + 1 if folder else 1):
        path = "/".join(parts[:n])
        if not os.path.isdir(prefix / path):
            return path if os.path.lexists(prefix / path) else ""
    return ""


def _is_somebodys(prefix: Path, path: str, owned: Collection[str], theirs: Collection[str] | None) -> bool:
    """Whether it is somebody's work, and of no package; a folder is where no file in it is."""
    inside = [path]
    if os.path.isdir(prefix / path) and not os.path.islink(prefix / path):
        inside = [f"{path}/{name}" for name in trees.walk(prefix / path)]
    work = [name for name in inside if not trees.is_waste(name)]
    return bool(work) and not any(p in owned or (theirs is not None and p not in theirs) for p in work)
