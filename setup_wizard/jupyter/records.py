"""What an environment's own records say of its Jupyter, read without starting any Python."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from setup_wizard.errors import BadInput
from setup_wizard.jupyter.start import PACKAGES
from setup_wizard.jupyter.words import FLOOR, warning

SITES = (
    "lib/python3*/site-packages",
    "lib64/python3*/site-packages",
    "lib/python3*/dist-packages",
    "local/lib/python3*/dist-packages",
)
PYTHON_RECORD, CONDA_RECORD = r"-([^-]+)\.(?:dist|egg)-info", r"-([^-]+)-[^-]+\.json"


def check(prefix: Path, interface: str) -> None:
    """BadInput for an environment without what that page needs, or with a jupyter_server of known holes.

    An environment that also uses packages from elsewhere, or that keeps no records, is let pass.
    """
    if _uses_others(prefix):
        return
    names = [name for folder in _folders(prefix) for name in os.listdir(folder)]
    if not names and not (prefix / "pyvenv.cfg").exists():
        return
    wanted = (PACKAGES[interface], "jupyter_server", "ipykernel")
    versions = {package: version(names, package) for package in wanted}
    for package in [package for package in wanted if not versions[package]][:1]:
        raise BadInput(
            f"{package} is not installed in {prefix}.",
            fix=_install(prefix, PACKAGES[interface], "ipykernel"),
        )
    if says := warning(versions["jupyter_server"]):
        floor = ".".join(map(str, FLOOR))
        raise BadInput(
            says.partition(" Update it")[0],
            fix=_install(prefix, f"'jupyter_server>={floor}'"),
        )


def _install(prefix: Path, *packages: str) -> str:
    """The command that brings them, with what the environment was made by."""
    by_pip = (prefix / "pyvenv.cfg").exists()
    start = f"{prefix}/bin/python -m pip install" if by_pip else f"conda install -p {prefix} -c conda-forge"
    return " ".join([start, *packages])


def version(names: list[str], package: str) -> str:
    """The version of a package, from the names of records; "" when there is none."""
    pattern = re.compile(f"{package}(?:{PYTHON_RECORD}|{CONDA_RECORD})", re.IGNORECASE)
    found = next(filter(None, map(pattern.fullmatch, names)), None)
    return (found[1] or found[2]) if found else ""


def _uses_others(prefix: Path) -> bool:
    try:
        text = (prefix / "pyvenv.cfg").read_text(errors="replace")
    except OSError:
        return False
    return re.search(r"(?mi)^include-system-site-packages\s*=\s*true", text) is not None


def _folders(prefix: Path) -> Iterator[Path]:
    """Where records lie: conda's, the packages', and those folders that a .pth file adds to them."""
    if (records := prefix / "conda-meta").is_dir():
        yield records
    for folder in (found for pattern in SITES for found in prefix.glob(pattern)):
        yield folder
        texts = [pth.read_text(errors="replace") for pth in folder.glob("*.pth")]
        added = [folder / line.strip() for text in texts for line in text.splitlines() if "/" in line]
        yield from (there for there in added if os.path.isdir(there) and os.access(there, os.R_OK))
