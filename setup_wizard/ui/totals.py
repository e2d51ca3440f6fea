"""What a plan costs altogether: bytes to fetch; bytes and files on each file system, and what is free."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from setup_wizard.places import place
from setup_wizard.step import Kept
from setup_wizard.world import World

if TYPE_CHECKING:
    from setup_wizard.apply import Reviewed


class Need(msgspec.Struct, frozen=True):
    """What goes onto one file system: the topmost place there, bytes and files, and what is free of them.

    `kept`: it is another program's, which alone chooses the place.
    """

    where: Path
    kind: str
    bytes: int
    files: int
    free_bytes: int
    free_files: int | None
    kept: bool = False
    by: str = ""  # whose limit it is, where that is not the disk's: "your quota"

    @property
    def fits(self) -> bool:
        """Whether there is room, by the disk and by the quota where one is known."""
        return self.bytes <= self.free_bytes and (self.free_files is None or self.files <= self.free_files)


class Totals(msgspec.Struct, frozen=True):
    """Bytes to fetch (`open_ended`: some sizes are not known), and the needs by file system."""

    download: int
    open_ended: bool
    needs: tuple[Need, ...]


def totals(reviewed: Sequence[Reviewed], world: World) -> Totals:
    """The sum over all steps of a plan."""
    costs = [r.forecast for r in reviewed]
    downloads = [d for c in costs for d in c.downloads]
    ours = [Kept(c.where, c.bytes_on_disk, c.files) for c in costs if c.where]
    theirs = [kept for c in costs for kept in c.kept]
    by_disk: dict[int, list[Kept]] = {}
    for cost in (*ours, *theirs):
        by_disk.setdefault(_device(cost.where), []).append(cost)
    return Totals(
        download=sum(d.size for d in downloads),
        open_ended=any(not d.size for d in downloads),
        needs=tuple(_need(there, world, kept=there[0] in theirs) for there in by_disk.values()),
    )


def _need(costs: list[Kept], world: World, *, kept: bool) -> Need:
    where = min((cost.where for cost in costs), key=lambda p: len(p.parts))
    there = place(world, where)
    size, files = sum(cost.bytes for cost in costs), sum(cost.files for cost in costs)
    by = there.bound_by(size, files)
    return Need(where, there.disk.kind, size, files, there.free_bytes, there.free_files, kept, by)


def _device(path: Path) -> int:
    while not path.exists():
        path = path.parent
    return os.stat(path).st_dev
