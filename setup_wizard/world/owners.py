"""Whose something temporary is: a process, so that others can tell when it is nobody's any more."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setup_wizard.world import World


def owner(world: World, pid: int) -> list[str]:
    """A process of this machine: host, boot, what can be seen of others, its id and birth."""
    sight = os.readlink("/proc/self/ns/pid").strip("pid:[]")
    return [world.hostname, world.boot, sight, str(pid), world.born(pid)]


def is_gone(world: World, noted: Sequence[str]) -> bool:
    """Whether the owner that was noted is surely no more; of other machines and containers nobody knows.

    Raises ValueError for what is no note of an owner.
    """
    host, boot, sight, pid, born = noted
    here = owner(world, int(pid))
    return host == here[0] and (boot != here[1] or (sight == here[2] and born != here[4]))
