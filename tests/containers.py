"""A runtime for images and an image, for the tests. Debian has no runtime: one is scripted, named so
(apptainer_stand_in.py); what it runs is really contained, by bubblewrap.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

STAND_IN = f'#!/bin/sh\nexec {sys.executable} -I {Path(__file__).with_name("apptainer_stand_in.py")} "$@"\n'
BWRAP = ["bwrap", "--ro-bind", "/", "/", "true"]


def runtime(folder: Path, script: str) -> None:
    """A program `apptainer` in that folder, which is to be found in PATH."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "apptainer").write_text(script)
    (folder / "apptainer").chmod(0o755)


def image_of(folder: Path, prefix: Path) -> Path:
    """An image that has the Jupyter of `prefix` at /opt/jupyter, and nothing else of this machine."""
    base = Path(sys.base_prefix)
    shows = {str(base): str(base), "/opt/jupyter": str(prefix)}
    folder.mkdir()
    (folder / "image.json").write_text(json.dumps({"shows": shows, "path": "/opt/jupyter/bin:/usr/bin:/bin"}))
    return folder
