"""Link scripts of packages, run at the final place of an environment that was built beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from setup_wizard import files
from setup_wizard.conda.contents import Record, records
from setup_wizard.world import World

PENDING = "conda-meta/hpc-jupyter-setup.scripts"  # packages whose script is still to run


def note_scripts(prefix: Path) -> None:
    """Note the packages that want a script to run at the final place; before the folder is renamed."""
    if any(prefix.glob("bin/.*-post-link.sh")):
        names = [r.name for r in records(prefix) if _script(prefix, r.name).is_file()]
        files.write(prefix / PENDING, msgspec.json.encode(names))


def run_scripts(world: World, prefix: Path, warn: Callable[[str], None]) -> None:
    """Run the scripts that are pending, as conda does. One that fails is told, and does not stop us."""
    note = prefix / PENDING
    if not note.exists():
        return
    names = msgspec.json.decode(note.read_bytes(), type=list[str])
    for record in records(prefix):
        if record.name in names:
            output = world.run(["/bin/sh", _script(prefix, record.name)], env=_env(world, prefix, record))
            if output.code:
                said = (output.err or output.out).strip().splitlines()[-1:]
                warn(f"The installation script of {record.name} failed: {' '.join(said)} It may not work.")
    note.unlink()


def _script(prefix: Path, name: str) -> Path:
    return prefix / "bin" / f".{name}-post-link.sh"


def _env(world: World, prefix: Path, record: Record) -> dict[str, str]:
    return world.clean_env(
        PREFIX=str(prefix),
        ROOT_PREFIX=str(prefix),
        PKG_NAME=record.name,
        PKG_VERSION=record.version,
        PKG_BUILDNUM=str(record.build_number),
        PATH=f"{prefix}/bin:{world.env.get('PATH', '/usr/bin:/bin')}",
    )
