"""A squashed image mounted in a session's nook, by programs that need no right of root."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from setup_wizard.errors import MachineBlocks
from setup_wizard.world import World

MOUNTERS = ("squashfuse_ll", "squashfuse")  # the faster one first
UNMOUNTERS = (("fusermount3", "-uz"), ("fusermount", "-uz"), ("umount", "-l"))
# Slurm tells every process of a job that its end has come: Jupyter goes first, then what it reads from.
UNTOLD = 'trap "" HUP INT TERM; exec "$@"'
PATIENCE = 30.0  # seconds: an image on a file system that does not answer


def mount(world: World, file: Path, place: Path, meanwhile: Callable[[], None]) -> None:
    """Mount an image at an empty folder, which is made. Raises MachineBlocks where that cannot be.

    Whatever `meanwhile` raises ends it.
    """
    program = next((found for name in MOUNTERS if (found := world.which(name))), None)
    if not program:
        raise _not_mounted(file, f"{MOUNTERS[1]} is not on this node")
    if not any(world.which(name) for name, _ in UNMOUNTERS):
        raise _not_mounted(file, "nothing on this node could unmount it")
    place.mkdir(0o700)
    argv: list[str | Path] = ["sh", "-c", UNTOLD, "sh", program, file, place]
    said = world.run(argv, env=world.clean_env(), timeout=PATIENCE, meanwhile=meanwhile)
    if said.code or not is_mounted(place):
        why = (said.err.strip().splitlines() or [f"{program.name} ended with code {said.code}"])[-1]
        raise _not_mounted(file, why)


def is_mounted(place: Path) -> bool:
    """Whether something is mounted at that very place; it is not touched, since it may never answer."""
    real = os.path.join(os.path.realpath(place.parent), place.name).replace(" ", "\\040")
    return any(line.split(" ")[1] == real for line in Path("/proc/self/mounts").read_text().splitlines())


def unmount(world: World, place: Path) -> bool:
    """Take the image away, also from what still uses it; whether nothing is mounted there now."""
    for argv in UNMOUNTERS:
        if not is_mounted(place):
            return True
        world.run([*argv, place], timeout=PATIENCE)
    return not is_mounted(place)


def _not_mounted(file: Path, why: str) -> MachineBlocks:
    return MachineBlocks(
        f"{file} cannot be mounted: {why}.", fix="Ask for the packages squashfuse and fuse3."
    )
