"""Where a laptop keeps its connection: folders that go when we do, however we go, and every ssh in them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from setup_wizard.world import World

PREFIX, OWNER, PAGES = "hjs-laptop-", "owner", "hpc-jupyter-setup-pages"
LAST = 20.0  # seconds for what is left of a nook to end
# Waits for the end of whoever holds its input, whatever end that is; then no master of ssh that listens in
# the nook goes on, and its files and pages are gone.
HEIR = (
    'cat >/dev/null; for s in "$0"/*; do test -S "$s" && ssh -F none -S "$s" -O exit gone; done; '
    'rm -rf "$0" "$1"; rmdir "${1%/*}"'
)


@dataclass(frozen=True)
class Nook:
    """A folder (0700) whose path is short enough for sockets, and one for pages that a browser can read."""

    folder: Path
    pages: Path


@contextlib.contextmanager
def nook(world: World) -> Iterator[Nook]:
    """A new one; it is gone with the block, or when we have been killed."""
    import fcntl  # Windows has none

    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir="/tmp"))
    made = _known(world, folder.name)
    heir = _heir(world, made, subprocess.PIPE)
    try:
        with (folder / f".{OWNER}").open("w") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX)
            (folder / f".{OWNER}").rename(folder / OWNER)  # who finds it finds it locked, as long as we live
            yield made
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            heir.communicate(timeout=LAST)
        shutil.rmtree(folder, ignore_errors=True)


def sweep(world: World) -> None:
    """Remove those of ours whose heirs were killed as well, or that a restart of the machine has outlived."""
    paths = [*Path("/tmp").glob(f"{PREFIX}*"), *_pages(world).glob(f"{PREFIX}*.{world.hostname}")]
    for name in {path.name.partition(".")[0] for path in paths}:
        old = _known(world, name)
        if _is_dead(old.folder) or not old.folder.exists():
            with contextlib.suppress(subprocess.TimeoutExpired):
                _heir(world, old, subprocess.DEVNULL).communicate(timeout=LAST)


def _known(world: World, name: str) -> Nook:
    """The nook of that name; a home may be that of several machines."""
    return Nook(Path("/tmp", name), _pages(world) / f"{name}.{world.hostname}")


def _pages(world: World) -> Path:
    """A browser that is a snap can read nothing in /tmp, and nothing that is hidden."""
    return (world.home if (world.home / "snap").is_dir() else world.cache) / PAGES


def _heir(world: World, nook: Nook, stdin: int) -> subprocess.Popen[bytes]:
    argv, quiet = ["sh", "-c", HEIR, str(nook.folder), str(nook.pages)], subprocess.DEVNULL
    return subprocess.Popen(
        argv, stdin=stdin, stdout=quiet, stderr=quiet, env=world.env, cwd="/", start_new_session=True
    )


def _is_dead(folder: Path) -> bool:
    import fcntl

    with contextlib.suppress(OSError):  # just begun, or locked
        if folder.lstat().st_uid == os.getuid():
            with (folder / OWNER).open("a") as owner:
                fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
    return False
