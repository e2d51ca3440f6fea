"""Facts of the machine: file systems, the C library, the login shell."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from setup_wizard.world.data import Disk


def disk(path: Path) -> Disk:
    """The file system that `path` is on, or would be on."""
    while not os.path.exists(path):
        path = path.parent
    s = os.statvfs(path)
    return Disk(
        s.f_bavail * s.f_frsize,
        s.f_favail if s.f_files else None,
        file_system(path),
        noexec=bool(s.f_flag & os.ST_NOEXEC),
        read_only=bool(s.f_flag & os.ST_RDONLY),
    )


def file_system(path: Path) -> str:
    """The kind of the file system below an existing path: "ext4", "nfs", "lustre", …, or "unknown"."""
    best, kind = "", "unknown"
    real = os.path.realpath(path)
    try:
        lines = Path("/proc/self/mounts").read_text(errors="replace").splitlines()
    except OSError:
        return kind
    for line in lines:
        _, point, fs_type, *_ = line.split(" ")
        point = point.replace("\\040", " ")
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, fs_type
    return kind


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
