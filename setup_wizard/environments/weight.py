"""What folders weigh: the bytes and the inodes that come free when they go.

A file that is linked from elsewhere as well weighs nothing: it stays, and so does its room.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR

import msgspec

BLOCK = 512  # bytes: the unit of st_blocks, whatever the file system's own


class Weight(msgspec.Struct, frozen=True):
    """Bytes on disk, and inodes: files, links, folders."""

    bytes: int = 0
    files: int = 0

    def __add__(self, other: Weight) -> Weight:
        return Weight(self.bytes + other.bytes, self.files + other.files)


class Scale:
    """What comes free as one folder after the other is put on it, to go together with those before."""

    def __init__(self) -> None:
        self._names: Counter[tuple[int, int]] = Counter()  # of files with several, those that are to go

    def put(self, root: Path) -> Weight:
        """What goes with this one: a file counts when the last of its names does."""
        total, size = 0, 0
        for info in _infos(root):
            if _is_single(info) or self._is_last(info):
                total, size = total + 1, size + info.st_blocks * BLOCK
        return Weight(size, total)

    def frees(self, root: Path) -> bool:
        """Whether no file of it has a name elsewhere, but for what is on the scale."""
        several = [info for info in _infos(root) if not _is_single(info)]
        here = Counter((i.st_dev, i.st_ino) for i in several)
        return all(here[i.st_dev, i.st_ino] + self._names[i.st_dev, i.st_ino] >= i.st_nlink for i in several)

    def _is_last(self, info: os.stat_result) -> bool:
        inode = (info.st_dev, info.st_ino)
        self._names[inode] += 1
        return self._names[inode] == info.st_nlink


def _is_single(info: os.stat_result) -> bool:
    return info.st_nlink == 1 or S_ISDIR(info.st_mode)


def _infos(root: Path) -> Iterator[os.stat_result]:
    """Of the root itself and all below it; links are not followed, what is not ours to see is left out."""
    try:
        info = os.lstat(root)
    except OSError:
        return
    yield info
    stack = [str(root)] if S_ISDIR(info.st_mode) else []
    while stack:
        try:
            entries = list(os.scandir(stack.pop()))
        except OSError:
            continue
        for entry in entries:
            yield entry.stat(follow_symlinks=False)
            if entry.is_dir(follow_symlinks=False):
                stack.append(entry.path)
