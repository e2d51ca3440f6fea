"""What programs that we start get of our environment, and how a Python among them finds this package."""

from __future__ import annotations

import os
import site
import sys
from collections.abc import Mapping
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


def sober(env: Mapping[str, str]) -> dict[str, str]:
    """An environment without what leads Python or conda astray, nor the mark of the session that we are in.

    What is launched from a session's terminal is no part of that session, and does not end with it.
    """
    astray = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "LD_PRELOAD", "BASH_ENV", "VIRTUAL_ENV")
    mark = "JUPYTER_RUNTIME_DIR"
    return {k: v for k, v in env.items() if k not in (*astray, mark) and not k.startswith("CONDA_")}
