"""Marks that say «change nothing here»: conda's for its packages, Python's (PEP 668) for pip."""

from __future__ import annotations

import json
from pathlib import Path

from setup_wizard import files
from setup_wizard.conda import contents
from setup_wizard.conda.pip_section import pip_digest
from setup_wizard.conda.spec import EnvSpec
from setup_wizard.errors import MachineBlocks

CONDAS = "conda-meta/frozen"  # conda >= 25.9 refuses to change an environment with this file
PIPS = "EXTERNALLY-MANAGED"  # in Python's own folder of modules


def trouble(prefix: Path, spec: EnvSpec) -> MachineBlocks | None:
    """Why the environment may not be changed into what is asked, where a mark in it forbids that."""
    if (mark := prefix / CONDAS).exists():
        return _refused(prefix, mark, "changed", _message(mark))
    before = contents.was_whole(prefix)
    if spec.pip and (before is None or before.pip != pip_digest(spec, prefix)):
        for mark in prefix.glob(f"lib/python3*/{PIPS}"):
            return _refused(prefix, mark, "changed with pip", _error(mark))
    return None


def _refused(prefix: Path, mark: Path, what: str, said: str) -> MachineBlocks:
    return MachineBlocks(
        f"{prefix} is not to be {what}: {said or f'{mark} says so'}.",
        fix=f"Make one of your own (hpc-jupyter-setup env export {prefix} > my.yml; hpc-jupyter-setup env "
        f"create my.yml -n NAME). Or, when the mark is yours: rm {mark}",
    )


def _message(mark: Path) -> str:
    """What its maker wants to be told; the file is empty, or an object with a `message`."""
    try:
        said = json.loads(files.read_text(mark))
    except ValueError:
        return ""
    return str(said.get("message", "")).strip().rstrip(".") if isinstance(said, dict) else ""


def _error(mark: Path) -> str:
    import configparser  # only where there is such a mark

    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read_string(files.read_text(mark))
    except configparser.Error:
        return ""
    said = parser.get("externally-managed", "Error", fallback="")
    return " ".join(said.split()).rstrip(".")
