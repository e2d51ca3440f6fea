"""Folders for what a command needs while it works: gone with it, or with the next one where it was killed."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from setup_wizard.world.owners import is_gone, owner

if TYPE_CHECKING:
    from setup_wizard.world import World

PREFIX = "hpc-jupyter-setup-"
BETWEEN = "@"  # of what a name says of its owner; none of that has one


@contextlib.contextmanager
def folder(world: World) -> Iterator[Path]:
    """A new one in TMPDIR; those of commands that were killed go first. Its name says whose it is."""
    sweep(world)
    named = BETWEEN.join(owner(world, world.pid))
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{named}-", ignore_cleanup_errors=True) as made:
        yield Path(made)


def sweep(world: World) -> None:
    """Remove what killed commands of ours on this machine have left in TMPDIR."""
    for path in there(world):
        if is_dead(world, path):
            shutil.rmtree(path, ignore_errors=True)


def there(world: World) -> list[Path]:
    """Every folder of that kind in TMPDIR that is this user's, also of commands that are at work."""
    paths = Path(tempfile.gettempdir()).glob(f"{PREFIX}*")
    return sorted(p for p in paths if p.is_dir() and not p.is_symlink() and p.lstat().st_uid == world.uid)


def is_owned(path: Path) -> bool:
    """Whether its name says whose it is; what has none is of another kind, or of an older program."""
    return len(_noted(path)) == 5


def is_dead(world: World, path: Path) -> bool:
    """Whether its owner is surely no more; of what does not name one, nobody knows."""
    with contextlib.suppress(ValueError):
        return is_gone(world, _noted(path))
    return False


def _noted(path: Path) -> list[str]:
    return path.name.removeprefix(PREFIX).rpartition("-")[0].split(BETWEEN)
