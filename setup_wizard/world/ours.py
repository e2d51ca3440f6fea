"""How another Python of ours finds this package: whatever HOME and the current folder are."""

from __future__ import annotations

import os
import site
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent.parent


def python_path() -> dict[str, str]:
    """PYTHONPATH for a child, or nothing where Python finds us by itself, as in a virtual environment.

    Needed when we run from a checkout, or were installed for this user only (HOME may be another there).
    """
    wanted = [str(PACKAGE.parent), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    lost = [folder for folder in wanted if folder in sys.path and folder not in _found_anyway()]
    return {"PYTHONPATH": os.pathsep.join(lost)} if lost else {}


def _found_anyway() -> set[str]:
    """The folders that this Python looks into by itself: site-packages, and what its .pth files name."""
    folders = set(site.getsitepackages())
    for folder in list(folders):
        for pth in Path(folder).glob("*.pth"):
            folders |= set(pth.read_text(errors="replace").splitlines())
    return folders
