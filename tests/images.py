"""Squashed images as the tests have them: whether one can be mounted here, by hand, and who serves one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

UNMOUNT = ["umount"] if os.geteuid() == 0 else ["fusermount", "-u"]
needs_mksquashfs = pytest.mark.skipif(not shutil.which("mksquashfs"), reason="mksquashfs is not installed")


def can_mount() -> bool:
    """Whether this user may mount a file system in user space."""
    return bool(shutil.which("squashfuse") and shutil.which(UNMOUNT[0]) and os.access("/dev/fuse", os.W_OK))


needs_fuse = pytest.mark.skipif(not can_mount(), reason="no squashfuse, or /dev/fuse is not for this user")


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[None]:
    """The image at a place, by hand."""
    subprocess.run(["squashfuse", image, place], check=True)
    try:
        yield
    finally:
        subprocess.run([*UNMOUNT, place], check=True)


def servers(place: Path) -> list[int]:
    """The processes that serve what is mounted there."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"squashfuse" in words[0] and os.fsencode(place) in words:
                found.append(int(entry.name))
    return found


def is_mounted(place: Path) -> bool:
    """Whether the machine's table names it, served or not."""
    return f" {place} " in Path("/proc/self/mounts").read_text()
