"""What folders weigh: the bytes and the inodes that come free when they go.

A file that is linked from elsewhere as well weighs nothing: it stays, and so does its room.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

Inode = tuple[int, int]  # device, number
BLOCK = 512  # bytes: the unit of st_blocks, whatever the file system's own


class Weight(msgspec.Struct, frozen=True):
    """Bytes on disk, and inodes: files, links, folders."""

    bytes: int = 0
    files: int = 0

    def __add__(self, other: Weight) -> Weight:
        return Weight(self.bytes + other.bytes, self.files + other.files)


def weigh(roots: Iterable[Path]) -> Weight:
    """What comes free when all of these go together; what cannot be looked at weighs nothing."""
    total, seen = Weight(), Counter[Inode]()
    linked: dict[Inode, os.stat_result] = {}
    for info in (info for root in roots for info in _infos(root)):
        if info.st_nlink == 1 or _is_folder(info):
            total += _one(info)
        else:
            inode = (info.st_dev, info.st_ino)
            seen[inode] += 1
            linked[inode] = info
    return sum((_one(i) for inode, i in linked.items() if i.st_nlink == seen[inode]), total)


def links(roots: Iterable[Path]) -> Counter[Inode]:
    """How often each file that has several names is named below these."""
    several = (i for root in roots for i in _infos(root) if i.st_nlink > 1 and not _is_folder(i))
    return Counter((i.st_dev, i.st_ino) for i in several)


def is_linked(root: Path, going: Counter[Inode]) -> bool:
    """Whether a file below `root` is linked from elsewhere, but for those links that are going anyway."""
    own = links([root])
    here = {(i.st_dev, i.st_ino): i.st_nlink for i in _infos(root) if not _is_folder(i)}
    return any(number > max(1, own[inode]) + going[inode] for inode, number in here.items())


def _one(info: os.stat_result) -> Weight:
    return Weight(info.st_blocks * BLOCK, 1)


def _is_folder(info: os.stat_result) -> bool:
    return info.st_mode & 0o170000 == 0o040000


def _infos(root: Path) -> Iterator[os.stat_result]:
    """Of the root itself, and of all that is below it; links are not followed."""
    try:
        info = os.lstat(root)
    except OSError:
        return
    yield info
    stack = [str(root)] if _is_folder(info) else []
    while stack:
        try:
            entries = list(os.scandir(stack.pop()))
        except OSError:
            continue
        for entry in entries:
            yield entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                stack.append(entry.path)
