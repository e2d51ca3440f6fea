"""Site files as they were read last time: YAML is slow, and every launch asks for all of them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from setup_wizard import __version__, files
from setup_wizard.errors import MachineBlocks
from setup_wizard.sites.data import Site
from setup_wizard.world import World


class Read(msgspec.Struct, frozen=True):
    """A file that was right, as it was then: its mtime (ns) and size tell whether it still is."""

    site: Site
    mtime_ns: int
    size: int


class Remembered(msgspec.Struct, frozen=True):
    """The files by their paths, as this version of ours has read them."""

    version: str = __version__
    files: dict[str, Read] = {}

    def site(self, path: Path) -> Site | None:
        """The site of a file that is still as it was."""
        was = self.files.get(str(path))
        return was.site if was and (was.mtime_ns, was.size) == _stamp(path) else None


def recall(world: World) -> Remembered:
    """What was remembered; nothing when another version did, or when it cannot be read."""
    try:
        was = msgspec.json.decode(_path(world).read_bytes(), type=Remembered)
    except (OSError, msgspec.DecodeError):
        return Remembered()
    return was if was.version == __version__ else Remembered()


def remember(world: World, read: dict[Path, Site]) -> None:
    """Keep what was read. Only in a cache that is there already: who only looks changes nothing."""
    if not world.cache.is_dir():
        return
    kept = {str(path): Read(site, *_stamp(path)) for path, site in read.items()}
    with contextlib.suppress(MachineBlocks, OSError):
        files.write(_path(world), msgspec.json.encode(Remembered(files=kept)), mode=0o600)


def _path(world: World) -> Path:
    return world.cache / "sites.json"


def _stamp(path: Path) -> tuple[int, int]:
    try:
        info = path.stat()
    except OSError:
        return (0, 0)
    return info.st_mtime_ns, info.st_size
