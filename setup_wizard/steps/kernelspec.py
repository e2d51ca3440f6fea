"""Kernelspecs: the files that tell Jupyter how to start a kernel; read, and written so that edits show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from setup_wizard import files
from setup_wizard.world import World

MARK = "hpc_jupyter_setup"  # in the metadata: a digest of the rest, so that an edit of the user's shows
PYTHON = "python3"  # the kernelspec that ipykernel brings
SHELL = ["/bin/bash", "-p", "-c"]  # -p: no file of the user's or the site's comes first (BASH_ENV)
ACTIVATE = (
    'for f in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do [ -r "$f" ] && . "$f"; done >/dev/null 2>&1; '
    'exec "$@"'
)


def jupyter_data(world: World) -> Path:
    """The folder in which every Jupyter of this user looks for kernels."""
    return world.jupyter_data


def inside(prefix: Path, name: str) -> Path:
    """The file of a kernelspec that the environment itself brings."""
    return prefix / "share/jupyter/kernels" / name / "kernel.json"


def has_ipykernel(prefix: Path) -> bool:
    """Whether the Python of the environment can be a kernel."""
    return any(prefix.glob("lib/python3*/site-packages/ipykernel_launcher.py"))


def read(path: Path) -> dict[str, Any]:
    """What the file says; {} where it is not there or no kernelspec."""
    try:
        spec = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.MsgspecError):
        return {}
    words = spec.get("argv", []) if isinstance(spec, dict) else None
    sound = isinstance(words, list) and all(isinstance(word, str) for word in words)
    tables = sound and all(isinstance(spec.get(name, {}), dict) for name in ("env", "metadata"))
    return spec if tables else {}


def activated(argv: Sequence[str], prefix: Path, folder: Path) -> list[str]:
    """The command of a kernelspec in `folder`, after the activation scripts of its environment."""
    words = [word.replace("{resource_dir}", str(folder)) for word in argv]
    program = prefix / "bin" / Path(words[0]).name
    if program.exists() or not words[0].startswith("/"):
        words[0] = str(program)
    return [*SHELL, ACTIVATE, "kernel", *words]


def program(spec: dict[str, Any]) -> Path | None:
    """The program that the kernelspec starts, past our activation; None where it names none."""
    argv = spec.get("argv") or []
    if argv[: len(SHELL) + 1] == [*SHELL, ACTIVATE]:
        argv = argv[len(SHELL) + 2 :]
    return Path(argv[0]) if argv else None


def prefix_of(spec: dict[str, Any], folder: Path) -> Path | None:
    """The prefix that the kernel of a kernelspec in `folder` starts in, as far as it says; None: unknown."""
    named = str(spec.get("env", {}).get("CONDA_PREFIX", "")).replace("$$", "$")
    if named:
        return Path(named)
    starts = program(spec)
    if starts and starts.is_absolute():
        return starts.parent.parent if starts.parent.name == "bin" else None
    home = folder.parents[3] if len(folder.parents) > 3 else folder  # PREFIX/share/jupyter/kernels/NAME
    return home if starts and (home / "bin" / starts).exists() else None


def of_environment(world: World, prefix: Path) -> tuple[Path, ...]:
    """The kernelspecs of this user that start in the environment, whoever wrote them."""
    paths = sorted((jupyter_data(world) / "kernels").glob("*/kernel.json"))
    return tuple(p for p in paths if prefix_of(read(p), p.parent) == prefix)


def marked(spec: dict[str, Any]) -> str:
    """The text of a kernelspec with our mark."""
    metadata = {k: v for k, v in spec.get("metadata", {}).items() if k != MARK}
    plain = {**spec, "metadata": metadata}
    digest = hashlib.sha256(msgspec.json.encode(plain, order="sorted")).hexdigest()[:16]
    return json.dumps({**plain, "metadata": {**metadata, MARK: digest}}, indent=2) + "\n"


def is_untouched(path: Path) -> bool:
    """Whether the file is as one of us wrote it."""
    spec = read(path)
    return bool(spec) and files.read_text(path) == marked(spec)
