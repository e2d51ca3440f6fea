"""An environment made of links into its mounted image: at a place of its own, small, and read from one file.

What names the prefix is written beside, and so are programs, which find their libraries from where they lie.
A library finds others by `..`, so its folder is a folder here too; all else is linked, most of it as whole
folders.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import msgspec

from setup_wizard.conda import packed, relocate
from setup_wizard.conda.packed import Packed
from setup_wizard.world import Progress, Report

PROGRAMS = "bin"
LARGEST = 8 << 20  # bytes of a program that is copied; a larger one mostly has its libraries inside
KERNELS = ("share", "share/jupyter", "share/jupyter/kernels")  # where a session offers more of them


class Part(NamedTuple):
    """Something with a place of its own: a folder that is made for its parts, or what is copied or linked."""

    path: str
    mode: int
    size: int = 0
    made: bool = False


@dataclass(frozen=True)
class Linking:
    """An environment about to be linked into a mounted image."""

    image: Path
    note: Packed
    parts: tuple[Part, ...]

    @property
    def takes(self) -> Packed:
        """The note, with the bytes and files that it takes beside the image."""
        naming = {n.path for n in self.note.naming}
        size = sum(part.size for part in self.parts if part.path in naming or _beside(part))
        return msgspec.structs.replace(self.note, bytes=size, files=len(self.parts))

    def make(self, folder: Path, report: Report) -> None:
        """Make it in a folder, its prefix. Raises OSError, and MachineBlocks for too long a prefix."""
        naming, title = {n.path: n for n in self.note.naming}, Progress(f"Link {self.note.name}")
        for part in self.parts:
            report(title)
            source, target = self.image / part.path, folder / part.path
            if part.made:
                target.mkdir(0o755, exist_ok=True)
            elif stat.S_ISLNK(part.mode):
                target.symlink_to(relocate.link(os.readlink(source), self.note.prefix, folder))
            elif stat.S_ISREG(part.mode) and (named := naming.get(part.path)):
                target.write_bytes(relocate.in_packed(source.read_bytes(), named, self.note.prefix, folder))
                target.chmod(part.mode & 0o777)
            elif _beside(part):
                shutil.copyfile(source, target)
                target.chmod(part.mode & 0o777)
            else:
                target.symlink_to(source)


def look(file: Path, image: Path, note: Packed) -> Linking:
    """What there will be, from an image mounted. Raises BadInput for a note that is not to be trusted."""
    wanted, found = {"", *note.folders, *KERNELS}, []
    for path in sorted(wanted):
        strange = path and {"", ".", ".."} & set(path.split("/"))
        if strange or path.rpartition("/")[0] not in wanted:
            raise packed.untrusted(file, path, "is in no folder")
        found.append(Part(path, stat.S_IFDIR, made=True))
        if not os.path.lexists(image / path) and path in KERNELS:
            continue
        if not stat.S_ISDIR(os.lstat(image / path).st_mode):
            raise packed.untrusted(file, path, "is no folder")
        found += [part for part in _inside(image, path) if part.path not in wanted]
    return Linking(image, note, tuple(found))


def folders(note: Packed, entries: Iterable[str]) -> tuple[str, ...]:
    """Those that must be folders: of libraries, of what names the prefix, and of links that name it."""
    naming, found = {n.path for n in note.naming}, {PROGRAMS}
    for path in entries:
        above, _, name = path.rpartition("/")
        if path in naming or ".so" in name or _names(note.prefix, path):
            while above and above not in found:
                found.add(above)
                above = above.rpartition("/")[0]
    return tuple(sorted(found))


def _names(prefix: Path, path: str) -> bool:
    link = prefix / path
    return link.is_symlink() and os.readlink(link).startswith(f"{prefix}/")


def _inside(image: Path, folder: str) -> Iterator[Part]:
    with os.scandir(image / folder) as entries:
        for entry in entries:
            info = entry.stat(follow_symlinks=False)
            yield Part(f"{folder}/{entry.name}".lstrip("/"), info.st_mode, info.st_size)


def _beside(part: Part) -> bool:
    runs = stat.S_ISREG(part.mode) and part.mode & 0o100 and part.path.startswith(f"{PROGRAMS}/")
    return bool(runs) and part.size <= LARGEST
