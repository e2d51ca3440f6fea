"""What a prefix must be like, so that conda and what it installs can live there."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from setup_wizard.errors import BadInput, MachineBlocks, SetupError
from setup_wizard.world import World

LONGEST = 127  # bytes of a `#!` line that older kernels read; conda and pip write the whole path into it
PYTHON = "python3.14"


def first_line(prefix: Path, environment: str = "") -> str:
    """The longest `#!` line of the programs in an environment below the prefix, or in the prefix itself."""
    inside = prefix / "envs" / environment if environment else prefix
    return f"#!{inside}/bin/{PYTHON}"


def trouble(world: World, prefix: Path, environments: Iterable[str] = ()) -> SetupError | None:
    """Why conda cannot go there, or None: its name, its length, its file system, who may write there."""
    return unfit(world, prefix, environments) or _place_trouble(world, prefix)


def unfit(world: World, prefix: Path, environments: Iterable[str] = ()) -> SetupError | None:
    """Why no environment can have that prefix, whatever the place: its name, its length; or None."""
    if any(c.isspace() or c in "'\"$`\\;:" for c in str(prefix)):
        return BadInput(
            f"The prefix «{prefix}» has a space or a sign in it that shells read otherwise.",
            fix=f"Choose a plain one: --prefix {_plain(world)}",
        )
    longest = max((first_line(prefix, name) for name in ("", *environments)), key=_bytes)
    if _bytes(longest) > LONGEST:
        return BadInput(
            f"The prefix {prefix} is too long: «{longest}» has {_bytes(longest)} bytes, and a program may "
            f"name its interpreter in {LONGEST} at most.",
            fix=f"Choose one that is {_bytes(longest) - LONGEST} bytes shorter: --prefix {_plain(world)}",
        )
    return None


def _place_trouble(world: World, prefix: Path) -> SetupError | None:
    above = existing(prefix.parent)
    disk = world.disk(above)
    if disk.noexec:
        return MachineBlocks(
            f"Programs may not be run from {above}: its file system is mounted noexec.",
            fix=f"Choose a prefix elsewhere: --prefix {_plain(world)}",
        )
    if not above.is_dir() or disk.read_only or not os.access(above, os.W_OK | os.X_OK):
        return MachineBlocks(
            f"{prefix} cannot be made: {above} is {'read-only' if disk.read_only else 'not writable'}.",
            fix=f"See who may write there (ls -ld {above}), or choose another place with --prefix.",
        )
    return None


def existing(path: Path) -> Path:
    """The path, or the nearest above it that is there."""
    while not os.path.lexists(path):
        path = path.parent
    return path


def _plain(world: World) -> Path:
    return world.home / "miniconda3"


def _bytes(line: str) -> int:
    return len(os.fsencode(line))
