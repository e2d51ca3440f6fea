"""Where conda and its environments may go on this account, the best place first."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from setup_wizard import sites
from setup_wizard.errors import MachineBlocks, SetupError
from setup_wizard.jupyter.nook import FAR, MEMORY, filled
from setup_wizard.quota import Quota, quotas_of
from setup_wizard.sites import Site
from setup_wizard.world import Disk, World

ROOM = 3_000_000_000  # bytes: conda (1 GB), an environment (1.2 GB), the packages while they are fetched
FILES = 60_000  # inodes of the same
# Names under which centres offer room, and what is known of it.
ELSEWHERE = (
    ("WORK", "your work file system ($WORK)"),
    ("PROJECT", "your project's file system ($PROJECT)"),
    ("SCRATCH", "scratch ($SCRATCH)"),
)
OLD_FILES = "centres delete old files there; after how long is not known here"


_ENDLESS = Disk(1 << 62, None, "")


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

    def bound_by(self, room: int, files: int) -> str:
        """Whose limit is too low for so many: "your quota", "the quota of the group x"; "": the disk's."""
        for quota in self.quotas:
            if not Place(self.path, "", _ENDLESS, (quota,)).has(room, files):
                return f"the quota of the {quota.whose}" if quota.whose else "your quota"
        return ""

    def has(self, room: int = ROOM, files: int = FILES) -> bool:
        """Whether so many bytes and files still go there."""
        return self.free_bytes >= room and (self.free_files is None or self.free_files >= files)


def places(world: World) -> list[Place]:
    """The home and the larger file systems that the centre names; those with room for it all come first."""
    seen: dict[str, Place] = {}
    site = site_here(world)
    for path, why in _candidates(world, site):
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


def local_places(world: World) -> list[Place]:
    """Folders on this machine's own disks, not in its memory: what lies there is seen from here only."""
    found = [world.env.get("TMPDIR", ""), "/tmp", "/var/tmp"]
    folders = [Path(p) for p in dict.fromkeys(found) if p.startswith("/") and _usable(world, Path(p))]
    seen = (place(world, p, "a disk of this machine") for p in folders)
    return [p for p in seen if not p.disk.kind.startswith((*FAR, *MEMORY))]


def _candidates(world: World, site: Site) -> Iterator[tuple[Path, str]]:
    yield world.home, "your home"
    purged = {os.path.realpath(p): rule for key, rule in site.purge.items() if (p := _filled(world, key))}
    for name, why in ELSEWHERE:
        if world.env.get(name, "").startswith("/"):
            path = Path(world.env[name])
            rule = purged.get(os.path.realpath(path), "")
            told = f"files are deleted there {rule}" if rule else OLD_FILES if name == "SCRATCH" else ""
            yield path, ": ".join(filter(None, (why, told)))
    for text in site.scratch:
        named = _filled(world, text)
        if named.startswith("/") and world.disk(Path(named)).kind.startswith(FAR):  # seen from the nodes too
            rule = purged.get(os.path.realpath(named), "")
            yield Path(named), f"scratch: {f'files are deleted there {rule}' if rule else OLD_FILES}"


def _filled(world: World, text: str) -> str:
    """A path with the variables in it; "" where one of them is not there."""
    try:
        return filled(world, text)
    except MachineBlocks:
        return ""


def _usable(world: World, path: Path) -> bool:
    return os.path.isdir(path) and os.access(path, os.W_OK | os.X_OK) and not world.disk(path).noexec
