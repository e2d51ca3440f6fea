"""A text file of the user that a step edits: what stands in the way, how the edit is shown and taken back."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path

from setup_wizard import files
from setup_wizard.errors import MachineBlocks
from setup_wizard.step import Before, Blocked, Done, State, Todo
from setup_wizard.trees import NoTree
from setup_wizard.world import World


def obstacle(world: World, path: Path) -> str:
    """Why the file must not be edited, in a sentence; "" when nothing stands in the way.

    A file without any write bit, or of somebody else's, is meant to stay as it is, even where we could
    replace it (as root, or because the folder is ours).
    """
    try:
        return _link_trouble(path) or _file_trouble(world, path.resolve()) or _folder_trouble(path)
    except (OSError, RuntimeError) as e:  # RuntimeError: a circle of links, in Python before 3.13
        return f"{path} cannot be looked at: {getattr(e, 'strerror', None) or e}."


def _link_trouble(path: Path) -> str:
    if path.is_symlink() and not path.exists():
        return f"{path} is a link to {os.readlink(path)}, and nothing is there."
    return ""


def _file_trouble(world: World, real: Path) -> str:
    if not real.exists():
        return ""
    info = real.stat()
    if stat.S_ISDIR(info.st_mode):
        return f"{real} is a directory, where a file should be."
    if not stat.S_ISREG(info.st_mode):
        return f"{real} is not an ordinary file."
    if world.uid not in (0, info.st_uid):
        return f"{real} belongs to another user ({_owner(real)})."
    if not os.access(real, os.R_OK):
        return f"{real} cannot be read."
    if not info.st_mode & 0o222 or not os.access(real, os.W_OK):
        return f"{real} is read-only."
    if (at := real.read_bytes().find(b"\0")) >= 0:
        line = real.read_bytes().count(b"\n", 0, at) + 1
        return f"{real}, line {line}: there is a NUL byte, so this is not a text file."
    return ""


def _folder_trouble(path: Path) -> str:
    folder = path.resolve().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.stat().st_mode & 0o222 or not os.access(folder, os.W_OK):
        return f"{folder} is read-only, so {path.name} cannot be replaced in it."
    return ""


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return f"user id {path.stat().st_uid}"


def text_of(path: Path) -> str:
    """The text of an ordinary file that can be read, else ""; never waits, as reading a pipe would."""
    try:
        return files.read_text(path) if path.is_file() else ""
    except OSError:
        return ""


def proposed(world: World, path: Path, new: str, note: str = "") -> Done | Todo:
    """Todo with the diff from what the file holds now to `new`; Done when they are the same."""
    old = files.read_text(path)
    if new == old:
        return Done(note)
    preview = "\n".join([*_remarks(path), files.diff(path, old, new)])
    return Todo(preview, files.before(world, path))


def _remarks(path: Path) -> list[str]:
    """What the user should know about the place of the file before it is changed."""
    real = path.resolve()
    said = [f"{path} is a link; the file behind it is changed: {real}"] if path.is_symlink() else []
    tree = next((folder for folder in real.parents if (folder / ".git").exists()), None)
    if tree:
        said.append(f"{real} is in the git work tree {tree}, which will show the change as yours to commit.")
    if real.exists() and real.stat().st_nlink > 1:
        said.append(f"{real} has other names (hard links); those keep the old text.")
    return said


def write(state: State, path: Path, change: Callable[[str], str]) -> None:
    """Change the file where `state` says Todo; raises MachineBlocks where it is blocked."""
    if isinstance(state, Blocked):
        raise MachineBlocks(state.problem, fix=state.fix)
    if isinstance(state, Todo):
        files.write_text(path, change(files.read_text(path)))


def take_back(
    before: Before, same: Callable[[str, str], bool], without: Callable[[str], str]
) -> Sequence[Path]:
    """Undo an edit: to the byte where the user has changed nothing since, else only what is ours.

    `same(old, now)` tells whether all the difference is ours, `without(now)` is the text with ours taken
    out. Gives the file when we created it and it now holds the user's lines.
    """
    if isinstance(before, NoTree):
        return []
    if not before.path.exists():  # the user has deleted it since, or this is the second time
        files.remove_absent(before.absent if isinstance(before, files.NoFile) else ())
        return []
    old, now = _decoded(files.old_bytes(before)), files.read_text(before.path)
    exact = now == old or same(old, now)
    rest = old if exact else without(now)
    if isinstance(before, files.OldFile):
        _put_back(before, rest if rest != now else None, exact)
        return []
    if rest.strip() or before.path.is_symlink():
        files.write_text(before.path, rest)
        return [before.path]
    files.put_back(before)
    return []


def _put_back(before: files.OldFile, rest: str | None, exact: bool) -> None:
    """Write what undo leaves (None: no change); a mode that the user has changed since stays."""
    if exact:
        files.write(before.path, files.old_bytes(before), mtime_ns=before.mtime_ns)
    elif rest is not None:
        files.write_text(before.path, rest)


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
