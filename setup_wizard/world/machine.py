"""Facts of the machine: file systems, the C library, the login shell."""

from __future__ import annotations

import os
import pwd
import resource
from collections.abc import Iterator
from pathlib import Path

from setup_wizard.world.data import Disk, Limits, Mount


def disk(path: Path) -> Disk:
    """The file system that `path` is on, or would be on."""
    while not os.path.exists(path):
        path = path.parent
    s = os.statvfs(path)
    return Disk(
        s.f_bavail * s.f_frsize,
        s.f_favail if s.f_files else None,
        mount(path).kind,
        noexec=bool(s.f_flag & os.ST_NOEXEC),
        read_only=bool(s.f_flag & os.ST_RDONLY),
    )


def mount(path: Path) -> Mount:
    """The file system that `path` is on, or would be on; "unknown" when nobody tells."""
    best = Mount("", "", "unknown")
    real = os.path.realpath(path)
    for line in _lines("/proc/self/mounts"):
        source, point, kind, *_ = (word.replace("\\040", " ") for word in line.split(" "))
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best.point):
            best = Mount(source, point, kind)
    return best


def limits() -> Limits:
    """The limits of this shell (ulimit) and of the group of processes that it is in (cgroup)."""
    memory = [n for n in (_limit(resource.RLIMIT_AS), *_group_memory()) if n is not None]
    return Limits(
        processes=_limit(resource.RLIMIT_NPROC),
        memory=min(memory, default=None),
        open_files=_limit(resource.RLIMIT_NOFILE),
    )


def _limit(which: int) -> int | None:
    soft, _ = resource.getrlimit(which)
    return None if soft == resource.RLIM_INFINITY else soft


def _group_memory() -> Iterator[int]:
    """The memory limits of our control group and of those around it, in bytes; both versions of them."""
    for line in _lines("/proc/self/cgroup"):
        _, controllers, name = line.split(":", 2)
        version_1 = "memory" in controllers.split(",")
        root = "/sys/fs/cgroup/memory" if version_1 else "/sys/fs/cgroup"
        file = "memory.limit_in_bytes" if version_1 else "memory.max"
        for group in (Path(name), *Path(name).parents) if version_1 or not controllers else ():
            said = "".join(_lines(f"{root}/{group}/{file}"))
            if said.isdigit() and int(said) < 1 << 60:
                yield int(said)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(errors="replace").splitlines()
    except OSError:
        return []


def glibc() -> str:
    """The version of the C library, "" where it is not glibc."""
    try:
        name = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        name = ""
    return name.removeprefix("glibc ")


def boot() -> str:
    """The kernel's name for the time since the machine was started."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def login_shell() -> str:
    """The path of the user's login shell as the account has it, "" when nobody knows."""
    try:
        return pwd.getpwuid(os.getuid()).pw_shell
    except KeyError:
        return ""
