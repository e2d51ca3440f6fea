"""Which environments the programs of a session run from: its kernels, and what its terminals have started."""

from __future__ import annotations

from pathlib import Path

from setup_wizard.conda import contents
from setup_wizard.jupyter.nook import Nook
from setup_wizard.world import World


def prefixes(world: World, nook: Nook) -> tuple[Path, ...]:
    """Their real paths, in order."""
    programs, mine = world.programs(), {pid for pid, _ in world.marked(nook.mark)}
    found = {_prefix(exe) for pid, exe in programs.items() if pid in mine}
    return tuple(sorted(prefix for prefix in found if prefix))


def _prefix(program: Path) -> Path | None:
    """The environment that a program lies in; R lies deep in its own."""
    return next((folder for folder in program.parents if contents.is_environment(folder)), None)
