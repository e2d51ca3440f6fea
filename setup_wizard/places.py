"""Where conda and its environments may go on this account, the best place first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard import sites
from setup_wizard.errors import SetupError
from setup_wizard.quota import Quota, quotas_of
from setup_wizard.sites import Site
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
    """A folder: why it is proposed, its disk, and the quotas known to count what is written there."""

    path: Path
    why: str
    disk: Disk
    quotas: tuple[Quota, ...] = ()

    @property
    def free_bytes(self) -> int:
        """Bytes that the user may write there: by the disk, and by the quotas that are known."""
        known = [q.free_bytes for q in self.quotas]
        return min([self.disk.free_bytes, *(n for n in known if n is not None)])

    @property
    def free_files(self) -> int | None:
        """Files that the user may make there; None: no limit is known."""
        known = [self.disk.free_files, *(q.free_files for q in self.quotas)]
        return min((n for n in known if n is not None), default=None)

    def has(self, room: int = ROOM, files: int = FILES) -> bool:
        """Whether so many bytes and files still go there."""
        return self.free_bytes >= room and (self.free_files is None or self.free_files >= files)


def places(world: World) -> list[Place]:
    """The home and the larger file systems that the centre names; those with room for it all come first."""
    seen: dict[str, Place] = {}
    site = site_here(world)
    for path, why in _candidates(world):
        real = os.path.realpath(path)
        if real not in seen and _usable(world, path):
            seen[real] = place(world, path, why, site)
    found = list(seen.values()) or [place(world, world.home, "your home", site)]
    return sorted(found, key=lambda p: not p.has())


def place(world: World, path: Path, why: str = "named", site: Site | None = None) -> Place:
    """A path, there already or not, with the disk and the quotas that it is, or would be, on."""
    disk = world.disk(path)
    if world.uid == 0:  # no quota binds root
        return Place(path, why, disk)
    return Place(path, why, disk, quotas_of(world, path, (site or site_here(world)).quota))


def site_here(world: World) -> Site:
    """The site that we are on; one of which nothing is known where its files cannot be read."""
    try:
        return sites.detect(world, sites.known(world)).site
    except SetupError:
        return Site(name="unknown", title="", scheduler="local")


def _candidates(world: World) -> Iterator[tuple[Path, str]]:
    yield world.home, "your home"
    for name, why in ELSEWHERE:
        if world.env.get(name, "").startswith("/"):
            yield Path(world.env[name]), why


def _usable(world: World, path: Path) -> bool:
    return os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK) and not world.disk(path).noexec
