"""A machine for tests: a real folder as home, and the home as data, so that two moments can be compared."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path


def picture(home: Path) -> dict[str, tuple[str, str]]:
    """Every path below `home` with its mode and its content's hash (link target, "dir" for a folder)."""
    seen = {}
    for folder, folders, names in os.walk(home):
        for name in [*folders, *names]:
            path = Path(folder, name)
            seen[str(path.relative_to(home))] = (oct(stat.S_IMODE(path.lstat().st_mode)), _content(path))
    return seen


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"-> {os.readlink(path)}"
    if path.is_dir():
        return "dir"
    return hashlib.sha256(path.read_bytes()).hexdigest()
