"""A squashed image mounted in a session's nook, by programs that need no right of root."""

from __future__ import annotations

import os
from pathlib import Path

from setup_wizard.errors import MachineBlocks
from setup_wizard.world import World

MOUNTERS = ("squashfuse_ll", "squashfuse")  # the faster one first
UNMOUNTERS = (("fusermount3", "-uz"), ("fusermount", "-uz"), ("umount", "-l"))
# Slurm tells every process of a job that its end has come: Jupyter goes first, then what it reads from.
UNTOLD = 'trap "" HUP INT TERM; exec "$@"'
PATIENCE = 30.0  # seconds: an image on a file system that does not answer


def mount(world: World, file: Path, place: Path) -> None:
    """Mount an image at an empty folder, which is made. Raises MachineBlocks where that cannot be."""
    program = next((found for name in MOUNTERS if (found := world.which(name))), None)
    if not program:
        raise _not_mounted(file, f"{MOUNTERS[1]} is not on this node")
    if not any(world.which(name) for name, _ in UNMOUNTERS):
        raise _not_mounted(file, "nothing on this node could unmount it")
    place.mkdir(0o700)
    said = world.run(
        ["sh", "-c", UNTOLD, "sh", program, file, place], env=world.clean_env(), timeout=PATIENCE
    )
    if said.code or not is_mounted(world, place):
        why = (said.err.strip().splitlines() or [f"{program.name} ended with code {said.code}"])[-1]
        raise _not_mounted(file, why)


def is_mounted(world: World, place: Path) -> bool:
    """Whether something is mounted there, even if nobody serves it any more."""
    return world.mount(place).point == os.path.realpath(place)


def unmount(world: World, place: Path) -> bool:
    """Take the image away, also from what still uses it; whether nothing is mounted there now."""
    for argv in UNMOUNTERS:
        if not is_mounted(world, place):
            return True
        world.run([*argv, place], timeout=PATIENCE)
    return not is_mounted(world, place)


def _not_mounted(file: Path, why: str) -> MachineBlocks:
    return MachineBlocks(
        f"{file} cannot be mounted: {why}.", fix="Ask for the packages squashfuse and fuse3."
    )
