"""What a plan costs altogether: bytes to fetch; bytes and files on each file system, and what is free."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from setup_wizard.places import place
from setup_wizard.world import World

if TYPE_CHECKING:
    from setup_wizard.apply import Reviewed


class Need(msgspec.Struct, frozen=True):
    """What goes onto one file system: the topmost place there, bytes and files, and what is free of them."""

    where: Path
    kind: str
    bytes: int
    files: int
    free_bytes: int
    free_files: int | None

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
    by_disk: dict[int, list[tuple[Path, int, int]]] = {}
    for c in costs:
        if c.where:
            by_disk.setdefault(_device(c.where), []).append((c.where, c.bytes_on_disk, c.files))
    return Totals(
        download=sum(d.size for d in downloads),
        open_ended=any(not d.size for d in downloads),
        needs=tuple(_need(costs_there, world) for costs_there in by_disk.values()),
    )


def _need(costs: list[tuple[Path, int, int]], world: World) -> Need:
    where = min((where for where, _, _ in costs), key=lambda p: len(p.parts))
    there = place(world, where)
    return Need(
        where,
        there.disk.kind,
        sum(size for _, size, _ in costs),
        sum(files for _, _, files in costs),
        there.free_bytes,
        there.free_files,
    )


def _device(path: Path) -> int:
    while not path.exists():
        path = path.parent
    return os.stat(path).st_dev
