"""What the cluster needs of this machine: programs, folders that others may enter, a lock for its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cluster.nodes import SBIN, CannotStart

# What the tests make once and keep, a Python with Jupyter for one; as in tests/conftest.py.
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hpc-jupyter-setup-tests"
PREFIX, NEW = "hjs-cluster-", "hjs-new-"


def program(name: str) -> str:
    """The full path of a program, also where an ordinary user has no sbin in PATH; "" when there is none."""
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SBIN}") or ""


def need(packages: dict[str, str]) -> None:
    """Raise CannotStart that names the Debian packages of the programs that are missing."""
    missing = sorted({package for name, package in packages.items() if not program(name)})
    if missing:
        raise CannotStart(f"apt-get install --no-install-recommends {' '.join(missing)}")


def visible(paths: Sequence[Path]) -> list[Path]:
    """What the nodes must be shown, without what lies in something else that they are shown."""
    with contextlib.suppress(OSError):
        CACHE.mkdir(parents=True, exist_ok=True)  # it may be filled while the cluster is up
        CACHE.chmod(0o755)  # whatever made it may have kept it to itself; alice must get in
    there = {p.resolve() for p in paths if os.path.exists(p)}
    found = sorted(p for p in there if p.parts[1:2] != ("usr",))
    return [p for p in found if not any(q in p.parents for q in found)]


def closed(paths: Sequence[Path], uid: int) -> list[str]:
    """The outermost folders around those paths that the user may not pass."""
    if os.getuid() == uid:
        return []
    shut = set()
    for path in paths:
        outer = [p for p in reversed(path.parents) if not p.stat().st_mode & 0o001]
        shut |= {str(p) for p in outer[:1]}
    return sorted(shut)


def new_base() -> tuple[Path, int]:
    """A folder for a cluster, and the lock that keeps `sweep` from it."""
    made = Path(tempfile.mkdtemp(prefix=NEW))
    made.chmod(0o755)
    held = lock(made)
    return made.rename(made.with_name(made.name.replace(NEW, PREFIX))), held


def fuse(base: Path) -> list[tuple[str, str]]:
    """A door to FUSE that every user may use, as nodes have it, and its place; none for an ordinary user."""
    door, made = Path("/dev/fuse"), base / "fuse"
    if os.geteuid() != 0 or not door.exists():
        return []
    os.mknod(made, door.stat().st_mode, door.stat().st_rdev)
    made.chmod(0o666)
    return [(str(made), str(door))]


def lock(base: Path) -> int:
    """Show that a cluster's folder is in use, as long as this process lives."""
    handle = os.open(base / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def sweep() -> None:
    """Remove the folders of our earlier clusters whose process was killed."""
    for base in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):
            if base.stat().st_uid == os.geteuid():
                os.close(lock(base))
                shutil.rmtree(base)


def until(true: Callable[[], object], seconds: float = 30, pause: float = 0.02) -> None:
    """Ask again and again until it is true; AssertionError after so many seconds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not true within {seconds} s"
        time.sleep(pause)


def line_of(process: subprocess.Popen[str], seconds: float = 30) -> str:
    """The next line that a process prints, one at a time; AssertionError when none comes."""
    assert process.stdout
    ready, _, _ = select.select([process.stdout], [], [], seconds)
    assert ready, f"nothing was said within {seconds} s"
    return process.stdout.readline().rstrip("\n")


def hear_ctrl_c() -> None:
    """In a child, before its program: Ctrl-C reaches it also where the tests run with it ignored."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
