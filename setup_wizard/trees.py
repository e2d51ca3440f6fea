"""Whole folders that we make, and how to take back just what we put there.

A tree is *open* while we work on it and *sealed* when it is complete. The notes lie in our state folder:

    trees/<id>.open     the user's own paths in it, written before we touch it; all else in it is ours
    trees/<id>.sealed   our paths in it, relative, NUL between; the note's own mtime is the moment of sealing

So a crash leaves an open tree, which the next run may clear, and undo removes of a sealed tree what is
listed and unchanged since. What the user added or changed stays, and is named.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.world import World


class NoTree(msgspec.Struct, frozen=True, tag="no_tree"):
    """There was nothing at `path`; `absent` are the places around it that were not there either."""

    path: Path
    absent: tuple[Path, ...] = ()


def _note(world: World, root: Path, kind: str) -> Path:
    name = hashlib.sha256(str(root).encode()).hexdigest()[:24]
    return world.state / "trees" / f"{name}.{kind}"


def before(root: Path, *around: Path) -> NoTree:
    """What undo needs to take the tree back; `around` are more places that making it may create."""
    gone = tuple(p for place in (root, *around) for p in files.absent(place) if p != root)
    return NoTree(root, gone)


def open_tree(world: World, root: Path) -> None:
    """Say that we are about to work on the tree; everything new in it from now on is ours."""
    note = _note(world, root, "open")
    if not note.exists():
        _write(note, sorted(theirs(world, root)) if is_sealed(world, root) else [])


def seal_tree(
    world: World, root: Path, paths: Iterable[str] | None = None, *, at_ns: int | None = None
) -> None:
    """Say that the tree is complete. `paths` are ours, relative; None: all but the user's own.

    `at_ns` is the moment since when a change counts as the user's, in the clock of the tree's own file
    system; None: now.
    """
    if paths is None:
        paths = but_for_theirs(world, root)
    _write(_note(world, root, "sealed"), sorted(paths), at_ns)
    _note(world, root, "open").unlink(missing_ok=True)


def but_for_theirs(world: World, root: Path) -> set[str]:
    """All paths in a tree that is open, but for those that were the user's when it was opened."""
    return set(walk(root)) - _read(_note(world, root, "open"))


def opened(world: World, root: Path) -> Path:
    """The note of a tree that is open; `listed` tells what was the user's own when it was opened."""
    return _note(world, root, "open")


def listed(note: Path) -> set[str] | None:
    """The paths in a note, None where there is no such note."""
    return _read(note) if note.exists() else None


def is_open(world: World, root: Path) -> bool:
    """Work on the tree began, and did not end."""
    return _note(world, root, "open").exists()


def is_sealed(world: World, root: Path) -> bool:
    """The tree was completed by us at some time."""
    return _note(world, root, "sealed").exists()


def follow(world: World, old: Path, new: Path) -> None:
    """Let the notes of a tree go with it to another place; safe before and after it is renamed."""
    for kind in ("open", "sealed"):
        if _note(world, old, kind).exists():
            os.replace(_note(world, old, kind), _note(world, new, kind))


def seal_like(world: World, old: Path, new: Path) -> None:
    """Seal a tree that was copied from a sealed one: the same paths are ours, since the same moment."""
    note = _note(world, old, "sealed")
    seal_tree(world, new, _read(note), at_ns=note.stat().st_mtime_ns)


def narrow(world: World, root: Path, paths: Iterable[str]) -> None:
    """Let no more than these of the paths be ours in a tree that is sealed."""
    note = _note(world, root, "sealed")
    if note.exists():
        _write(note, sorted(_read(note) & set(paths)), note.stat().st_mtime_ns)


def forget(world: World, root: Path) -> None:
    """Drop the notes of a tree that is gone."""
    for kind in ("sealed", "open"):
        _note(world, root, kind).unlink(missing_ok=True)


def clear_open(world: World, root: Path) -> None:
    """Remove a tree whose making was interrupted, where nothing in it is the user's."""
    if is_open(world, root) and not is_sealed(world, root) and not _read(_note(world, root, "open")):
        shutil.rmtree(root, ignore_errors=True)


def theirs(world: World, root: Path, among: Iterable[str] | None = None) -> list[str]:
    """What the user added to the tree, or changed in it, relative to `root`; `among` these, where given."""
    ours, sealed_ns = _ours(world, root)
    return [
        relative
        for relative in (walk(root) if among is None else among)
        if relative not in ours or _changed(root / relative, sealed_ns)
    ]


def renamed(world: World, root: Path, old: str, new: str) -> None:
    """What was the user's in a tree that is open has another name by now; a folder with all that is in it."""
    note = _note(world, root, "open")
    if note.exists():
        was = _read(note)
        moved = {p for p in was if p == old or p.startswith(f"{old}/")}
        _write(note, sorted((was - moved) | {new + p.removeprefix(old) for p in moved or [old]}))


def take_back(world: World, what: NoTree) -> list[Path]:
    """Remove what is ours of the tree; give the user's own paths, which stay."""
    root = what.path
    ours, sealed_ns = _ours(world, root)
    kept = []
    for relative in walk(root):
        path = root / relative
        if (relative in ours and not _changed(path, sealed_ns)) or is_waste(relative):
            path.unlink()
        else:
            kept.append(path)
    _remove_empty(root)
    forget(world, root)
    files.remove_absent(what.absent)
    return kept


def _ours(world: World, root: Path) -> tuple[set[str], int]:
    """Our paths, and since when a change counts as the user's (ns)."""
    if is_open(world, root):
        return set(walk(root)) - _read(_note(world, root, "open")), 2**63
    if is_sealed(world, root):
        return _listed(world, root), _note(world, root, "sealed").stat().st_mtime_ns
    return set(), 0


def _changed(path: Path, since_ns: int) -> bool:
    return path.lstat().st_mtime_ns > since_ns


def is_waste(relative: str) -> bool:
    """Byte code, and what a killed write has left: nobody's work."""
    return ("__pycache__/" in relative and relative.endswith(".pyc")) or files.is_torn(Path(relative))


def walk(root: Path) -> Iterator[str]:
    """Every file and link below `root`, relative to it; folders only through what is in them."""
    stack = [""]
    while stack:
        folder = stack.pop()
        try:
            entries = list(os.scandir(root / folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        for entry in entries:
            relative = f"{folder}{entry.name}"
            if entry.is_dir(follow_symlinks=False):
                stack.append(relative + "/")
            else:
                yield relative


def _remove_empty(root: Path) -> None:
    for folder, _, _ in os.walk(root, topdown=False):
        try:
            os.rmdir(folder)
        except OSError:
            continue


def _listed(world: World, root: Path) -> set[str]:
    return _read(_note(world, root, "sealed"))


def _read(note: Path) -> set[str]:
    return set(files.read_text(note).split("\0")) - {""}


def _write(note: Path, lines: Iterable[str], at_ns: int | None = None) -> None:
    note.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    data = "\0".join(lines).encode("utf-8", "surrogateescape")
    files.write(note, data, mode=0o600, mtime_ns=at_ns)


def picture(root: Path) -> dict[str, tuple[str, str]]:
    """Every path below `root` with its mode and what it holds; two pictures tell whether anything changed."""
    seen = {}
    for folder, folders, names in os.walk(root):
        for name in [*folders, *names]:
            path = Path(folder, name)
            seen[str(path.relative_to(root))] = (oct(path.lstat().st_mode), _content(path))
    return seen


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"-> {os.readlink(path)}"
    if not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()
