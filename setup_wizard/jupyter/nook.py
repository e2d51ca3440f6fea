"""The session's nook: a folder on the node's own disk, for what must not lie on a network."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path
from string import Template

from setup_wizard.errors import MachineBlocks
from setup_wizard.jupyter import mounted
from setup_wizard.world import World
from setup_wizard.world.owners import is_gone, owner

PREFIX, OWNER = "hjs-", "owner"
LONGEST = 107  # bytes of a Unix socket's path, less the NUL
SOCKET = len("/run/kernel-00000000-0000-0000-0000-000000000000-ipc-5")
FAR = ("nfs", "lustre", "gpfs", "beegfs", "ceph", "cifs", "smb", "panfs", "afs", "fuse.")
MEMORY = ("tmpfs", "ramfs")  # what lies there is taken from the job's memory: the last choice
PAUSE = 0.05  # seconds between two looks whether the processes have ended


@dataclass(frozen=True)
class Nook:
    """Short of path, 0700, gone with the session."""

    path: Path

    @property
    def run(self) -> Path:
        """Runtime files, connection files and sockets."""
        return self.path / "run"

    @property
    def ipython(self) -> Path:
        """IPython's folder with the history, a database that hangs on network file systems."""
        return self.path / "ipython"

    @property
    def static(self) -> Path:
        """What Jupyter serves without asking who wants it: the sign that it is ours, and when it will end."""
        return self.path / "static"

    @property
    def extensions(self) -> Path:
        """What this session adds to the pages of JupyterLab and Notebook."""
        return self.path / "labextensions"

    @property
    def server(self) -> Path:
        """What this session adds to Jupyter's server."""
        return self.path / "server"

    @property
    def settings(self) -> Path:
        """Jupyter's settings file."""
        return self.path / "settings.py"

    @property
    def copy(self) -> Path:
        """The environment's copy on a disk of this node, or a link to the folder that has it."""
        return self.path / "env"

    @property
    def image(self) -> Path:
        """Where the image is mounted that the environment's copy reads from."""
        return self.path / "image"

    @property
    def mark(self) -> str:
        """What all processes of the session have in their environment, and no other."""
        return f"JUPYTER_RUNTIME_DIR={self.run}"


def make(world: World) -> Nook:
    """A new nook; MachineBlocks when there is no place for one."""
    tried = []
    for base in _bases(world):
        if len(f"{base}/{PREFIX}12345678".encode()) + SOCKET > LONGEST:
            tried.append(f"{base}: too long a path for a socket")
        elif not Path(base).is_dir() or world.disk(Path(base)).kind.startswith(FAR):
            tried.append(f"{base}: not a folder on a disk of this node")
        else:
            try:
                return _furnish(world, Nook(Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))))
            except OSError as e:
                tried.append(f"{base}: {e.strerror}")
    raise MachineBlocks(
        "There is no place on this node for Jupyter's sockets and databases. " + "; ".join(tried) + ".",
        fix="Make room in /tmp (df -h /tmp; df -i /tmp), or name another place: export TMPDIR=/short/path",
    )


def _bases(world: World) -> list[str]:
    named = world.env.get("TMPDIR", "")
    return list(dict.fromkeys([*([named] if named.startswith("/") else []), "/tmp", "/dev/shm", "/var/tmp"]))


def _furnish(world: World, nook: Nook) -> Nook:
    (nook.path / OWNER).write_text("\n".join(owner(world, world.pid)))
    nook.run.mkdir(0o700)
    nook.static.mkdir(0o700)
    return nook


def sweep(world: World) -> None:
    """Remove the nooks of sessions of ours on this node that were killed too hard to do so themselves."""
    for path in dead(world):
        leave(world, Nook(path), patience=1.0)


def dead(world: World) -> list[Path]:
    """The nooks of ours on this node whose session is no more."""
    paths = (path for base in _bases(world) for path in Path(base).glob(f"{PREFIX}*"))
    return [path for path in paths if _is_dead(world, path)]


def _is_dead(world: World, path: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):  # somebody else's, or of another kind
        noted = (path / OWNER).read_text().split("\n")
        return path.lstat().st_uid == world.uid and is_gone(world, noted)
    return False


def leave(world: World, nook: Nook, patience: float) -> None:
    """End whatever of the session still runs here, with `patience` in seconds, and remove the nook."""
    deadline = world.now() + patience
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid, born in world.marked(nook.mark):
            world.signal(pid, born, number)
        while world.marked(nook.mark) and world.now() < deadline:
            world.sleep(PAUSE)
        deadline = world.now() + patience
    if nook.path.name.startswith(PREFIX) and remove_copy(world, nook):
        shutil.rmtree(nook.path, ignore_errors=True)


def remove_copy(world: World, nook: Nook) -> bool:
    """Remove the environment's copy, on whatever disk of the node it is; whether its image is away, too."""
    if nook.copy.is_symlink():
        there = Path(os.readlink(nook.copy))
        if there.name.startswith(PREFIX):
            shutil.rmtree(there, ignore_errors=True)
        nook.copy.unlink(missing_ok=True)
    shutil.rmtree(nook.copy, ignore_errors=True)
    return mounted.unmount(world, nook.image)


def scratch(world: World, wanted: str) -> Path:
    """The folder for what is temporary, as the user named it; MachineBlocks where this node has none."""
    folder = Path(filled(world, wanted))
    if not os.access(folder, os.W_OK | os.X_OK):
        what = "cannot be written to" if folder.exists() else "is not there"
        raise MachineBlocks(
            f"--scratch-dir: {folder} {what} on this node.", fix="Leave it out, or correct it."
        )
    return folder


def filled(world: World, text: str) -> str:
    """A path with the job's variables in it; MachineBlocks for one that the job does not have."""
    done = Template(text).safe_substitute(world.env)
    if "$" in done:
        raise MachineBlocks(f"«{text}» names a variable that the job does not have.", fix="Correct its name.")
    return done
