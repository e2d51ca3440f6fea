"""Where conda and its environments may go on this account, the best place first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard.quota import Quota, quota_of
from setup_wizard.world import Disk, World

ROOM = 3_000_000_000  # bytes: conda (1 GB), an environment (1.2 GB), the packages while they are fetched
FILES = 60_000  # inodes of the same
# Names under which centres offer room, and what is known of it.
ELSEWHERE = (
    ("WORK", "your work file system ($WORK)"),
    ("PROJECT", "your project's file system ($PROJECT)"),
    ("SCRATCH", "scratch ($SCRATCH): centres delete old files there"),
)


class Place(msgspec.Struct, frozen=True):
    """A folder: why it is proposed, its disk, and the user's quota there (None: none known)."""

    path: Path
    why: str
    disk: Disk
    quota: Quota | None = None

    @property
    def free_bytes(self) -> int:
        """Bytes that the user may write there: by the disk, and by the quota where one is known."""
        quota = self.quota.free_bytes if self.quota else None
        return self.disk.free_bytes if quota is None else min(quota, self.disk.free_bytes)

    @property
    def free_files(self) -> int | None:
        """Files that the user may make there; None: no limit is known."""
        known = [self.disk.free_files, self.quota.free_files if self.quota else None]
        return min((n for n in known if n is not None), default=None)

    def has(self, room: int = ROOM, files: int = FILES) -> bool:
        """Whether so many bytes and files still go there."""
        return self.free_bytes >= room and (self.free_files is None or self.free_files >= files)


def places(world: World) -> list[Place]:
    """The home and the larger file systems that the centre names; those with room for it all come first."""
    seen: dict[str, Place] = {}
    for path, why in _candidates(world):
        real = os.path.realpath(path)
        if real not in seen and _usable(world, path):
            seen[real] = place(world, path, why)
    found = list(seen.values()) or [place(world, world.home, "your home")]
    return sorted(found, key=lambda p: not p.has())


def place(world: World, path: Path, why: str = "named") -> Place:
    """A path, there already or not, with the disk and the quota that it is, or would be, on."""
    return Place(path, why, world.disk(path), None if world.uid == 0 else quota_of(world, path))


def _candidates(world: World) -> Iterator[tuple[Path, str]]:
    yield world.home, "your home"
    for name, why in ELSEWHERE:
        if world.env.get(name, "").startswith("/"):
            yield Path(world.env[name]), why


def _usable(world: World, path: Path) -> bool:
    return os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK) and not world.disk(path).noexec
